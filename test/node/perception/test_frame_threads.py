# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Workers continue after errors, and hand over every item in order."""

import threading

from hydranet_ros.node.perception.frame_threads import Handover, Worker

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


def test_a_worker_survives_what_it_cannot_take_and_what_cannot_be_told(monkeypatch):
    monkeypatch.setattr('hydranet_ros.node.perception.frame_threads.RETRY_PERIOD', 0.0)
    answers, handled, told = iter([RuntimeError('no message'), 'item', None]), [], []

    def take():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tell(error):
        told.append(error)
        raise OSError('the log is gone')

    worker = Worker(take, handled.append, tell, 'test')
    worker.start()
    worker.join()
    assert handled == ['item'] and len(told) == 1


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
    assert max(ahead) <= 2  # the item being handled and the item that waits


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
    handover.close()
    assert [handover.take(), handover.take()] == [2, None]
    handover.put(3)  # no thread takes items any more: the item is discarded
    assert handover.take() is None


def test_it_is_free_once_the_item_was_taken():
    handover, free = Handover(), threading.Event()
    handover.wait_until_free()
    handover.put(1)

    def wait():
        handover.wait_until_free()
        free.set()

    threading.Thread(target=wait, daemon=True).start()
    assert not free.wait(0.05)
    handover.take()
    assert free.wait(DEADLINE)
