"""The deadlines of one session, in virtual time."""

from __future__ import annotations

import math

import pytest
import trio

from tests.support.client import settle
from trio_socketio._engine.clock import Clock
from trio_socketio._engine.timers import Timers


class Watched:
    """Timers, and what they did, and when."""

    def __init__(self, clock: Clock) -> None:
        self.faults: list[Exception] = []
        self.timers = Timers(clock, self.faults.append)
        self.fired: list[tuple[str, float]] = []

    def set(self, name: str, at: float) -> None:
        self.timers.set(name, at, lambda: self.fired.append((name, trio.current_time())))


@pytest.fixture
async def watched(autojump_clock, nursery):
    clock = Clock()
    nursery.start_soon(clock.run)
    await settle()
    return Watched(clock)


async def test_each_fires_once_at_its_time(watched, autojump_clock):
    began = trio.current_time()
    watched.set("b", began + 20)
    watched.set("a", began + 10)
    watched.set("never", math.inf)
    await trio.sleep(100)
    assert watched.fired == [("a", began + 10), ("b", began + 20)]
    assert not watched.timers.is_set("a")
    assert watched.timers.is_set("never")


async def test_a_later_deadline_replaces_an_earlier_one(watched, autojump_clock):
    watched.set("a", 10)
    watched.set("a", 30)
    await trio.sleep_until(29)
    assert not watched.fired
    watched.set("a", 29.5)
    await trio.sleep_until(100)
    assert watched.fired == [("a", 29.5)]


async def test_cleared(watched, autojump_clock):
    watched.set("a", 10)
    watched.set("b", 20)
    assert watched.timers.clear("a")
    assert not watched.timers.clear("a")
    watched.timers.clear("unknown")
    await trio.sleep_until(100)
    assert watched.fired == [("b", 20)]


async def test_a_name_may_be_anything_hashable(watched, autojump_clock):
    watched.set(("attachments", 1), 10)
    watched.set(("attachments", 2), 20)
    watched.timers.clear(("attachments", 1))
    await trio.sleep_until(30)
    assert [name for name, _ in watched.fired] == [("attachments", 2)]


async def test_a_function_may_set_the_next_deadline(watched, autojump_clock):
    def tick():
        watched.fired.append(("tick", trio.current_time()))
        if len(watched.fired) < 4:
            watched.timers.set("tick", trio.current_time() + 5, tick)

    watched.timers.set("tick", 5, tick)
    await trio.sleep_until(100)
    assert watched.fired == [("tick", 5), ("tick", 10), ("tick", 15), ("tick", 20)]


async def test_a_function_may_clear_another_that_is_due(watched, autojump_clock):
    watched.timers.set("first", 10, lambda: watched.timers.clear("second"))
    watched.set("second", 10.5)
    await trio.sleep_until(9)
    watched.timers.set("first", 9, lambda: watched.timers.clear("second"))
    await trio.sleep_until(100)
    assert not watched.fired


async def test_what_is_long_due_fires_the_earliest_first(watched, autojump_clock):
    autojump_clock.autojump_threshold = math.inf
    for name, at in (("c", 3), ("a", 1), ("b", 2), ("d", 30)):
        watched.set(name, at)
    autojump_clock.jump(20)
    watched.timers.fire_due()
    # At once, in the task of the caller, without the clock's task having had a turn; and not again by that task.
    assert [name for name, _ in watched.fired] == ["a", "b", "c"]
    await settle()
    assert len(watched.fired) == 3
    autojump_clock.jump(10)
    await settle()
    assert watched.fired[3:] == [("d", 30)]


async def test_a_deadline_in_the_past_fires_at_once(watched, autojump_clock):
    await trio.sleep(10)
    watched.set("a", 1)
    await settle()
    assert watched.fired == [("a", 10)]


async def test_they_are_fired_that_were_set_before_the_clock_runs(autojump_clock, nursery):
    clock = Clock()
    watched = Watched(clock)
    watched.set("a", 5)
    watched.timers.fire_due()
    assert not watched.fired
    nursery.start_soon(clock.run)
    await trio.sleep_until(6)
    assert watched.fired == [("a", 5)]


async def test_ended(watched, autojump_clock):
    watched.set("a", 5)
    watched.timers.set("end", 3, watched.timers.end)
    await trio.sleep_until(4)
    assert not watched.timers.is_set("a")
    watched.set("b", 5)
    watched.timers.clear("a")
    watched.timers.end()
    watched.timers.fire_due()
    await trio.sleep_until(100)
    assert not watched.fired


async def test_ended_by_one_while_another_is_due(watched, autojump_clock):
    autojump_clock.autojump_threshold = math.inf
    watched.timers.set("end", 4, watched.timers.end)
    watched.set("a", 5)
    autojump_clock.jump(5)
    await settle()
    # Whoever ends it has the last word.
    assert not watched.fired


class TestFaults:
    @pytest.mark.parametrize("by", ["the clock", "a request"])
    async def test_the_owner_is_told_and_the_others_fire(self, watched, autojump_clock, by):
        error = ValueError("a fault")

        def fail():
            raise error

        watched.timers.set("fails", 5, fail)
        watched.set("a", 5)
        watched.set("b", 6)
        if by == "a request":
            autojump_clock.autojump_threshold = math.inf
            autojump_clock.jump(5)
            watched.timers.fire_due()
            autojump_clock.autojump_threshold = 0
        await trio.sleep_until(100)
        assert watched.faults == [error]
        assert watched.fired == [("a", 5), ("b", 6)]

    async def test_of_one_that_has_ended_them(self, watched, autojump_clock):
        def fail():
            watched.timers.end()
            raise ValueError("a fault")

        watched.timers.set("fails", 5, fail)
        await trio.sleep_until(100)
        assert [str(error) for error in watched.faults] == ["a fault"]
