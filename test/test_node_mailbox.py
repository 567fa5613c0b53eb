# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The mailbox hands over the newest item, and the worker goes on whatever happens."""

import threading
import time

from hydranet_ros.node.mailbox import Mailbox
from hydranet_ros.node.worker import Worker

DEADLINE = 10.0


def test_the_newest_is_taken_and_the_rest_reported_as_dropped():
    mailbox = Mailbox()
    assert [mailbox.put(item) for item in (1, 2, 3)] == [False, True, True]
    assert mailbox.take() == 3
    assert mailbox.take(timeout=0) is None
    assert mailbox.put(4) is False
    assert mailbox.take() == 4


def test_take_waits_for_an_item():
    mailbox = Mailbox()
    taken = []
    reader = threading.Thread(target=lambda: taken.append(mailbox.take(DEADLINE)))
    reader.start()
    mailbox.put('item')
    reader.join(DEADLINE)
    assert taken == ['item']


def test_take_gives_up_after_the_timeout():
    begin = time.monotonic()
    assert Mailbox().take(timeout=0.05) is None
    assert time.monotonic() - begin >= 0.04


def test_close_wakes_the_reader_and_discards():
    mailbox = Mailbox()
    mailbox.put('waiting')
    mailbox.close()
    assert mailbox.put('late') is False
    assert mailbox.take() is None
    waiting = Mailbox()
    reader = threading.Thread(target=waiting.take)
    reader.start()
    waiting.close()
    reader.join(DEADLINE)
    assert not reader.is_alive()


def test_every_item_is_either_taken_or_dropped():
    mailbox, count = Mailbox(), 2000
    taken, dropped = [], 0

    def read():
        while (item := mailbox.take(DEADLINE)) != count:
            taken.append(item)

    reader = threading.Thread(target=read)
    reader.start()
    for item in range(count):
        dropped += mailbox.put(item)
    dropped += mailbox.put(count)
    reader.join(DEADLINE)
    assert not reader.is_alive()
    assert taken == sorted(taken)
    assert len(taken) + dropped == count


def test_worker_handles_the_newest_and_survives_errors():
    handled, errors = [], []
    busy, release, failed, done = (threading.Event() for _ in range(4))

    def handle(item):
        if item == 'slow':
            busy.set()
            assert release.wait(DEADLINE)
        if item == 'bad':
            raise ValueError(item)
        handled.append(item)
        if item == 'last':
            done.set()

    def on_error(error):
        errors.append(str(error))
        failed.set()

    worker = Worker(handle, on_error)
    worker.start()
    worker.mailbox.put('slow')
    assert busy.wait(DEADLINE)
    assert worker.mailbox.put('old') is False
    assert worker.mailbox.put('bad') is True
    release.set()
    assert failed.wait(DEADLINE)
    worker.mailbox.put('last')
    assert done.wait(DEADLINE)
    worker.stop()
    assert handled == ['slow', 'last']
    assert errors == ['bad']
    assert worker.mailbox.put('after') is False


def test_worker_stops_only_when_the_item_in_hand_is_done():
    begun, release, handled = threading.Event(), threading.Event(), []

    def handle(item):
        begun.set()
        assert release.wait(DEADLINE)
        handled.append(item)

    worker = Worker(handle, lambda error: None)
    worker.start()
    worker.mailbox.put(1)
    assert begun.wait(DEADLINE)
    worker.mailbox.put(2)
    threading.Timer(0.05, release.set).start()
    worker.stop()
    assert handled == [1]
