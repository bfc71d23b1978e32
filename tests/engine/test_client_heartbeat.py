"""The pings of Engine.IO 3 clients, to the tick, in virtual time: every 25 s, and 20 s more."""

from __future__ import annotations

import math

import pytest
import trio

from tests.support.client import open_stream, poll, post, settle
from tests.support.engine import message, recorder, running_engine
from tests.support.engine3 import WEBSOCKET_3, open_polling_3
from trio_socketio import CloseReason, EngineConfig, Limits
from trio_socketio._engine.client_heartbeat import ClientHeartbeat
from trio_socketio._engine.clock import Clock
from trio_socketio._engine.heartbeat import Beats, Heartbeat
from trio_socketio._engine.timers import Timers
from trio_socketio._wire.engine_packet import PacketType

TICK = 0.001
OLD = EngineConfig(allow_eio3=True)


class Beat:
    """A heartbeat, and what it did, and when."""

    def __init__(self, clock: Clock, timeout: float = 20) -> None:
        self.timers = Timers(clock, pytest.fail)
        self.answers: list[float] = []
        self.deaths: list[float] = []
        self.heartbeat = ClientHeartbeat(
            self.timers,
            interval=25,
            timeout=timeout,
            answer=lambda: self.answers.append(trio.current_time()),
            dead=lambda: self.deaths.append(trio.current_time()),
        )


@pytest.fixture
async def beat(autojump_clock, nursery):
    clock = Clock()
    nursery.start_soon(clock.run)
    beat = Beat(clock)
    beat.heartbeat.start()
    return beat


async def ends_at(beat: Beat) -> float:
    await trio.sleep_until(10_000)
    (death,) = beat.deaths
    return death


def test_which_packet_is_whose():
    assert ClientHeartbeat.beat_of is PacketType.PING
    assert Heartbeat.beat_of is PacketType.PONG


class TestSchedule:
    async def test_death_at_45_if_no_ping_comes(self, beat, autojump_clock):
        assert await ends_at(beat) == 45
        assert not beat.answers

    async def test_a_ping_at_the_last_moment_is_answered_at_once(self, beat, autojump_clock):
        await trio.sleep_until(45 - TICK)
        beat.heartbeat.beat()
        assert beat.answers == [45 - TICK]
        assert await ends_at(beat) == pytest.approx(90 - TICK)

    async def test_each_ping_is_answered_and_counts(self, beat, autojump_clock):
        for second in (0, 1, 40, 80, 80):
            await trio.sleep_until(second)
            beat.heartbeat.beat()
        assert beat.answers == [0, 1, 40, 80, 80]
        assert await ends_at(beat) == 125

    async def test_other_packets_change_nothing(self, beat, autojump_clock):
        assert not beat.heartbeat.awaits_sign
        await trio.sleep_until(44)
        beat.heartbeat.activity()
        assert await ends_at(beat) == 45

    async def test_an_upgrade_gives_the_whole_time_again(self, beat, autojump_clock):
        await trio.sleep_until(44)
        beat.heartbeat.sign.renew()
        assert await ends_at(beat) == 89

    async def test_stopped(self, beat, autojump_clock):
        await trio.sleep_until(44)
        beat.heartbeat.stop()
        beat.heartbeat.stop()
        beat.heartbeat.sign.renew()
        beat.heartbeat.sign.pause()
        beat.heartbeat.sign.resume()
        await trio.sleep_until(1000)
        assert (beat.answers, beat.deaths) == ([], [])


class TestPause:
    async def test_the_clock_stands_still(self, beat, autojump_clock):
        await trio.sleep_until(30)
        beat.heartbeat.sign.pause()
        beat.heartbeat.sign.pause()
        await trio.sleep_until(500)
        beat.heartbeat.sign.resume()
        await trio.sleep_until(600)
        assert not beat.deaths
        beat.heartbeat.sign.resume()
        assert await ends_at(beat) == 645

    async def test_a_ping_meanwhile_is_answered_and_starts_no_clock(self, beat, autojump_clock):
        beat.heartbeat.sign.pause()
        beat.heartbeat.beat()
        await trio.sleep_until(500)
        assert (beat.answers, beat.deaths) == ([0], [])
        beat.heartbeat.sign.resume()
        assert await ends_at(beat) == 545


class TestOwnStall:
    """A process that stood still does not take it out on its clients."""

    @pytest.fixture
    async def stall(self, autojump_clock):
        async def stall(until):
            autojump_clock.autojump_threshold = math.inf
            autojump_clock.jump(until - trio.current_time())

        yield stall
        autojump_clock.autojump_threshold = 0

    async def test_the_ping_may_still_be_read(self, beat, autojump_clock, stall):
        await trio.sleep_until(30)
        await stall(60)
        await settle()
        assert not beat.deaths
        autojump_clock.autojump_threshold = 0
        await trio.sleep_until(60.5)
        beat.heartbeat.beat()
        assert await ends_at(beat) == 105.5

    async def test_without_a_ping_it_ends_a_second_later(self, beat, autojump_clock, stall):
        await trio.sleep_until(30)
        await stall(60)
        await settle()
        autojump_clock.autojump_threshold = 0
        assert await ends_at(beat) == 61

    async def test_twice_over_the_time_of_one_ping(self, beat, autojump_clock, stall):
        await trio.sleep_until(30)
        for until in (60, 70):
            await stall(until)
            await settle()
        assert beat.deaths == [70]

    @pytest.mark.parametrize(("timeout", "late"), [(20, 0.5), (0.5, 0.25)])
    async def test_from_when_on_it_is_one(self, nursery, autojump_clock, stall, timeout, late):
        clock = Clock()
        nursery.start_soon(clock.run)
        for offset, deaths in ((late, 1), (late + TICK, 0)):
            beat = Beat(clock, timeout)
            beat.heartbeat.start()
            await settle()
            await stall(trio.current_time() + 25 + timeout + offset)
            await settle()
            assert len(beat.deaths) == deaths
            beat.timers.end()
            autojump_clock.autojump_threshold = 0


def test_both_have_what_a_session_needs(autojump_clock):
    def beats(heartbeat: Beats) -> None:
        for name in ("beat_of", "sign", "awaits_sign", "start", "stop", "beat", "activity"):
            assert hasattr(heartbeat, name)

    timers = Timers(Clock(), pytest.fail)
    beats(ClientHeartbeat(timers, interval=1, timeout=1, answer=print, dead=print))
    beats(Heartbeat(timers, interval=1, timeout=1, ping=print, dead=print))


class TestSessions:
    async def test_on_a_websocket(self, autojump_clock):
        async with running_engine(OLD) as engine, open_stream(engine, WEBSOCKET_3) as client:
            await client.get()
            (session,) = engine.sessions.values()
            for second in (25, 50, 75):
                await trio.sleep_until(second)
                client.put_nowait("2")
                assert (await client.get(), trio.current_time()) == ("3", second)
            assert await client.get_close() == []
            assert (trio.current_time(), session.close_reason) == (120, CloseReason.PING_TIMEOUT)

    async def test_on_long_polling(self, autojump_clock):
        async with running_engine(OLD) as engine:
            query, session = await open_polling_3(engine)
            await trio.sleep_until(45 - TICK)
            assert (await post(engine, query, b"1:2")).status == 200
            assert (await poll(engine, query)).body == b"1:3"
            await trio.sleep_until(90)
            # Also when nobody had the time to say so: the deadline is looked at when a request comes.
            assert (await post(engine, query, b"1:2")).status == 400
            assert session.close_reason is CloseReason.PING_TIMEOUT

    async def test_a_pong_is_against_the_protocol(self, autojump_clock):
        async with running_engine(OLD) as engine:
            async with open_stream(engine, WEBSOCKET_3) as client:
                await client.get()
                (session,) = engine.sessions.values()
                await client.put("3")
                assert await client.get_close() == []
                assert session.close_reason is CloseReason.TRANSPORT_ERROR
            query, session = await open_polling_3(engine)
            assert (await post(engine, query, b"1:3")).status == 400
            assert session.close_reason is CloseReason.TRANSPORT_ERROR

    async def test_a_slow_handler_stops_the_clock(self, autojump_clock):
        async with running_engine(OLD) as engine, open_stream(engine, WEBSOCKET_3) as client:
            await client.get()
            (session,) = engine.sessions.values()
            recorder(session).busy = trio.Event()
            client.put_nowait("4slow", "2")
            await trio.sleep_until(1000)
            assert session.close_reason is None
            recorder(session).busy.set()
            assert (await client.get(), trio.current_time()) == ("3", 1000)

    async def test_an_upgrade_gives_the_whole_time_again(self, autojump_clock):
        async with running_engine(OLD) as engine:
            query, session = await open_polling_3(engine)
            await trio.sleep_until(44)
            async with open_stream(engine, query.replace("polling", "websocket")) as client:
                await client.put("2probe", "5")
                assert await client.get() == "3probe"
                assert await client.get_close() == []
                assert (trio.current_time(), session.close_reason) == (89, CloseReason.PING_TIMEOUT)

    async def test_a_closing_session_answers_no_more(self, autojump_clock):
        async with running_engine(OLD) as engine:
            query, session = await open_polling_3(engine)
            session.send([message("last")])
            session.close_gracefully(CloseReason.FORCED_CLOSE)
            assert (await post(engine, query, b"1:2")).status == 200
            assert (await poll(engine, query)).body == b"5:4last"


class TestPingsWithoutEnd:
    """The client decides how often it pings: what it does not read must not pile up."""

    async def test_one_answer_waits_for_all_of_them(self, autojump_clock):
        async with running_engine(OLD) as engine:
            query, session = await open_polling_3(engine)
            for _ in range(20):
                assert (await post(engine, query, b"1:2" * 1000)).status == 200
            assert len(session.outbox) == 1
            session.send([message("a")])
            assert (await post(engine, query, b"1:21:2")).status == 200
            # Behind the message: the first answer may be older than what is asked now.
            assert (await poll(engine, query)).body == b"1:32:4a1:3"

    async def test_it_waits_behind_a_full_queue_too(self, autojump_clock):
        async with running_engine(OLD, Limits(send_queue_packets=2)) as engine:
            query, session = await open_polling_3(engine)
            session.send([message("a"), message("b")])
            for _ in range(20):
                assert (await post(engine, query, b"1:2" * 1000)).status == 200
            with pytest.raises(trio.WouldBlock):
                session.send([message("c")])
            assert len(session.outbox) == 3
            assert (await poll(engine, query)).body == b"2:4a2:4b1:3"
