# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Workers go on whatever happens, and hand over every item in order."""

import threading

from hydranet_ros.node.worker import Handover, Worker

DEADLINE = 10.0


def test_a_worker_survives_errors_and_ends_with_none():
    items = iter(['first', 'bad', 'last', None])
    handled, errors = [], []

    def handle(item):
        if item == 'bad':
            raise ValueError(item)
        handled.append(item)

    worker = Worker(lambda: next(items), handle, errors.append, 'test')
    worker.start()
    worker.join()
    assert handled == ['first', 'last']
    assert [str(error) for error in errors] == ['bad']


def test_every_item_is_handed_over_in_order_and_one_at_most_waits():
    handover, count = Handover(), 500
    given, handled, ahead = [], [], []

    def handle(item):
        ahead.append(len(given) - len(handled))
        handled.append(item)

    worker = Worker(handover.take, handle, handled.append, 'test')
    worker.start()
    for item in range(count):
        handover.put(item)
        given.append(item)
    handover.close()
    worker.join()
    assert handled == list(range(count))
    assert max(ahead) <= 2  # the one in hand and the one that waits


def test_a_worker_that_is_ahead_waits_for_the_next_one():
    handover, passed = Handover(), threading.Event()

    def give():
        handover.put(1)
        handover.put(2)
        passed.set()

    threading.Thread(target=give, daemon=True).start()
    assert not passed.wait(0.05)
    assert handover.take() == 1
    assert passed.wait(DEADLINE)
    handover_closed = threading.Thread(target=handover.close, daemon=True)
    handover_closed.start()
    assert [handover.take(), handover.take()] == [2, None]
    handover_closed.join(DEADLINE)
