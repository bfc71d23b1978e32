"""A drain of many sessions: batches of random order, spread over a bounded time."""

from __future__ import annotations

import math
import random

import pytest
import trio

from tests.support.client import open_polling, poll, settle
from tests.support.engine import POLLING, message, recorder, running_engine
from trio_socketio import CloseReason
from trio_socketio._engine.registry import DRAIN_PAUSE


@pytest.fixture
def batches_of_three(monkeypatch):
    monkeypatch.setattr("trio_socketio._engine.registry.DRAIN_BATCH", 3)


async def drained(engine, count: int, spread: float) -> list[float]:
    """Drain so many clients that wait for nothing; return when each was closed, from the beginning."""
    sessions = [(await open_polling(engine))[1] for _ in range(count)]
    began = trio.current_time()
    await engine.drain(spread)
    return [recorder(session).closed_at - began for session in sessions]


@pytest.mark.parametrize(("count", "spread"), [(1, 5), (3, 5), (30, 0)])
async def test_no_pause(engine, autojump_clock, batches_of_three, count, spread):
    assert set(await drained(engine, count, spread)) == {0}


async def test_the_spread_grows_with_the_sessions(engine, autojump_clock, batches_of_three):
    times = sorted(await drained(engine, 11, 5))
    assert [times.count(at) for at in sorted(set(times))] == [3, 3, 3, 2]
    slots = [math.ceil(at / DRAIN_PAUSE) for at in times[::3]]
    assert slots == [0, 1, 2, 3], "each in a slice of its own"


@pytest.mark.parametrize("spread", [0.1, 2, 5])
async def test_its_bound(engine, autojump_clock, batches_of_three, spread):
    times = await drained(engine, 300, spread)
    assert spread * 0.97 < max(times) <= spread
    assert len(set(times)) == 100


async def test_order_and_pauses_are_random(autojump_clock, batches_of_three):
    runs = []
    for seed in (1, 1, 2):
        async with running_engine() as engine:
            engine._registry.random = random.Random(seed)
            runs.append(await drained(engine, 12, 5))
    assert runs[0] == pytest.approx(runs[1])
    assert runs[0] != pytest.approx(runs[2])
    assert runs[0] != sorted(runs[0])


async def test_who_ends_meanwhile_is_passed_over(engine, autojump_clock, batches_of_three):
    sessions = [(await open_polling(engine))[1] for _ in range(12)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.drain, 5)
        await settle()
        left = [session for session in sessions if session.close_reason is None]
        assert len(left) == 9
        left[0].close(CloseReason.TRANSPORT_CLOSE)
        assert left[1].send([message("a")]) is None, "who has not been told yet goes on"
        assert (await poll(engine, f"{POLLING}&sid={left[1].sid}")).body == b"4a"
        assert not engine._registry.takes_new
    assert recorder(left[0]).reasons == [CloseReason.TRANSPORT_CLOSE]
    assert {recorder(session).reasons[0] for session in left[1:]} == {CloseReason.SERVER_SHUTTING_DOWN}


async def test_cancelled_between_two_batches(autojump_clock, batches_of_three):
    async with running_engine() as engine:
        sessions = [(await open_polling(engine))[1] for _ in range(12)]
        with trio.move_on_after(0):
            await engine.drain(5)
        assert len(engine.sessions) in {9, 12}
        engine.end_sessions()
        assert {session.close_reason for session in sessions} == {CloseReason.SERVER_SHUTTING_DOWN}
        assert (await poll(engine, POLLING)).status == 503


async def test_a_spread_below_0(engine, autojump_clock):
    for spread in (-1, math.nan):
        with pytest.raises(ValueError, match="0 for all at once"):
            await engine.drain(spread)
    assert engine._registry.takes_new
