"""Stories over the protocol, in virtual time: joining, living and ending, and the server as a whole."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.support.application import socket_of
from tests.support.client import connect, only_session, settle
from trio_socketio import CloseReason, Server


class TestConnect:
    async def test_auth_and_handshake(self, sio, autojump_clock):
        async with connect(sio, '40{"token":"x"}'):
            socket = socket_of(sio)
            assert socket.auth == {"token": "x"}
            assert socket.handshake.query["transport"] == "websocket"
            assert socket.handshake.url.startswith("/socket.io/?EIO=4")
            assert (socket.handshake.secure, socket.handshake.cross_origin) == (False, False)
            assert socket.connected
            assert socket.transport == "websocket"
            assert socket.rooms == {socket.id}
            assert "connected" in repr(socket)
            assert len(socket.id) == 20
            assert socket.id not in sio.engine.sessions

    async def test_unknown_and_too_many_namespaces(self, sio, autojump_clock):
        for name in "abcd":
            sio.namespace(name)
        async with connect(sio, "40/a,", "40/b,", "40/c,") as client:
            await client.put("40/nope,", "40/d,")
            assert await client.get() == '44/nope,{"message":"Invalid namespace"}'
            assert await client.get() == '44/d,{"message":"Too many namespaces"}'

    @pytest.mark.parametrize(
        "packets",
        [
            ["40", "40"],
            ['42["early"]'],
            ["41"],
            ["430[]"],
            ["40", '44{"message":"x"}'],
            ["40", '42/other,["x"]'],
            ["40", '451-["x",{"_placeholder":true,"num":0}]', "40/y"],
            ["40", b"stray"],
            ["40", '42["disconnect"]'],
        ],
    )
    async def test_packets_that_close_the_client(self, sio, autojump_clock, packets):
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put(*packets)
            await client.get_close()
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_packets_for_a_namespace_that_the_server_has_just_ended_are_ignored(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.disconnect()
            assert await client.get() == "41"
            await client.put('42["late"]', "430[]", "41", "40")
            assert (await client.get()).startswith('40{"sid"')

    async def test_nobody_joins(self, sio, autojump_clock):
        async with connect(sio) as client:
            client.answers_pings = True
            session = only_session(sio.engine)
            await client.get_close()
            assert session.close_reason is CloseReason.FORCED_SERVER_CLOSE
            assert trio.current_time() == pytest.approx(45, abs=0.1)

    async def test_unfinished_attachments(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put('452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"one")
            with trio.move_on_after(29):
                await client.get_close()
            assert session.close_reason is None
            await client.put("3")
            await client.get_close()
            assert session.close_reason is CloseReason.FORCED_CLOSE


class TestLife:
    async def test_finally_sees_rooms_and_reason_and_tells_the_others(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def member(socket):
            socket.join("lobby")
            try:
                await trio.sleep_forever()
            finally:
                seen.append((socket.rooms == {"lobby", socket.id}, socket.disconnect_reason, socket.connected))
                sio.to("lobby").emit_nowait("left", socket.id)

        async with connect(sio, "40") as other:
            async with connect(sio, "40") as client:
                await client.put("41")
                assert (await other.get()).startswith('42["left","')
        assert seen[0] == (True, "client namespace disconnect", False)
        assert client.get_waiting() == []

    async def test_the_nursery_of_a_socket(self, sio, autojump_clock):
        ended = []

        async def clock(socket):
            try:
                while True:
                    await trio.sleep(1)
                    await socket.emit("tick")
            finally:
                ended.append("clock")

        async def crash():
            raise ValueError("in a task of the socket")

        @sio.on_connection
        async def start(socket):
            socket.nursery.start_soon(clock, socket)

        @sio.on("crash")
        async def start_crash(socket):
            socket.nursery.start_soon(crash)

        async with connect(sio, "40") as client, connect(sio, "40") as other:
            assert await client.get() == '42["tick"]'
            await client.put('42["crash"]')
            while (message := await client.get()) != "41":
                assert message == '42["tick"]'
            assert ended == ["clock"]
            assert await other.get() == '42["tick"]'

    @pytest.mark.parametrize("close", [False, True])
    async def test_disconnect(self, sio, autojump_clock, close):
        reasons = []
        for namespace in (sio, sio.namespace("/b")):

            @namespace.on_disconnect
            async def gone(socket, reason):
                reasons.append((socket.namespace, str(reason)))

        @sio.on("bye")
        async def bye(socket):
            socket.emit_nowait("last words")
            socket.disconnect(close=close)
            socket.disconnect(close=close)
            await trio.sleep_forever()

        async with connect(sio, "40", "40/b,") as client:
            session = only_session(sio.engine)
            await client.put('42["bye"]')
            assert await client.get() == '42["last words"]'
            assert await client.get() == "41"
            if close:
                assert await client.get() == "41/b,"
                await client.get_close()
                await settle()
                assert sorted(reasons) == [("/", "server namespace disconnect"), ("/b", "server namespace disconnect")]
            else:
                await settle()
                assert reasons == [("/", "server namespace disconnect")]
                assert session.close_reason is None

    async def test_reasons_when_the_session_ends(self, sio, autojump_clock):
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append(str(reason))

        async with connect(sio, "40"):
            pass
        async with connect(sio, "40") as client:
            await client.put("2")
            await client.get_close()
        async with connect(sio, "40") as client:
            await client.put("x")
            await client.get_close()
        async with connect(sio, "40") as client:
            await client.get_close()
        assert reasons == ["transport close", "transport error", "parse error", "ping timeout"]

    async def test_leaving_running_ends_everybody(self, autojump_clock):
        sio = Server()
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(1)
            reasons.append(str(reason))

        @sio.on_connection
        async def stay(socket):
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            async with sio.running() as same:
                assert same is sio

                async def client():
                    async with connect(sio, "40") as stream:
                        await stream.get_close()

                nursery.start_soon(client)
                await settle()
                with pytest.raises(RuntimeError, match="running already"):
                    async with sio.running():
                        pass
        assert reasons == ["server shutting down"]
        assert not sio.sockets

    async def test_an_exception_of_the_block_comes_out_as_it_is(self, autojump_clock):
        sio = Server()
        with pytest.raises(LookupError, match="mine"):
            async with sio.running():
                raise LookupError("mine")
        with trio.move_on_after(1) as scope:
            async with sio.running():
                await trio.sleep_forever()
        assert scope.cancelled_caught


class TestServer:
    def test_namespaces(self):
        sio = Server()
        assert sio.namespace("chat") is sio.namespace("/chat")
        assert sio.namespace("").name == "/"
        assert "/chat" in repr(sio.namespace("/chat"))
        with pytest.raises(TypeError):
            sio.namespace(5)
        for name in ("/a,b", "/a\nb", "/" + "x" * 255):
            with pytest.raises(ValueError, match="namespace"):
                sio.namespace(name)

    async def test_two_servers_do_not_know_each_other(self, autojump_clock):
        one, two = Server(), Server()
        async with one.running(), two.running(), connect(one, "40") as client, connect(two, "40") as other:
            await one.emit("x")
            assert await client.get() == '42["x"]'
            await settle()
            assert other.get_waiting() == []

    async def test_drain(self, autojump_clock):
        sio = Server()
        async with sio.running(), connect(sio, "40") as client:
            await sio.emit("before the end")
            await sio.drain()
            assert client.get_waiting() == ['42["before the end"]']
            assert await client.get_close() == []

    def test_nothing_public_can_be_made_by_hand(self):
        with pytest.raises(TypeError, match="no public constructor"):
            type(Server().to("x"))()


async def test_traces_are_printed_when_asked_for(autojump_clock, caplog):
    caplog.set_level(logging.DEBUG, logger="trio_socketio")
    sio = Server()

    @sio.on("x")
    async def x(socket):
        await socket.emit("y")

    async with sio.running(), connect(sio, "40") as client:
        (sid,) = sio.engine.sessions
        await client.put('42["x"]')
        await client.get()
        await client.put("4399[]")
        await settle()
    assert "received MESSAGE" in caplog.text
    assert "sends" in caplog.text
    assert sid not in caplog.text
