"""Who does not come back: bounds, time, reasons, the server's end, and who is told."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.application import errors_of, reasons_of
from tests.support.client import settle
from tests.support.returning import assert_nothing_left, clients_of, lose, recovering
from trio_socketio import CloseReason, Limits


@pytest.fixture(params=["restart", "keep"])
def handler(request):
    return request.param


class TestTooMuch:
    @pytest.mark.parametrize("settings", [{"max_packets": 3}, {"max_bytes": 100}])
    async def test_more_than_is_kept_gives_a_new_socket(self, handler, autojump_clock, settings):
        sio = recovering(handler=handler, **settings)
        expired = []

        @sio.on_expired
        async def gone(socket):
            expired.append(socket.id)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            await lose(client)
            for number in range(3):
                await sio.emit("x", number)
            await client.connect()
            assert client.recovered and len(client.events) == 3
            await lose(client)
            for _ in range(4):
                await sio.emit("x", "x" * 30)
            await client.connect()
            assert client.connected and not client.recovered and not client.events
            await settle()
            assert expired == [first]
            assert list(sio.rooms) == [client.sid]

    async def test_more_while_the_middlewares_are_asked(self, handler, autojump_clock):
        sio = recovering(handler=handler, max_packets=3)
        expired = []

        @sio.on_expired
        async def gone(socket):
            expired.append(socket.id)

        @sio.middleware
        async def slow(socket):
            await trio.sleep(socket.recovered)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            await lose(client)
            link = await client.open()
            await client.join()
            for number in range(4):
                await sio.emit("x", number)
            # Its connection is cut: then it comes back by itself, which it does not after an error.
            assert await link.get_close() == []
            await settle()
            assert expired == [first]
            await client.connect()
            assert client.connected and not client.recovered
            assert len(sio.rooms) == 1

    async def test_lost_sockets_are_counted_and_the_oldest_goes(self, handler, autojump_clock):
        sio = recovering(handler=handler, max_lost=3)
        expired = []

        @sio.on_expired
        async def gone(socket):
            expired.append(socket.id)

        async with clients_of(sio) as client_of:
            clients = [await client_of().connect() for _ in range(5)]
            for client in clients:
                await lose(client)
            assert expired == [client.sid for client in clients[:2]]
            assert len(sio._recovery) == 3
            for client in clients:
                await client.connect()
            assert [client.recovered for client in clients] == [False, False, True, True, True]

    async def test_one_that_comes_and_goes_in_a_loop_leaves_no_more_than_that(self, handler, autojump_clock):
        sio = recovering(handler=handler, max_lost=5)
        async with clients_of(sio) as client_of:
            for _ in range(50):
                await lose(await client_of().connect())
            assert len(sio._recovery) == 5
            assert len(sio.rooms) == 5
            assert not sio._recovery._connected
        assert_nothing_left(sio)

    async def test_claimed_ones_are_not_taken_for_lost(self, handler, autojump_clock):
        sio = recovering(handler=handler, max_lost=1)

        @sio.middleware
        async def slow(socket):
            await trio.sleep(5 * socket.recovered)

        async with clients_of(sio) as client_of:
            one, other = await client_of().connect(), await client_of().connect()
            await lose(one)
            await one.open()
            await one.join()
            await lose(other)
            await trio.sleep(6)
            one.read()
            assert one.recovered
            await other.open()
            await other.join()
            await trio.sleep(6)
            other.read()
            assert other.recovered


class TestExpiry:
    async def test_after_on_disconnect_and_with_rooms_and_data(self, handler, autojump_clock):
        sio = recovering(handler=handler, max_disconnection_duration=10)
        log = []

        @sio.on_connection
        async def member(socket):
            socket.join("room")
            socket.data["seat"] = 5

        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(1)
            log.append(("disconnect", reason, sorted(socket.rooms - {socket.id})))

        for name in ("first", "second"):

            @sio.on_expired
            async def expired(socket, name=name):
                await trio.sleep(1)
                log.append((name, socket.data["seat"], sorted(socket.rooms - {socket.id}), socket.connected))

        async with clients_of(sio) as client_of:
            await lose(await client_of().connect())
            await trio.sleep(20)
            ends = [("first", 5, ["room"], False), ("second", 5, ["room"], False)]
            assert log == [("disconnect", "transport close", ["room"]), *ends]
            assert_nothing_left(sio)

    @pytest.mark.parametrize("when", ["while on_disconnect runs", "afterwards"])
    async def test_rooms_are_there_whenever_it_is_given_up(self, handler, autojump_clock, when):
        sio = recovering(handler=handler)
        log = []

        @sio.on_connection
        async def member(socket):
            socket.join("room")

        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(3)
            log.append("disconnect")

        @sio.on_expired
        async def expired(socket):
            await trio.sleep(1)
            log.append(sorted(socket.rooms - {socket.id}))

        async with clients_of(sio) as client_of:
            await lose(await client_of().connect())
            await trio.sleep(1 if when == "while on_disconnect runs" else 10)
            sio.disconnect_sockets()
            await trio.sleep(10)
            assert log == ["disconnect", ["room"]]
            assert_nothing_left(sio)

    async def test_its_errors_are_contained_and_its_time_is_bounded(self, handler, autojump_clock, caplog):
        sio = recovering(handler=handler, limits=Limits(disconnect_timeout=3), max_disconnection_duration=10)
        errors, log = errors_of(sio), []

        @sio.on_disconnect
        async def hang(socket, reason):
            await trio.sleep_forever()

        @sio.on_expired
        async def broken(socket):
            raise ValueError("in on_expired")

        @sio.on_expired
        async def slow(socket):
            log.append("has its own time")
            await trio.sleep(2)
            log.append("had it")
            await trio.sleep_forever()

        async with clients_of(sio) as client_of:
            await lose(await client_of().connect())
            await trio.sleep(30)
            assert log == ["has its own time", "had it"]
            assert [(event, str(error)) for event, error in errors] == [("expired", "in on_expired")]
            assert_nothing_left(sio)
            client = await client_of().connect()
            assert client.connected

    async def test_not_for_one_that_never_was_lost_nor_for_one_that_is_back(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        expired = []

        @sio.on_expired
        async def gone(socket):
            expired.append(socket.id)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.connect()
            await client.say("41")
            await (await client_of().connect()).say("41")
            kicked = await client_of().connect()
            sio.sockets[kicked.sid].disconnect()
            await settle()
            assert not expired
            await lose(await client_of().connect())
        assert len(expired) == 1

    @pytest.mark.parametrize("cancelled", [False, True])
    async def test_at_the_servers_end(self, handler, autojump_clock, cancelled):
        sio = recovering(handler=handler)
        log, reasons = [], reasons_of(sio)

        @sio.on_connection
        async def member(socket):
            socket.join("room")

        @sio.on_expired
        async def gone(socket):
            await trio.sleep(1)
            log.append(("expired", sorted(socket.rooms - {socket.id})))

        with trio.CancelScope() as scope:
            async with clients_of(sio) as client_of:
                await lose(await client_of().connect())
                await client_of().connect()
                if cancelled:
                    scope.cancel()
        assert log == [("expired", ["room"])]
        assert sorted(reasons) == ["server shutting down", "transport close"]
        assert_nothing_left(sio)

    async def test_at_the_servers_end_while_claimed(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        log = []

        @sio.middleware
        async def slow(socket):
            if socket.recovered:
                await trio.sleep_forever()

        @sio.on_expired
        async def gone(socket):
            log.append("expired")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.open()
            await client.join()
        assert log == ["expired"]
        assert_nothing_left(sio)

    async def test_a_drain_takes_nobody_back_and_loses_nobody(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        reasons, expired = reasons_of(sio), []

        @sio.on_expired
        async def gone(socket):
            expired.append(socket.id)

        async with clients_of(sio) as client_of:
            lost = await client_of().connect()
            await lose(lost)
            client = await client_of().connect()
            await sio.emit("last", 1)
            await sio.drain(spread=0)
            assert client.read() == [["last", 1]]
            assert len(sio._recovery) == 1
        assert expired == [lost.sid]
        assert sorted(reasons) == ["server shutting down", "transport close"]
        assert_nothing_left(sio)


class TestWhatCountsAsLost:
    LOST = {
        CloseReason.TRANSPORT_CLOSE,
        CloseReason.TRANSPORT_ERROR,
        CloseReason.PARSE_ERROR,
        CloseReason.PING_TIMEOUT,
        CloseReason.FORCED_CLOSE,
        CloseReason.FORCED_SERVER_CLOSE,
        CloseReason.SLOW_CONSUMER,
    }

    @pytest.mark.parametrize("reason", list(CloseReason))
    async def test_by_reason(self, handler, autojump_clock, reason):
        sio = recovering(handler=handler)
        reasons = reasons_of(sio)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            (session,) = sio.engine.sessions.values()
            session.close(reason)
            await settle()
            assert reasons == ([reason] if handler == "restart" or reason not in self.LOST else [])
            await client.connect()
            assert (client.sid == first) == (reason in self.LOST)

    async def test_what_is_against_the_protocol(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await client.link.put("4nonsense")
            await client.connect()
            assert client.recovered
            await client.link.put("40")
            await client.connect()
            assert client.recovered, "a second CONNECT costs the connection"
            await lose(client)
            await client.open()
            client.link.put_nowait("40" + json.dumps({"pid": client.pid}), "41")
            await settle()
            client.read()
            await client.connect()
            assert client.connected

    async def test_a_handler_that_fails_in_its_clean_up_changes_nothing(self, autojump_clock, caplog):
        sio = recovering()
        errors = errors_of(sio)

        @sio.on_connection
        async def clumsy(socket):
            socket.nursery.start_soon(clumsy_task)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("in the clean-up")

        async def clumsy_task():
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("in the clean-up")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await sio.emit("x", 1)
            await client.connect()
            assert client.recovered and client.events == [["x", 1]]
            assert [str(error) for _, error in errors] == ["in the clean-up"] * 2

    async def test_a_handler_that_fails_ends_the_socket_for_good(self, handler, autojump_clock, caplog):
        sio = recovering(handler=handler)
        errors = errors_of(sio)

        @sio.on("x")
        async def handle(socket):
            socket.nursery.start_soon(broken)

        async def broken():
            raise ValueError("no")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await client.say('42["x"]')
            client.read()
            assert client.left and errors
            await client.connect()
            assert not client.recovered
