"""Requests of many steps: when a step is due, and how a request ends."""

from __future__ import annotations

import pytest

from etam_ros.errors import PromptError
from etam_ros.ros.tracker.everything.long_requests import LongRequests

AGES_S = 1e6


@pytest.fixture
def requests():
    return LongRequests()


def counting(steps, taken, answer="done"):
    """A request of so many steps, which notes them."""

    def action(tracking):
        try:
            for step in range(steps):
                taken.append((step, tracking))
                yield step == 1
        finally:
            taken.append("closed")
        return answer

    return action


def test_steps_are_taken_one_at_a_time_and_objects_held_where_that_is_asked_for(requests):
    taken = []
    future = requests.add(counting(3, taken))
    holding = []
    while requests:
        requests.advance("tracking")
        holding.append(requests.holding)
    assert taken == [(0, "tracking"), (1, "tracking"), (2, "tracking"), "closed"]
    assert holding == [False, True, False, False]
    assert future.result(0) == "done"


def test_one_comes_after_the_other(requests):
    taken = []
    futures = [requests.add(counting(1, taken, answer)) for answer in ("first", "second")]
    while requests:
        assert [future.done() for future in futures] in ([False, False], [True, False])
        requests.advance(None)
    assert [future.result(0) for future in futures] == ["first", "second"]


def test_a_step_is_due_where_no_frame_waits_or_frames_have_had_their_time(requests):
    assert not requests.is_next(frame_waits=False, catching_up=False)
    requests.add(counting(9, []))
    assert requests.is_next(frame_waits=False, catching_up=False)
    assert not requests.is_next(frame_waits=False, catching_up=True)
    assert not requests.is_next(frame_waits=True, catching_up=False)
    requests.take_turns(AGES_S)
    assert requests.is_next(frame_waits=True, catching_up=False)
    assert not requests.is_next(frame_waits=True, catching_up=True)


def test_steps_take_no_more_time_than_frames_do(requests):
    requests.add(counting(9, []))
    requests.advance(None)  # while nothing waits
    requests.take_turns(0.0)  # a frame of no time at all earns none
    assert not requests.is_next(frame_waits=True, catching_up=False)
    requests.take_turns(AGES_S)
    requests.take_turns(0.0)  # what is not used is not saved up for later
    assert not requests.is_next(frame_waits=True, catching_up=False)


def test_what_is_withdrawn_is_closed_and_the_next_one_begins(requests):
    taken, others = [], []
    future = requests.add(counting(3, taken))
    untouched = requests.add(counting(3, []))
    requests.advance(None)
    assert future.cancel()
    assert untouched.cancel()
    last = requests.add(counting(1, others))
    while requests:
        requests.advance(None)
    assert taken == [(0, None), "closed"]
    assert last.result(0) == "done"
    requests.add(counting(1, []))
    requests.clear()
    while requests:
        requests.advance(None)


def test_what_goes_wrong_reaches_whoever_asked(requests):
    def refuses(tracking):
        yield False
        raise PromptError("no")

    def breaks(tracking):
        yield False
        raise ValueError("a bug")

    future = requests.add(refuses)
    while requests:
        requests.advance(None)
    with pytest.raises(PromptError, match="no"):
        future.result(0)
    future = requests.add(breaks)
    assert requests.advance(None) is None
    assert isinstance(requests.advance(None), ValueError)
    with pytest.raises(PromptError, match="a bug"):
        future.result(0)
    assert not requests
