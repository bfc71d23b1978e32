"""A packet that must come by a deadline, in virtual time: within 30 s, with a timeout of 20 s."""

from __future__ import annotations

import math

import pytest
import trio

from tests.support.client import settle
from trio_socketio._engine.clock import Clock
from trio_socketio._engine.sign_of_life import SignOfLife
from trio_socketio._engine.timers import Timers

TICK = 0.001


class Awaited:
    """A sign of life, and when it was missed."""

    def __init__(self, clock: Clock, timeout: float = 20) -> None:
        self.timers = Timers(clock, pytest.fail)
        self.deaths: list[float] = []
        self.sign = SignOfLife(
            self.timers, within=30, timeout=timeout, dead=lambda: self.deaths.append(trio.current_time())
        )

    async def ends_at(self) -> float:
        await trio.sleep_until(10_000)
        (death,) = self.deaths
        return death


@pytest.fixture
async def clock(autojump_clock, nursery):
    clock = Clock()
    nursery.start_soon(clock.run)
    await settle()
    return clock


@pytest.fixture
async def awaited(clock):
    return Awaited(clock)


@pytest.fixture
async def stall(autojump_clock):
    """Stand still until a time: what was due before is found only then."""

    async def stall(until):
        autojump_clock.autojump_threshold = math.inf
        autojump_clock.jump(until - trio.current_time())
        await settle()
        autojump_clock.autojump_threshold = 0

    return stall


class TestDeadline:
    async def test_nothing_is_expected_at_first(self, awaited, autojump_clock):
        assert not awaited.sign.clear()
        awaited.sign.renew()
        awaited.sign.pause()
        awaited.sign.resume()
        await trio.sleep_until(1000)
        assert not awaited.deaths

    @pytest.mark.parametrize("since", [-10, 0, 5])
    async def test_the_time_counts_from_where_it_is_told(self, awaited, autojump_clock, since):
        awaited.sign.expect(since)
        assert await awaited.ends_at() == since + 30

    async def test_cleared(self, awaited, autojump_clock):
        awaited.sign.expect(0)
        await trio.sleep_until(30 - TICK)
        assert awaited.sign.clear()
        assert not awaited.sign.clear()
        await trio.sleep_until(1000)
        assert not awaited.deaths

    async def test_missed_it_is_expected_no_more(self, awaited, autojump_clock):
        awaited.sign.expect(0)
        await trio.sleep_until(31)
        assert awaited.deaths == [30]
        assert not awaited.sign.clear()

    async def test_a_new_one_replaces_it(self, awaited, autojump_clock):
        awaited.sign.expect(0)
        await trio.sleep_until(20)
        awaited.sign.expect(20)
        assert await awaited.ends_at() == 50

    async def test_renewed(self, awaited, autojump_clock):
        awaited.sign.expect(0)
        await trio.sleep_until(29)
        awaited.sign.renew()
        assert await awaited.ends_at() == 59

    async def test_after_the_end_of_the_timers_nothing_is_expected(self, awaited, autojump_clock):
        awaited.sign.expect(0)
        awaited.timers.end()
        awaited.sign.renew()
        awaited.sign.expect(0)
        assert not awaited.sign.clear()
        await trio.sleep_until(1000)
        assert not awaited.deaths


class TestPause:
    async def test_the_clock_stands_still_and_starts_anew(self, awaited, autojump_clock):
        awaited.sign.expect(0)
        await trio.sleep_until(29)
        awaited.sign.pause()
        await trio.sleep_until(500)
        assert not awaited.deaths
        awaited.sign.resume()
        assert await awaited.ends_at() == 530

    async def test_resumed_as_often_as_paused(self, awaited, autojump_clock):
        awaited.sign.pause()
        awaited.sign.expect(0)
        awaited.sign.pause()
        awaited.sign.resume()
        await trio.sleep_until(500)
        assert not awaited.deaths
        awaited.sign.resume()
        assert await awaited.ends_at() == 530

    async def test_meanwhile_nothing_starts_it(self, awaited, autojump_clock):
        awaited.sign.pause()
        awaited.sign.expect(0)
        awaited.sign.renew()
        await trio.sleep_until(500)
        assert not awaited.deaths
        assert awaited.sign.clear()

    async def test_what_came_meanwhile_is_expected_no_more(self, awaited, autojump_clock):
        awaited.sign.expect(0)
        awaited.sign.pause()
        awaited.sign.clear()
        awaited.sign.resume()
        await trio.sleep_until(1000)
        assert not awaited.deaths


class TestOwnStall:
    """A process that stood still does not take it out on the client."""

    async def test_what_has_come_may_still_be_read(self, awaited, autojump_clock, stall):
        awaited.sign.expect(0)
        await stall(60)
        assert awaited.sign.clear()
        await trio.sleep_until(1000)
        assert not awaited.deaths

    async def test_else_it_ends_a_second_later(self, awaited, autojump_clock, stall):
        awaited.sign.expect(0)
        await stall(60)
        assert await awaited.ends_at() == 61

    async def test_once_a_sign(self, awaited, autojump_clock, stall):
        awaited.sign.expect(0)
        await stall(60)
        await stall(70)
        assert awaited.deaths == [70]

    async def test_its_full_time_again_is_no_new_sign(self, awaited, autojump_clock, stall):
        awaited.sign.expect(0)
        await stall(60)
        awaited.sign.pause()
        awaited.sign.resume()
        await stall(100)
        assert awaited.deaths == [100]

    async def test_once_more_for_the_next(self, awaited, autojump_clock, stall):
        awaited.sign.expect(0)
        await stall(60)
        awaited.sign.expect(60)
        await stall(100)
        assert await awaited.ends_at() == 101

    async def test_paused_while_it_is_put_off(self, awaited, autojump_clock, stall):
        awaited.sign.expect(0)
        await stall(60)
        awaited.sign.pause()
        await trio.sleep_until(500)
        assert not awaited.deaths
        awaited.sign.resume()
        assert await awaited.ends_at() == 530

    @pytest.mark.parametrize(("timeout", "late", "grace"), [(20, 0.5, 1), (1, 0.5, 1), (0.5, 0.25, 0.5)])
    async def test_what_is_late_and_for_how_long(self, clock, autojump_clock, stall, timeout, late, grace):
        for by, expected in ((late - TICK, 0), (late + TICK, grace)):
            awaited = Awaited(clock, timeout)
            awaited.sign.expect(began := trio.current_time())
            await settle()
            await stall(at := began + 30 + by)
            await trio.sleep(100)
            assert awaited.deaths == pytest.approx([at + expected], abs=1e-6)
