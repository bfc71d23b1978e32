"""Pings and their answers, to the tick, in virtual time: 25 s, and 20 s more."""

from __future__ import annotations

import math

import pytest
import trio

from tests.support.client import open_polling, open_stream, poll, post, settle
from tests.support.engine import POLLING, ask, message, recorder, running_engine
from trio_socketio import CloseReason
from trio_socketio._engine.clock import Clock
from trio_socketio._engine.heartbeat import Heartbeat
from trio_socketio._engine.timers import Timers

TICK = 0.001


class Beat:
    """A heartbeat, and what it did, and when."""

    def __init__(self, clock: Clock, timeout: float = 20) -> None:
        self.timers = Timers(clock, pytest.fail)
        self.pings: list[float] = []
        self.deaths: list[float] = []
        self.heartbeat = Heartbeat(
            self.timers,
            interval=25,
            timeout=timeout,
            ping=lambda: self.pings.append(trio.current_time()),
            dead=lambda: self.deaths.append(trio.current_time()),
        )


@pytest.fixture
async def beat(autojump_clock, nursery):
    clock = Clock()
    nursery.start_soon(clock.run)
    beat = Beat(clock)
    beat.heartbeat.start()
    return beat


class TestSchedule:
    async def test_a_ping_at_25_and_death_at_45(self, beat, autojump_clock):
        await trio.sleep_until(1000)
        assert (beat.pings, beat.deaths) == ([25], [45])

    async def test_a_pong_at_the_last_moment_survives(self, beat, autojump_clock):
        await trio.sleep_until(45 - TICK)
        beat.heartbeat.beat()
        await trio.sleep_until(1000)
        assert beat.pings == [25, 70 - TICK]
        assert beat.deaths == [pytest.approx(90 - TICK)]

    async def test_the_interval_counts_from_the_pong(self, beat, autojump_clock):
        for _ in range(3):
            await trio.sleep_until(beat.heartbeat._due + 5)
            beat.heartbeat.beat()
        await trio.sleep_until(100)
        assert beat.pings == [25, 55, 85]
        assert not beat.deaths

    async def test_unsolicited_pongs_change_nothing(self, beat, autojump_clock):
        for second in range(1, 25):
            await trio.sleep_until(second)
            beat.heartbeat.beat()
        assert await ends_at(beat) == 45

    async def test_a_second_pong_to_one_ping_changes_nothing(self, beat, autojump_clock):
        await trio.sleep_until(30)
        beat.heartbeat.beat()
        await trio.sleep_until(40)
        beat.heartbeat.beat()
        await trio.sleep_until(1000)
        assert (beat.pings, beat.deaths) == ([25, 55], [75])

    async def test_stopped(self, beat, autojump_clock):
        await trio.sleep_until(24)
        beat.heartbeat.stop()
        await trio.sleep_until(30)
        beat.heartbeat.stop()
        beat.heartbeat.beat()
        beat.heartbeat.activity()
        beat.heartbeat.sign.pause()
        beat.heartbeat.sign.resume()
        await trio.sleep_until(1000)
        assert (beat.pings, beat.deaths) == ([], [])

    async def test_stopped_while_a_pong_is_due(self, beat, autojump_clock):
        await trio.sleep_until(30)
        beat.heartbeat.stop()
        await trio.sleep_until(1000)
        assert (beat.pings, beat.deaths) == ([25], [])


async def ends_at(beat: Beat) -> float:
    await trio.sleep_until(10_000)
    (death,) = beat.deaths
    return death


class TestExtension:
    async def test_another_packet_extends_the_timeout(self, beat, autojump_clock):
        await trio.sleep_until(40)
        beat.heartbeat.activity()
        assert await ends_at(beat) == 60

    async def test_only_once_a_ping(self, beat, autojump_clock):
        for second in (30, 40, 45, 49):
            await trio.sleep_until(second)
            beat.heartbeat.activity()
        assert await ends_at(beat) == 50

    async def test_before_the_ping_it_changes_nothing(self, beat, autojump_clock):
        for second in (5, 24.999):
            await trio.sleep_until(second)
            beat.heartbeat.activity()
        # And the extension isn't used up by it.
        await trio.sleep_until(44)
        beat.heartbeat.activity()
        assert await ends_at(beat) == 64

    async def test_once_more_for_the_next_ping(self, beat, autojump_clock):
        await trio.sleep_until(30)
        beat.heartbeat.activity()
        await trio.sleep_until(49)
        beat.heartbeat.beat()
        await trio.sleep_until(80)
        beat.heartbeat.activity()
        await trio.sleep_until(90)
        beat.heartbeat.activity()
        assert beat.pings == [25, 74]
        assert await ends_at(beat) == 100


class TestPause:
    """The clock stands still while we are the ones who don't read."""

    async def test_while_a_pong_is_due(self, beat, autojump_clock):
        await trio.sleep_until(30)
        beat.heartbeat.sign.pause()
        await trio.sleep_until(500)
        assert not beat.deaths
        beat.heartbeat.sign.resume()
        assert await ends_at(beat) == 520

    async def test_pings_are_still_sent(self, beat, autojump_clock):
        await trio.sleep_until(10)
        beat.heartbeat.sign.pause()
        await trio.sleep_until(500)
        assert (beat.pings, beat.deaths) == ([25], [])
        beat.heartbeat.sign.resume()
        assert await ends_at(beat) == 520

    async def test_that_ends_before_the_ping(self, beat, autojump_clock):
        await trio.sleep_until(5)
        beat.heartbeat.sign.pause()
        await trio.sleep_until(15)
        beat.heartbeat.sign.resume()
        assert await ends_at(beat) == 45
        assert beat.pings == [25]

    async def test_nested(self, beat, autojump_clock):
        await trio.sleep_until(30)
        beat.heartbeat.sign.pause()
        beat.heartbeat.sign.pause()
        await trio.sleep_until(100)
        beat.heartbeat.sign.resume()
        await trio.sleep_until(200)
        assert not beat.deaths
        beat.heartbeat.sign.resume()
        assert await ends_at(beat) == 220

    async def test_a_pong_meanwhile(self, beat, autojump_clock):
        beat.heartbeat.sign.pause()
        await trio.sleep_until(30)
        beat.heartbeat.beat()
        await trio.sleep_until(60)
        assert beat.pings == [25, 55]
        beat.heartbeat.sign.resume()
        assert await ends_at(beat) == 80

    async def test_activity_meanwhile_does_not_start_the_clock(self, beat, autojump_clock):
        beat.heartbeat.sign.pause()
        await trio.sleep_until(30)
        beat.heartbeat.activity()
        beat.heartbeat.sign.renew()
        await trio.sleep_until(500)
        assert not beat.deaths

    async def test_after_it_a_pong_at_the_last_moment_survives(self, beat, autojump_clock):
        await trio.sleep_until(30)
        beat.heartbeat.sign.pause()
        await trio.sleep_until(100)
        beat.heartbeat.sign.resume()
        await trio.sleep_until(120 - TICK)
        beat.heartbeat.beat()
        await trio.sleep_until(121)
        assert not beat.deaths


class TestOwnStall:
    """A process that stood still does not take it out on its clients."""

    async def test_over_the_time_of_the_ping(self, beat, autojump_clock):
        await settle()
        autojump_clock.autojump_threshold = math.inf
        autojump_clock.jump(100)
        await settle()
        assert (beat.pings, beat.deaths) == ([100], [])
        autojump_clock.autojump_threshold = 0
        assert await ends_at(beat) == 120

    async def test_a_short_one_moves_no_deadline(self, beat, autojump_clock):
        await settle()
        autojump_clock.autojump_threshold = math.inf
        autojump_clock.jump(26)
        await settle()
        autojump_clock.autojump_threshold = 0
        assert await ends_at(beat) == 45
        assert beat.pings == [26]

    @pytest.fixture
    async def stall(self, autojump_clock):
        """Stand still until a time: nothing has had a turn when it comes."""

        async def stall(until):
            autojump_clock.autojump_threshold = math.inf
            autojump_clock.jump(until - trio.current_time())

        yield stall
        autojump_clock.autojump_threshold = 0

    async def test_over_the_time_of_the_pong_it_may_still_be_read(self, beat, autojump_clock, stall):
        await trio.sleep_until(30)
        await stall(60)
        await settle()
        assert not beat.deaths
        autojump_clock.autojump_threshold = 0
        await trio.sleep_until(60.5)
        beat.heartbeat.beat()
        await trio.sleep_until(86)
        assert (beat.pings, beat.deaths) == ([25, 85.5], [])

    async def test_without_a_pong_it_ends_a_second_later(self, beat, autojump_clock, stall):
        await trio.sleep_until(30)
        await stall(60)
        await settle()
        autojump_clock.autojump_threshold = 0
        assert await ends_at(beat) == 61

    async def test_twice_over_the_time_of_one_pong(self, beat, autojump_clock, stall):
        await trio.sleep_until(30)
        for until in (60, 70):
            await stall(until)
            await settle()
        assert beat.deaths == [70]

    async def test_once_more_for_the_next_pong(self, beat, autojump_clock, stall):
        await trio.sleep_until(30)
        await stall(60)
        await settle()
        beat.heartbeat.beat()
        autojump_clock.autojump_threshold = 0
        await trio.sleep_until(90)
        await stall(120)
        await settle()
        assert not beat.deaths
        autojump_clock.autojump_threshold = 0
        assert await ends_at(beat) == 121

    async def test_found_by_a_request(self, beat, autojump_clock, stall):
        await trio.sleep_until(30)
        await stall(60)
        beat.timers.fire_due()
        assert not beat.deaths
        beat.heartbeat.beat()
        await settle()
        autojump_clock.autojump_threshold = 0
        await trio.sleep_until(84)
        assert not beat.deaths

    async def test_a_pong_that_the_kernel_has_already(self, autojump_clock, stall):
        async with running_engine() as engine, open_stream(engine) as client:
            await client.get()
            (session,) = engine.sessions.values()
            assert await client.get() == "2"
            await stall(60)
            await client.put("3")
            await settle()
            assert session.close_reason is None
            autojump_clock.autojump_threshold = 0
            assert (await client.get(), trio.current_time()) == ("2", 85)

    @pytest.mark.parametrize(("timeout", "late", "grace"), [(20, 0.5, 1), (2, 0.5, 1), (0.5, 0.25, 0.5)])
    async def test_from_when_on_it_is_one(self, nursery, autojump_clock, stall, timeout, late, grace):
        clock = Clock()
        nursery.start_soon(clock.run)
        for by, expected in ((late - TICK, 0), (late + TICK, grace)):
            beat = Beat(clock, timeout)
            beat.heartbeat.start()
            await trio.sleep(25 + timeout / 2)
            await stall(at := beat.pings[0] + timeout + by)
            await settle()
            autojump_clock.autojump_threshold = 0
            await trio.sleep(100)
            assert beat.deaths == pytest.approx([at + expected], abs=1e-6)


class TestOfASession:
    async def test_on_polling(self, autojump_clock, nursery):
        async with running_engine() as engine:
            query, session = await open_polling(engine)
            first = await ask(nursery, engine, "GET", query)
            await trio.sleep_until(25)
            await settle()
            assert (first.result, first.at) == ((200, b"2"), 25)
            second = await ask(nursery, engine, "GET", query)
            await trio.sleep_until(100)
            assert (second.result, second.at) == ((200, b"1"), 45)
            assert (recorder(session).reasons, recorder(session).closed_at) == ([CloseReason.PING_TIMEOUT], 45)

    async def test_on_polling_without_a_single_poll(self, autojump_clock):
        async with running_engine() as engine:
            _, session = await open_polling(engine)
            await trio.sleep_until(100)
            assert (recorder(session).reasons, recorder(session).closed_at) == ([CloseReason.PING_TIMEOUT], 45)

    async def test_on_a_websocket(self, autojump_clock):
        async with running_engine() as engine, open_stream(engine) as client:
            await client.get()
            (session,) = engine.sessions.values()
            assert (await client.get(), trio.current_time()) == ("2", 25)
            await trio.sleep_until(45 - TICK)
            await client.put("3")
            assert (await client.get(), trio.current_time()) == ("2", 70 - TICK)
            assert await client.get_close() == []
            assert recorder(session).reasons == [CloseReason.PING_TIMEOUT]
            assert recorder(session).closed_at == pytest.approx(90 - TICK)

    @pytest.mark.parametrize("at", [45 - TICK, 45])
    async def test_a_pong_by_post(self, autojump_clock, at):
        async with running_engine() as engine:
            query, session = await open_polling(engine)
            await trio.sleep_until(at)
            response = await post(engine, query, b"3")
            assert (response.status, session.close_reason) == (
                (200, None) if at < 45 else (400, CloseReason.PING_TIMEOUT)
            )

    @pytest.mark.parametrize("packet", [b"4text", b"bAAEC"])
    async def test_a_message_extends_it_once(self, autojump_clock, packet):
        async with running_engine() as engine:
            query, session = await open_polling(engine)
            for second in (40, 59):
                await trio.sleep_until(second)
                assert (await post(engine, query, packet)).status == 200
            await trio.sleep_until(1000)
            assert recorder(session).closed_at == 60

    async def test_unsolicited_pongs(self, autojump_clock):
        async with running_engine() as engine, open_stream(engine) as client:
            await client.get()
            (session,) = engine.sessions.values()
            await client.put(*["3"] * 1000)
            await trio.sleep_until(24)
            await client.put(*["3"] * 1000)
            assert (await client.get_close(), recorder(session).closed_at) == (["2"], 45)

    async def test_a_dead_session_is_refused_also_before_its_timer_ran(self, autojump_clock):
        async with running_engine() as engine:
            for method, body in (("GET", b""), ("POST", b"3")):
                query, session = await open_polling(engine)
                await trio.sleep(25)
                await settle()
                autojump_clock.autojump_threshold = math.inf
                autojump_clock.jump(20)
                response = await (poll(engine, query) if method == "GET" else post(engine, query, body))
                assert response.status == 400
                assert b"Session ID unknown" in response.body
                assert session.close_reason is CloseReason.PING_TIMEOUT
                autojump_clock.autojump_threshold = 0

    async def test_a_slow_handler_never_looks_like_a_ping_timeout(self, autojump_clock):
        async with running_engine() as engine, open_stream(engine) as client:
            await client.get()
            (session,) = engine.sessions.values()
            handler = recorder(session)
            handler.busy = trio.Event()
            # The pong stands behind a message that is not taken, and the one behind it is not even read.
            await client.put("4one", "4two")
            assert (await client.get(), trio.current_time()) == ("2", 25)
            await client.put("3")
            await trio.sleep_until(500)
            assert session.close_reason is None
            assert handler.messages == ["one"]
            handler.busy.set()
            await settle()
            assert handler.messages == ["one", "two"]
            # The pong was read now: an interval later comes the next ping, and this time nobody answers.
            assert (await client.get(), trio.current_time()) == ("2", 525)
            await client.get_close()
            assert (handler.reasons, handler.closed_at) == ([CloseReason.PING_TIMEOUT], 545)

    async def test_a_ping_that_falls_due_during_the_upgrade(self, autojump_clock):
        async with running_engine() as engine:
            query, session = await open_polling(engine)
            await trio.sleep_until(24)
            async with open_stream(engine, query.replace("polling", "websocket")) as client:
                await client.put("2probe")
                assert await client.get() == "3probe"
                # The client has paused its polling: the ping waits for the WebSocket, where it must be answered.
                await trio.sleep_until(30)
                assert client.get_waiting() == []
                await client.put("5")
                assert await client.get() == "2"
                await trio.sleep_until(50 - TICK)
                assert session.close_reason is None
                await client.put("3")
                assert (await client.get(), trio.current_time()) == ("2", 75 - TICK)

    async def test_a_pong_that_is_due_has_its_full_time_after_the_upgrade(self, autojump_clock, nursery):
        async with running_engine() as engine:
            query, session = await open_polling(engine)
            await ask(nursery, engine, "GET", query)
            await trio.sleep_until(40)
            async with open_stream(engine, query.replace("polling", "websocket")) as client:
                await client.put("5")
                await client.get_close()
                assert (recorder(session).reasons, recorder(session).closed_at) == ([CloseReason.PING_TIMEOUT], 60)

    async def test_a_probe_that_is_given_up_moves_no_deadline(self, autojump_clock):
        async with running_engine() as engine:
            query, session = await open_polling(engine)
            await trio.sleep_until(40)
            async with open_stream(engine, query.replace("polling", "websocket")) as client:
                await client.put("2probe")
            await trio.sleep_until(100)
            assert recorder(session).closed_at == 45

    async def test_a_ping_gets_past_a_full_queue(self, autojump_clock, nursery):
        async with running_engine() as engine:
            query, session = await open_polling(engine)
            while session.outbox.offer([message("x" * 100_000)]):
                pass
            await trio.sleep_until(26)
            answer = await poll(engine, query)
            assert answer.body.endswith(b"\x1e2")
            assert len(answer.body) > 1_000_000

    async def test_closing_ends_it(self, autojump_clock):
        async with running_engine() as engine:
            query, _ = await open_polling(engine)
            await post(engine, query, b"1")
            await trio.sleep_until(1000)
            assert (await poll(engine, f"{POLLING}&sid=unknown")).status == 400
