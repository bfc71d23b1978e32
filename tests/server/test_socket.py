"""A socket, as the application sees it: what it knows, and how it is ended."""

from __future__ import annotations

import time

import pytest
import trio

from tests.support.application import CALM, errors_of, reasons_of, socket_of
from tests.support.client import connect, only_session, open_polling, open_stream, poll, post, settle
from trio_socketio import Handshake, Limits, Server, Socket


class TestWhatItKnows:
    def test_only_the_library_makes_them(self):
        with pytest.raises(TypeError, match="no public constructor"):
            Socket()

    async def test_handshake_fields(self, sio, autojump_clock):
        before = time.time()
        headers = {"user-agent": "test", "cookie": "a=b", "origin": "http://a.example", "host": "a.example"}
        async with open_stream(sio.engine, "EIO=4&transport=websocket&room=a%20b&room=c&empty=", headers) as client:
            await client.get()
            await client.join(auth={"token": "x"})
            handshake = socket_of(sio).handshake
        assert isinstance(handshake, Handshake)
        assert handshake.headers == headers
        assert handshake.query == {"EIO": "4", "transport": "websocket", "room": "a b", "empty": ""}
        assert handshake.url == "/socket.io/?EIO=4&transport=websocket&room=a%20b&room=c&empty="
        assert handshake.address == "192.0.2.1"
        assert handshake.secure is False
        assert handshake.cross_origin is True
        assert before <= handshake.issued <= time.time()
        assert handshake.auth == {"token": "x"}
        for mapping in (handshake.headers, handshake.query):
            with pytest.raises(TypeError):
                mapping["x"] = "y"
        with pytest.raises(AttributeError):
            handshake.secure = True

    async def test_no_origin(self, sio, autojump_clock):
        async with connect(sio, "40"):
            assert socket_of(sio).handshake.cross_origin is False

    async def test_state_of_a_life(self, sio, autojump_clock):
        shown = []

        @sio.middleware
        async def joining(socket):
            shown.append((socket.connected, socket.disconnect_reason, socket.rooms, repr(socket)))

        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            shown.append((socket.connected, socket.disconnect_reason, socket.rooms, repr(socket)))
            await client.put("41")
            shown.append((socket.connected, socket.disconnect_reason, socket.rooms, repr(socket)))
        assert shown == [
            (False, None, frozenset(), f"<Socket {socket.id} of / joining>"),
            (True, None, {socket.id}, f"<Socket {socket.id} of / connected>"),
            (False, "client namespace disconnect", frozenset(), f"<Socket {socket.id} of / ended>"),
        ]

    async def test_data_is_its_own_and_stays_after_the_end(self, sio, autojump_clock):
        @sio.middleware
        async def note(socket):
            socket.data["user"] = socket.auth["name"]

        async with connect(sio, '40{"name":"ada"}') as client, connect(sio, '40{"name":"bob"}'):
            ada, bob = sio.sockets.values()
            assert (ada.data, bob.data) == ({"user": "ada"}, {"user": "bob"})
            await client.put("41")
            assert ada.data == {"user": "ada"}

    async def test_namespace_is_its_name(self, sio, autojump_clock):
        sio.namespace("/chat")
        async with connect(sio, "40/chat,"):
            assert socket_of(sio, "/chat").namespace == "/chat"

    async def test_transport_changes_with_the_upgrade(self, sio, autojump_clock):
        query, session = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        socket = socket_of(sio)
        assert socket.transport == "polling"
        async with open_stream(sio.engine, query.replace("polling", "websocket")) as client:
            await client.put("2probe", "5")
            assert socket.transport == "websocket"
            socket.emit_nowait("x")
            assert [await client.get(), await client.get()] == ["3probe", '42["x"]']

    async def test_its_nursery_is_open_while_it_is_connected(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.nursery.start_soon(socket.emit, "from a task")
            assert await client.get() == '42["from a task"]'
            await client.put("41")
            with pytest.raises(RuntimeError, match="not in a middleware, not after the disconnect"):
                socket.nursery  # noqa: B018 - reading it raises

    async def test_its_nursery_is_not_open_in_a_middleware_nor_in_on_disconnect(self, sio, autojump_clock):
        errors = errors_of(sio)

        async def start(socket, *args):
            if socket.auth or args:
                socket.nursery.start_soon(trio.sleep_forever)

        sio.middleware(start)
        sio.on_disconnect(start)
        async with connect(sio, "40") as client:
            await client.put("41")
            await client.put('40{"x":1}')
            assert client.get_waiting() == ['44{"message":"Internal server error"}']
        assert [(event, type(error)) for event, error in errors] == [
            ("disconnect", RuntimeError),
            ("middleware", RuntimeError),
        ]

    async def test_its_nursery_kept_beyond_its_end_starts_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            nursery = socket_of(sio).nursery
            await client.put("41")
            with pytest.raises(RuntimeError, match="Nursery is closed"):
                nursery.start_soon(trio.sleep_forever)

    async def test_a_task_in_its_nursery_that_raises_ends_it_alone(self, sio, autojump_clock):
        errors = errors_of(sio)
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client, connect(sio, "40"):
            first, second = sio.sockets.values()
            ended = []

            async def wait():
                try:
                    await trio.sleep_forever()
                finally:
                    ended.append("cancelled")

            async def fail():
                raise ValueError

            first.nursery.start_soon(wait)
            await settle()
            first.nursery.start_soon(fail)
            await settle()
            assert ended == ["cancelled"]
            assert (first.connected, second.connected, socket_of(sio, "/b").connected) == (False, True, True)
            assert client.get_waiting() == ["41"]
        assert [(event, type(error)) for event, error in errors] == [("connection", ValueError)]

    async def test_to_cancel_its_nursery_is_to_disconnect(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.nursery.cancel_scope.cancel()
            await settle()
            assert not socket.connected
            assert client.get_waiting() == ["41"]

    async def test_it_takes_no_other_attributes(self, sio, autojump_clock):
        async with connect(sio, "40"):
            with pytest.raises(AttributeError):
                socket_of(sio).user = "ada"


class TestTheEnd:
    async def test_disconnect_tells_the_client_after_what_was_sent(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.emit_nowait("last", b"words")
            socket.disconnect()
            assert not socket.connected
            assert socket.disconnect_reason == "server namespace disconnect"
            assert not sio.sockets
            await settle()
            assert client.get_waiting() == ['451-["last",{"_placeholder":true,"num":0}]', b"words", "41"]
            socket.disconnect()
            await settle()
            assert client.get_waiting() == []
            assert only_session(sio.engine).close_reason is None

    async def test_no_broadcast_reaches_it_once_disconnect_has_returned(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.disconnect()
            sio.emit_nowait("x")
            sio.to(socket.id).emit_nowait("y")
            await settle()
            assert client.get_waiting() == ["41"]

    async def test_disconnect_close(self, sio, autojump_clock):
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client:
            root, other = socket_of(sio), socket_of(sio, "/b")
            other.emit_nowait("last words")
            root.disconnect(close=True)
            root.disconnect(close=True)
            assert (root.connected, other.connected) == (False, False)
            assert root.disconnect_reason == other.disconnect_reason == "server namespace disconnect"
            assert await client.get_close() == ['42/b,["last words"]', "41", "41/b,"]
            assert not sio.engine.sessions

    async def test_disconnect_close_after_the_socket_itself_has_left(self, sio, autojump_clock):
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client:
            root = socket_of(sio)
            await client.put("41")
            root.disconnect(close=True)
            assert await client.get_close() == ["41/b,"]

    async def test_a_client_that_does_not_take_the_news_is_cut_off_in_time(self, autojump_clock):
        sio = Server(CALM, limits=Limits(close_timeout=3, write_deadline=60))
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()
            socket.emit_nowait("x")
            socket.disconnect(close=True)
            await trio.sleep(2.9)
            assert sio.engine.sessions
            await trio.sleep(0.2)
            assert not sio.engine.sessions

    async def test_disconnect_close_in_a_handler_of_its_own(self, sio, autojump_clock):
        other = sio.namespace("/b")
        reasons, others, after = reasons_of(sio), reasons_of(other), []

        @sio.on("bye")
        async def bye(socket):
            socket.disconnect(close=True)
            after.append("runs up to its next checkpoint")
            await trio.lowlevel.checkpoint()
            after.append("never")

        async with connect(sio, "40", "40/b,") as client:
            await client.put('421["bye"]', '422["bye"]')
            assert await client.get_close() == ["41", "41/b,"]
        assert after == ["runs up to its next checkpoint"]
        assert reasons == others == ["server namespace disconnect"]
        assert not sio.engine.sessions

    async def test_disconnect_close_in_a_middleware(self, sio, autojump_clock):
        other = sio.namespace("/b")
        others = reasons_of(other)

        @sio.middleware
        async def refuse(socket):
            socket.disconnect(close=True)

        async with connect(sio, "40/b,") as client:
            await client.put("40")
            assert sorted(await client.get_close()) == ["41/b,", '44{"message":"Forbidden"}']
        assert others == ["server namespace disconnect"]

    async def test_disconnect_close_while_events_are_read(self, sio, autojump_clock):
        seen = []

        async def read(socket):
            async for event in socket:
                seen.append(event.name)
                socket.disconnect(close=True)

        async with connect(sio, "40") as client, trio.open_nursery() as nursery:
            nursery.start_soon(read, socket_of(sio))
            await settle()
            await client.put('42["a"]', '42["b"]', '42["c"]')
            assert await client.get_close() == ["41"]
        assert seen == ["a"]
