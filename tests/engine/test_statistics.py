"""What a server counts: packets and bytes of every transport, refusals, and writes that wait."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import MemoryStream, open_polling, poll, post, request, settle
from tests.support.engine import POLLING, WEBSOCKET, an_engine, message, running_engine
from trio_socketio import CORS, ConnectionRefused, EngineConfig, Limits
from trio_socketio._engine.statistics import NO_PLACE, Counters


class TestWaitingWrites:
    async def test_the_oldest_one(self, autojump_clock):
        counters = Counters()
        assert counters.oldest_write is None
        counters.write_waits("a")
        await trio.sleep(1)
        counters.write_waits("b")
        await trio.sleep(1)
        assert counters.oldest_write == 2
        counters.write_waits("a")
        assert counters.oldest_write == 1
        counters.write_ends("b")
        counters.write_ends("b")
        assert counters.oldest_write == 0
        counters.write_ends("a")
        assert counters.oldest_write is None

    async def test_in_a_block(self, autojump_clock):
        counters = Counters()
        with pytest.raises(ValueError, match="out"), counters.waiting_write(), counters.waiting_write():
            await trio.sleep(3)
            assert counters.oldest_write == 3
            raise ValueError("out")
        assert counters.oldest_write is None

    async def test_of_a_client_that_does_not_read(self, nursery, autojump_clock):
        async with running_engine() as engine:
            stream = MemoryStream()
            stream.reading = trio.Event()
            nursery.start_soon(engine.carry, await engine.admit(request(WEBSOCKET)), stream)
            await trio.sleep(3)
            assert engine.counters.oldest_write == 3
            stream.reading.set()
            await settle()
            assert engine.counters.oldest_write is None
            stream.reading = trio.Event()
            (session,) = engine.sessions.values()
            session.send([message("a")])
            await trio.sleep(4)
            assert engine.counters.oldest_write == 4
            assert engine.counters.slow_consumers == 0
            await trio.sleep(10)
            assert engine.counters.slow_consumers == 1
            stream.reading.set()
            await settle()
            assert engine.counters.oldest_write is None
            stream.cut()


class TestTraffic:
    async def test_long_polling(self, engine, nursery, autojump_clock):
        counters = engine.counters
        query, session = await open_polling(engine)
        opened = counters.bytes_sent
        assert (counters.packets_sent, counters.packets_received) == (1, 0)
        assert opened > 50
        await post(engine, query, b"4a\x1e4bc\x1ebAAAA")
        assert (counters.packets_received, counters.bytes_received) == (3, 12)
        session.send([message("é"), message(b"x")])
        answer = await poll(engine, query)
        assert (counters.packets_sent, counters.bytes_sent) == (3, opened + len(answer.body))
        # What is refused was received by nobody.
        await post(engine, query, b"garbage")
        assert counters.packets_received == 3

    async def test_what_is_dropped_was_not_sent(self, engine, autojump_clock):
        _, session = await open_polling(engine)
        session.send([message("a")])
        await engine.drain()
        assert engine.counters.packets_sent == 1
        assert engine.counters.slow_consumers == 0


class TestRefused:
    @pytest.mark.parametrize(
        ("query", "counted"),
        [
            ("EIO=4&transport=carrier", "Transport unknown"),
            (f"{POLLING}&sid=nobody", "Session ID unknown"),
            ("EIO=3&transport=polling", "Unsupported protocol version"),
            ("EIO=5&transport=polling&sid=x", "Bad request"),
        ],
    )
    async def test_by_the_protocols_words(self, engine, autojump_clock, query, counted):
        await poll(engine, query)
        await engine.admit(request(query))
        assert engine.counters.refused == {counted: 2}

    async def test_methods(self, engine, autojump_clock):
        await post(engine, POLLING, b"4a")
        assert engine.counters.refused == {"Bad handshake method": 1}

    async def test_by_origin(self, autojump_clock):
        async with running_engine(EngineConfig(cors=CORS(origins=("https://a.example",)))) as engine:
            foreign = request(POLLING, headers={"origin": "https://b.example"})
            await engine.handle_http(foreign, None)
            await engine.admit(foreign)
            assert engine.counters.refused == {"Forbidden": 2}

    async def test_by_the_application(self, autojump_clock):
        async def allow_request(request):
            raise ConnectionRefused("my own words")

        async with running_engine(EngineConfig(allow_request=allow_request)) as engine:
            await poll(engine, POLLING)
            await engine.admit(request(WEBSOCKET))
            assert engine.counters.refused == {"Forbidden": 2}, "no client, and no application, can make up keys"

    async def test_no_place(self, autojump_clock):
        async with running_engine(limits=Limits(max_sessions=1)) as engine:
            admission = await engine.admit(request(WEBSOCKET))
            await open_polling(engine)
            await poll(engine, POLLING)
            await engine.admit(request(WEBSOCKET))
            await engine.carry(admission, MemoryStream())
            assert engine.counters.refused == {NO_PLACE: 3}


async def test_totals_outlive_a_run(autojump_clock):
    engine = an_engine()
    for _ in range(2):
        async with engine.running():
            await open_polling(engine)
    assert engine.counters.packets_sent == 2
