"""One clock for all: what it fires and when, how often it wakes up, and what it keeps."""

from __future__ import annotations

import gc
import math
import weakref
from itertools import pairwise

import pytest
import trio

from tests.support.client import open_polling, poll, settle
from tests.support.engine import POLLING, recorder, running_engine
from trio_socketio import CloseReason
from trio_socketio._engine import clock as clock_module
from trio_socketio._engine.clock import ENTRIES_PER_CHECKPOINT, STALE_ENTRIES, TICK, Clock
from trio_socketio._engine.timers import Timers


class Alarm:
    """Fires at the times that it was made with, one after the other, and writes down when it did."""

    def __init__(self, clock: Clock, *times: float) -> None:
        self.clock, self.times = clock, list(times)
        self.entry, self.wakes_at = 0, math.inf
        self.fired: list[float] = []
        self.ask()

    def ask(self) -> None:
        if self.times:
            self.clock.wake(self, self.times.pop(0))

    def fire(self, now: float) -> None:
        self.fired.append(trio.current_time())
        self.ask()


class Failing(Alarm):
    def fire(self, now: float) -> None:
        super().fire(now)
        raise RuntimeError("in an alarm")


@pytest.fixture
async def clock(autojump_clock, nursery):
    clock = Clock()
    nursery.start_soon(clock.run)
    await settle()
    return clock


@pytest.fixture
def heap_operations(monkeypatch):
    """What is pushed and popped."""
    done = []

    class Counting:
        heapify = staticmethod(clock_module.heapq.heapify)

        @staticmethod
        def heappush(heap, entry, push=clock_module.heapq.heappush):
            done.append("push")
            push(heap, entry)

        @staticmethod
        def heappop(heap, pop=clock_module.heapq.heappop):
            done.append("pop")
            return pop(heap)

    monkeypatch.setattr(clock_module, "heapq", Counting)
    return done


def is_sound(clock: Clock) -> bool:
    counting = [number for _, number, alarm in clock._heap if alarm.entry == number]
    return clock._entries == len(counting) and len(clock._heap) <= 3 * len(counting) + STALE_ENTRIES


class Steps:
    """Counts the steps of tasks of a name."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task.name.endswith(self.name)


def instrumented(name: str) -> Steps:
    steps = Steps(name)
    trio.lowlevel.add_instrument(steps)
    return steps


class TestTime:
    async def test_exact_where_they_are_few(self, clock, autojump_clock):
        alarms = [Alarm(clock, at) for at in (7, 3.25, 100, 3.25, 3.5)]
        await trio.sleep_until(1000)
        assert [alarm.fired for alarm in alarms] == [[7], [3.25], [100], [3.25], [3.5]]
        assert not clock._heap

    async def test_before_it_runs(self, autojump_clock, nursery):
        clock = Clock()
        alarm = Alarm(clock, 5)
        await trio.sleep_until(3)
        nursery.start_soon(clock.run)
        await trio.sleep_until(10)
        assert alarm.fired == [5]

    async def test_an_earlier_one_shortens_the_sleep(self, clock, autojump_clock):
        late, early = Alarm(clock, 100), Alarm(clock, 50)
        await trio.sleep_until(20)
        clock.wake(late, 30)
        await trio.sleep_until(1000)
        assert (late.fired, early.fired) == ([30], [50])

    async def test_one_that_is_over_already_at_once(self, clock, autojump_clock):
        await trio.sleep_until(10)
        alarm = Alarm(clock, 1)
        await settle()
        assert alarm.fired == [10]

    async def test_asked_again_while_it_fires(self, clock, autojump_clock):
        alarm = Alarm(clock, *range(10, 20))
        await trio.sleep_until(1000)
        assert alarm.fired == list(range(10, 20))

    async def test_forgotten(self, clock, autojump_clock):
        alarm, other = Alarm(clock, 10), Alarm(clock, 20)
        clock.forget(alarm)
        clock.forget(alarm)
        assert is_sound(clock)
        await trio.sleep_until(15)
        assert not alarm.fired
        clock.wake(alarm, 30)
        await trio.sleep_until(100)
        assert (alarm.fired, other.fired) == ([30], [20])


class TestWakeUps:
    async def test_are_a_tick_apart(self, clock, autojump_clock):
        await trio.sleep_until(9)
        steps = instrumented("Clock.run")
        alarms = [Alarm(clock, 10 + number * TICK / 50) for number in range(500)]
        await trio.sleep_until(20)
        # The first is exact; then each comes at the next tick.
        assert alarms[0].fired == [10]
        for number, alarm in enumerate(alarms):
            assert 0 <= alarm.fired[0] - (10 + number * TICK / 50) <= TICK * 1.001
        assert len({alarm.fired[0] for alarm in alarms}) == 11
        assert steps.count < 11 + 500 / ENTRIES_PER_CHECKPOINT + 2

    async def test_also_for_what_is_set_meanwhile(self, clock, autojump_clock):
        Alarm(clock, 10)
        await trio.sleep_until(10 + TICK / 2)
        alarm = Alarm(clock, 10 + TICK / 2)
        Alarm(clock, 10 + TICK / 4)
        await trio.sleep_until(20)
        assert alarm.fired == [10 + TICK]

    async def test_after_a_tick_it_is_exact_again(self, clock, autojump_clock):
        alarm = Alarm(clock, 10, 10 + TICK, 10 + 2.5 * TICK, 10 + 2.6 * TICK)
        await trio.sleep_until(20)
        assert alarm.fired == pytest.approx([10, 10 + TICK, 10 + 2.5 * TICK, 10 + 3.5 * TICK], abs=1e-9)

    async def test_ten_thousand_at_once_let_others_in(self, clock, autojump_clock):
        autojump_clock.autojump_threshold = math.inf
        alarms = [Alarm(clock, 10) for _ in range(10_000)]
        autojump_clock.jump(10)
        seen = [0]
        while seen[-1] < 10_000:
            await trio.lowlevel.checkpoint()
            seen.append(sum(bool(alarm.fired) for alarm in alarms))
        # In each of its turns the scheduler runs both tasks, in either order.
        assert max(after - before for before, after in pairwise(seen)) <= 2 * ENTRIES_PER_CHECKPOINT
        assert is_sound(clock)

    async def test_no_task_for_an_alarm(self, clock, autojump_clock):
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(1000):
            Alarm(clock, 10)
        await settle()
        assert trio.lowlevel.current_statistics().tasks_living == before


class TestHeap:
    def timers(self, clock: Clock) -> Timers:
        return Timers(clock, lambda _: None)

    async def test_later_and_cleared_costs_no_operation(self, clock, autojump_clock, heap_operations):
        timers = self.timers(clock)
        fired = []
        timers.set("ping", 25, lambda: None)
        assert heap_operations == ["push"]
        for number in range(1000):
            timers.set("ping", 25 + number, lambda: fired.append(trio.current_time()))
            timers.set("write", 60 + number, lambda: fired.append("never"))
            timers.clear("write")
        assert heap_operations == ["push"]
        await trio.sleep_until(10_000)
        # The entry came up at 25, and found that it is too early.
        assert fired == [1024]
        assert heap_operations == ["push", "pop", "push", "pop"]

    async def test_stale_entries_are_bounded(self, clock, autojump_clock):
        timers = [self.timers(clock) for _ in range(10)]
        fired = []
        for number in range(1000):
            for each in timers:
                each.set("a", 2000 - number, lambda: fired.append(trio.current_time()))
            assert len(clock._heap) <= STALE_ENTRIES + 30
        assert is_sound(clock)
        await trio.sleep_until(3000)
        assert fired == [1001] * 10
        assert not clock._heap

    async def test_those_of_ended_sessions_too(self, clock, autojump_clock):
        timers = [self.timers(clock) for _ in range(10_000)]
        for each in timers:
            each.set("a", 1e9, lambda: None)
        for each in timers:
            each.end()
            assert len(clock._heap) <= 3 * clock._entries + STALE_ENTRIES
        assert is_sound(clock)
        assert len(clock._heap) <= STALE_ENTRIES

    async def test_built_anew_while_it_fires(self, clock, autojump_clock):
        first, fired = self.timers(clock), []
        others = [self.timers(clock) for _ in range(5000)]
        for each in others[::2]:
            each.set("a", 10, lambda: fired.append("a"))
        for each in others[1::2]:
            each.set("a", 20, lambda: fired.append("b"))
        first.set("a", 9.9999, lambda: [each.end() for each in others[100:]])
        await trio.sleep_until(100)
        assert fired == ["a"] * 50 + ["b"] * 50
        assert is_sound(clock)

    async def test_it_keeps_nothing_of_what_has_ended(self, clock, autojump_clock):
        class Owner:
            def __init__(self, clock: Clock) -> None:
                self.timers = Timers(clock, self.fail)
                self.timers.set("a", 10, self.fail)

            def fail(self, *_: object) -> None:
                raise AssertionError

        owner = Owner(clock)
        owner.timers.end()
        reference = weakref.ref(owner)
        del owner
        gc.collect()
        assert reference() is None
        assert len(clock._heap) == 1, "the entry stays until its time"
        await trio.sleep_until(20)
        assert not clock._heap


class TestFaults:
    async def test_of_an_alarm_do_not_stop_it(self, clock, autojump_clock, caplog):
        failing, other = Failing(clock, 10), Alarm(clock, 10, 20)
        await trio.sleep_until(100)
        assert (failing.fired, other.fired) == ([10], [10, 20])
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("trio_socketio.engine", "ERROR")
        assert "RuntimeError: in an alarm" in caplog.text

    async def test_of_a_timer_cost_its_own_session(self, autojump_clock, caplog):
        def fail():
            raise RuntimeError("in a timer")

        async with running_engine() as engine:
            query, session = await open_polling(engine)
            _, other = await open_polling(engine)
            session.timers.set("a", 10, fail)
            await trio.sleep_until(11)
            assert (recorder(session).reasons, recorder(session).closed_at) == ([CloseReason.TRANSPORT_ERROR], 10)
            assert (await poll(engine, query)).status == 400
            assert recorder(session).task_ended
            assert dict(engine.sessions) == {other.sid: other}
            assert "RuntimeError: in a timer" in caplog.text
            assert session.sid not in caplog.text
            await trio.sleep_until(100)
            assert recorder(other).closed_at == 45, "the clock goes on"

    async def test_when_a_request_finds_it(self, autojump_clock, caplog):
        def fail():
            raise RuntimeError("in a timer")

        async with running_engine() as engine:
            query, session = await open_polling(engine)
            autojump_clock.autojump_threshold = math.inf
            session.timers.set("a", 10, fail)
            autojump_clock.jump(10)
            assert (await poll(engine, query)).status == 400
            assert session.close_reason is CloseReason.TRANSPORT_ERROR
            assert "RuntimeError: in a timer" in caplog.text


class TestOfAServer:
    async def test_one_task_for_all_sessions(self, autojump_clock):
        async with running_engine() as engine:
            sessions = [(await open_polling(engine))[1] for _ in range(50)]
            tasks = [*engine._registry._nursery.child_tasks, *engine._registry._background.child_tasks]
            assert sum("Clock.run" in task.name for task in tasks) == 1
            await trio.sleep_until(100)
            assert {recorder(session).closed_at for session in sessions} == {45}

    async def test_a_server_that_runs_again_has_a_new_one(self, autojump_clock):
        async with running_engine() as engine:
            await open_polling(engine)
            clock = engine._registry._clock
        async with engine.running():
            assert engine._registry._clock is not clock
            _, session = await open_polling(engine)
            await trio.sleep_until(100)
            assert recorder(session).closed_at == 45

    @pytest.mark.parametrize("how", ["close", "ping timeout", "graceful"])
    async def test_nothing_keeps_a_session_that_has_ended(self, autojump_clock, how):
        async with running_engine() as engine:
            _, session = await open_polling(engine)
            if how == "ping timeout":
                await trio.sleep_until(46)
            elif how == "graceful":
                session.close_gracefully(CloseReason.FORCED_CLOSE)
                await trio.sleep_until(20)
            else:
                session.close(CloseReason.FORCED_CLOSE)
            await settle()
            handler = recorder(session)
            assert handler.closed_at < 46
            reference = weakref.ref(handler)
            del handler, session
            gc.collect()
            assert reference() is None

    async def test_a_closed_session_takes_no_deadline(self, autojump_clock):
        async with running_engine() as engine:
            _, session = await open_polling(engine)
            session.close(CloseReason.FORCED_CLOSE)
            session.timers.set("a", 10, lambda: pytest.fail("it is closed"))
            assert not session.timers.is_set("a")
            await trio.sleep_until(100)

    async def test_it_does_not_hold_the_server_open(self, autojump_clock):
        async with running_engine() as engine:
            await poll(engine, POLLING)
        assert trio.current_time() == 0
