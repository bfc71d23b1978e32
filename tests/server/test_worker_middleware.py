"""The middlewares of a socket: their order, refusals, crashes, and clients that do not wait for them."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.application import CALM, errors_of, reasons_of, records_of, socket_of
from tests.support.client import connect, only_session, settle
from trio_socketio import ConnectionRefused, Limits, Server


class TestMiddleware:
    async def test_they_run_in_order_one_after_the_other_before_connect_is_answered(self, sio, autojump_clock):
        ran = []
        for name in ("first", "second", "third"):

            @sio.middleware
            async def step(socket, name=name):
                ran.append(name)
                await trio.sleep(1)
                ran.append(f"{name} done")

        @sio.on_connection
        async def connected(socket):
            ran.append("connection")

        async with connect(sio) as client:
            await client.put("40")
            assert (ran, client.get_waiting()) == (["first"], [])
            assert (await client.get()).startswith('40{"sid"')
            await settle()
            assert trio.current_time() == pytest.approx(3)
        assert ran == ["first", "first done", "second", "second done", "third", "third done", "connection"]

    @pytest.mark.parametrize(
        ("refusal", "answer"),
        [
            (ConnectionRefused(), {"message": "Forbidden"}),
            (ConnectionRefused("why"), {"message": "why"}),
            (ConnectionRefused("why", {"code": [1]}), {"message": "why", "data": {"code": [1]}}),
            (ConnectionRefused("why", 0), {"message": "why", "data": 0}),
            (ConnectionRefused("why", ""), {"message": "why", "data": ""}),
        ],
    )
    async def test_refusal_with_data(self, sio, autojump_clock, caplog, refusal, answer):
        errors, reasons, later = errors_of(sio), reasons_of(sio), []

        @sio.middleware
        async def refuse(socket):
            raise refusal

        @sio.middleware
        async def never(socket):
            later.append(socket)

        sio.on_connection(never)
        async with connect(sio) as client:
            await client.put("40")
            frame = await client.get()
            assert frame.startswith("44")
            assert json.loads(frame[2:]) == answer
            await client.put("40")
            assert await client.get() == frame, "it may try again"
            assert only_session(sio.engine).close_reason is None
        assert not errors and not reasons and not later
        assert not records_of(caplog), "a refusal is no error"

    async def test_a_crash_tells_the_client_nothing_and_the_log_all(self, sio, autojump_clock, caplog):
        errors, reasons = errors_of(sio), reasons_of(sio)
        crash = ValueError("inner secret")

        @sio.middleware
        async def break_down(socket):
            raise crash

        async with connect(sio) as client:
            await client.put("40")
            assert await client.get() == '44{"message":"Internal server error"}'
            assert not sio.sockets
        assert errors == [("middleware", crash)]
        assert records_of(caplog) == [("trio_socketio.socket", ValueError)]
        assert not reasons, "who never was connected is not disconnected"

    async def test_data_that_cannot_be_sent_is_a_crash_of_the_middleware(self, sio, autojump_clock, caplog):
        # The client must get some answer, whatever the application gave as data.
        errors = errors_of(sio)

        @sio.middleware
        async def refuse(socket):
            raise ConnectionRefused("no", object())

        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put("40")
            frames = client.get_waiting()
            assert frames == ['44{"message":"Internal server error"}']
            assert session.close_reason is None
        assert [(event, type(error)) for event, error in errors] == [("middleware", TypeError)]
        assert records_of(caplog) == [("trio_socketio.socket", TypeError)]

    @pytest.mark.parametrize("ending", ["crash", "refuse", "pass"])
    async def test_the_client_is_gone_meanwhile(self, sio, autojump_clock, caplog, ending):
        ran, reasons, errors = [], reasons_of(sio), errors_of(sio)
        crash = ValueError("in the cleanup")

        @sio.middleware
        async def late(socket):
            try:
                await trio.sleep(5)
            except trio.Cancelled:
                ran.append((socket.connected, socket.disconnect_reason))
                if ending == "refuse":
                    raise ConnectionRefused("too late") from None
                if ending == "crash":
                    raise crash from None
                raise

        @sio.middleware
        async def next_one(socket):
            ran.append("next")

        async with connect(sio) as client:
            await client.put("40")
            client.cut()
            await trio.sleep(20)
        assert ran == [(False, "transport close")]
        assert not reasons
        assert not sio.sockets
        crashed = ending == "crash"
        assert errors == [("middleware", crash)] * crashed
        assert records_of(caplog) == [("trio_socketio.socket", ValueError)] * crashed

    async def test_one_that_hangs_costs_only_its_own_namespace(self, autojump_clock):
        sio, ended = Server(CALM, limits=Limits(connect_timeout=45)), []

        @sio.namespace("/chat").middleware
        async def hang(socket):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

        async with sio.running(), connect(sio, "40") as client:
            await trio.sleep(100)
            await client.put("40/chat,")
            assert (await client.get()).startswith('44/chat,{"message":')
            await settle()
            assert ended == [pytest.approx(145)]
            (socket,) = sio.sockets.values()
            assert (socket.connected, socket.transport) == (True, "websocket")

    async def test_rooms_joined_in_a_refused_middleware_are_left(self, sio, autojump_clock):
        rooms = []

        @sio.middleware
        async def refuse(socket):
            socket.join("a", "b")
            rooms.append(socket.rooms)
            raise ConnectionRefused("no")

        async with connect(sio) as client:
            await client.put("40")
            await client.get()
            await sio.to("a").emit("x")
            await client.put("40")
            assert (await client.get()).startswith("44")
        assert rooms == [{"a", "b"}, {"a", "b"}]
        assert not sio._namespaces.get("/").adapter._rooms._members
        assert not sio._namespaces.get("/").adapter._rooms._rooms

    async def test_rooms_joined_in_a_middleware_are_there_for_the_first_broadcast(self, sio, autojump_clock):
        @sio.middleware
        async def into_room(socket):
            socket.join("a")
            await sio.to("a").emit("not yet")

        async with connect(sio) as client:
            await client.put("40")
            await client.get()
            await sio.to("a").emit("now")
            await settle()
            assert client.get_waiting() == ['42["now"]'], "a socket that has not joined gets no broadcast"

    async def test_the_socket_disconnects_itself_in_a_middleware(self, sio, autojump_clock):
        ran = []

        @sio.middleware
        async def leave(socket):
            socket.disconnect()
            await trio.sleep(0)
            ran.append("after the checkpoint")

        sio.on_connection(leave)
        async with connect(sio) as client:
            await client.put("40")
            assert not sio.sockets
            assert client.get_waiting() == ['44{"message":"Forbidden"}']
        assert not ran

    async def test_it_cannot_ask_a_client_that_cannot_answer_yet(self, sio, autojump_clock):
        @sio.middleware
        async def ask(socket):
            with pytest.raises(RuntimeError, match="has not joined yet"):
                await socket.call("question")

        async with connect(sio) as client:
            await client.join()
            assert client.get_waiting() == []

    async def test_as_many_rooms_as_allowed_still_let_the_socket_in(self, autojump_clock):
        sio = Server(limits=Limits(max_rooms_per_socket=2))

        @sio.middleware
        async def fill(socket):
            socket.join("a", "b")

        async with sio.running(), connect(sio) as client:
            await client.put("40")
            frames = client.get_waiting()
            assert [frame[:7] for frame in frames] == ['40{"sid'], frames
            socket = socket_of(sio)
            assert socket.rooms == {socket.id, "a", "b"}, "its own room comes on top"

    async def test_short_names_do_not_keep_out_everybody(self, autojump_clock):
        sio = Server(limits=Limits(max_name_length=10))
        async with sio.running(), connect(sio) as client:
            await client.put("40")
            frames = client.get_waiting()
            assert [frame[:7] for frame in frames] == ['40{"sid'], frames

    async def test_a_client_without_room_for_the_answer_has_never_been_here(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=1))
        other = sio.namespace("/other")
        called, reasons = [], reasons_of(other)

        @other.on_connection
        async def connection(socket):
            called.append(socket)

        async with sio.running(), connect(sio, "40") as client:
            client.reading = trio.Event()
            for _ in range(2):
                await socket_of(sio).emit("x")
                await settle()
            await client.put("40/other,")
            assert not sio.engine.sessions
            client.reading.set()
        assert (called, reasons, dict(other.sockets)) == ([], [], {})
