"""The thread that works on the newest item it was offered."""

import threading

import pytest

from etam_ros.ros.newest_only import NewestOnlyThread

DEADLINE_S = 60.0
NAME = "newest only under test"


class Work:
    """Notes each item, and holds up the thread until released."""

    def __init__(self):
        self.items, self.crashes = [], []
        self.begun, self.release = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = NewestOnlyThread(NAME, self._work, lambda *fault: self.crashes.append(fault))

    def _work(self, item):
        self.begun.release()
        assert self.release.acquire(timeout=DEADLINE_S)
        self.items.append(item)
        if item == "a bug":
            raise ZeroDivisionError(item)

    def wait_for_begin(self):
        assert self.begun.acquire(timeout=DEADLINE_S)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == NAME]


@pytest.fixture
def work():
    work = Work()
    yield work
    work.thread.stop()
    for _ in range(9):
        work.release.release()
    assert work.thread.join(DEADLINE_S)
    assert threads() == []


def test_the_newest_replaces_what_waits_and_nobody_is_held_up(work):
    work.thread.offer("first")
    work.wait_for_begin()
    for number in range(1000):  # while the thread cannot take any
        work.thread.offer(number)
    assert len(threads()) == 1, "however much is offered"
    for _ in range(2):
        work.release.release()
    work.wait_for_begin()
    work.thread.offer("last")
    work.release.release()
    work.wait_for_begin()
    work.release.release()
    work.thread.drain()
    assert work.items == ["first", 999, "last"]


def test_drain_forgets_what_waits_and_waits_for_what_is_done(work):
    work.thread.offer("first")
    work.wait_for_begin()
    work.thread.offer("forgotten")
    drained = threading.Thread(target=work.thread.drain)
    drained.start()
    drained.join(0.2)  # as long as it likes: it must not come back yet
    assert drained.is_alive()
    work.release.release()
    drained.join(DEADLINE_S)
    assert work.items == ["first"]
    work.thread.drain()  # with nothing to do
    work.thread.offer("next")
    work.wait_for_begin()
    work.release.release()
    work.thread.drain()
    assert work.items == ["first", "next"]


def test_stop_ends_it_after_the_item_it_works_on(work):
    work.thread.offer("first")
    work.wait_for_begin()
    work.thread.offer("forgotten")
    work.thread.stop()
    assert not work.thread.join(0.0), "it is still at work"
    work.release.release()
    assert work.thread.join(DEADLINE_S)
    work.thread.offer("too late")
    work.thread.drain()
    assert work.items == ["first"]


def test_a_bug_costs_the_item_and_is_told_and_the_next_one_is_worked_on(work):
    work.thread.offer("a bug")
    work.wait_for_begin()
    work.thread.offer("the next")
    work.release.release(2)
    work.wait_for_begin()
    work.thread.drain()
    ((place, error),) = work.crashes
    assert (place, type(error)) == (NAME, ZeroDivisionError)
    assert work.items == ["a bug", "the next"]
