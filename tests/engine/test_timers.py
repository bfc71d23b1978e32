"""Absolute deadlines behind one cancel scope, in virtual time."""

from __future__ import annotations

import math

import pytest
import trio

from tests.support.client import settle
from trio_socketio._engine.timers import Timers


class Clock:
    """Timers that run, and what they did, and when."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.fired: list[tuple[str, float]] = []
        self.until = trio.Event()

    def set(self, name: str, at: float) -> None:
        self.timers.set(name, at, lambda: self.fired.append((name, trio.current_time())))


@pytest.fixture
async def clock(autojump_clock, nursery):
    clock = Clock()
    nursery.start_soon(clock.timers.run, clock.until)
    await settle()
    yield clock
    clock.until.set()


async def test_each_fires_once_at_its_time(clock, autojump_clock):
    began = trio.current_time()
    clock.set("b", began + 20)
    clock.set("a", began + 10)
    clock.set("never", math.inf)
    await trio.sleep(100)
    assert clock.fired == [("a", began + 10), ("b", began + 20)]
    assert not clock.timers.is_set("a")
    assert clock.timers.is_set("never")


async def test_a_later_deadline_replaces_an_earlier_one(clock, autojump_clock):
    clock.set("a", 10)
    clock.set("a", 30)
    await trio.sleep_until(29)
    assert not clock.fired
    clock.set("a", 29.5)
    await trio.sleep_until(100)
    assert clock.fired == [("a", 29.5)]


async def test_cleared(clock, autojump_clock):
    clock.set("a", 10)
    clock.set("b", 20)
    clock.timers.clear("a")
    clock.timers.clear("a")
    clock.timers.clear("unknown")
    await trio.sleep_until(100)
    assert clock.fired == [("b", 20)]


async def test_a_name_may_be_anything_hashable(clock, autojump_clock):
    clock.set(("attachments", 1), 10)
    clock.set(("attachments", 2), 20)
    clock.timers.clear(("attachments", 1))
    await trio.sleep_until(30)
    assert [name for name, _ in clock.fired] == [("attachments", 2)]


async def test_a_function_may_set_the_next_deadline(clock, autojump_clock):
    def tick():
        clock.fired.append(("tick", trio.current_time()))
        if len(clock.fired) < 4:
            clock.timers.set("tick", trio.current_time() + 5, tick)

    clock.timers.set("tick", 5, tick)
    await trio.sleep_until(100)
    assert clock.fired == [("tick", 5), ("tick", 10), ("tick", 15), ("tick", 20)]


async def test_a_function_may_clear_another_that_is_due(clock, autojump_clock):
    clock.timers.set("first", 10, lambda: clock.timers.clear("second"))
    clock.set("second", 10.5)
    await trio.sleep_until(9)
    clock.timers.set("first", 9, lambda: clock.timers.clear("second"))
    await trio.sleep_until(100)
    assert not clock.fired


async def test_what_is_long_due_fires_the_earliest_first(clock, autojump_clock):
    autojump_clock.autojump_threshold = math.inf
    for name, at in (("c", 3), ("a", 1), ("b", 2), ("d", 30)):
        clock.set(name, at)
    autojump_clock.jump(20)
    clock.timers.fire_due()
    # At once, in the task of the caller, without the timers' own task having had a turn; and not again by that task.
    assert [name for name, _ in clock.fired] == ["a", "b", "c"]
    await settle()
    assert len(clock.fired) == 3
    autojump_clock.jump(10)
    await settle()
    assert clock.fired[3:] == [("d", 30)]


async def test_a_deadline_in_the_past_fires_at_once(clock, autojump_clock):
    await trio.sleep(10)
    clock.set("a", 1)
    await settle()
    assert clock.fired == [("a", 10)]


async def test_before_it_runs_deadlines_are_kept(autojump_clock, nursery):
    clock = Clock()
    clock.set("a", 5)
    clock.timers.fire_due()
    assert not clock.fired
    nursery.start_soon(clock.timers.run, clock.until)
    await trio.sleep_until(6)
    assert clock.fired == [("a", 5)]
    clock.until.set()


async def test_it_ends_with_the_event(autojump_clock):
    clock = Clock()
    clock.set("a", 5)
    clock.timers.set("end", 3, clock.until.set)
    await clock.timers.run(clock.until)
    assert trio.current_time() == 3
    # Also when it is set already; and the deadline that is left fires nothing.
    await clock.timers.run(clock.until)
    await trio.sleep(10)
    assert not clock.fired


async def test_the_event_and_a_deadline_at_the_same_time(autojump_clock, nursery):
    clock = Clock()
    nursery.start_soon(clock.timers.run, clock.until)
    autojump_clock.autojump_threshold = math.inf
    clock.set("a", 5)
    await settle()
    autojump_clock.jump(5)
    clock.until.set()
    await settle()
    # Whoever ends it has the last word.
    assert not clock.fired
