"""A connection on long-polling: nothing is lost or doubled between two requests, nor in an upgrade."""

from __future__ import annotations

import base64
import json
import random

import pytest
import trio

from tests.support.application import CALM
from tests.support.client import open_polling, poll, post, settle
from trio_socketio import EngineConfig, Limits, Server
from trio_socketio.testing import open_memory_server


def frames_of(response):
    """The frames in a poll's answer, as they would be on a WebSocket; without NOOPs."""
    packets = response.body.decode().split("\x1e")
    return [base64.b64decode(packet[1:]) if packet[0] == "b" else packet for packet in packets if packet != "6"]


class TestLongPolling:
    async def join(self, sio):
        query, session = await open_polling(sio.engine)
        assert (await post(sio.engine, query, b"40")).body == b"ok"
        (answer,) = frames_of(await poll(sio.engine, query))
        return query, session, sio.sockets[json.loads(answer[2:])["sid"]]

    @pytest.mark.parametrize("packet_first", [True, False])
    async def test_a_poll_given_up_as_its_packet_comes_loses_and_doubles_nothing(self, autojump_clock, packet_first):
        sio, answers = Server(CALM), []
        async with sio.running():
            query, session, socket = await self.join(sio)
            async with trio.open_nursery() as nursery:
                scope = trio.CancelScope()

                @nursery.start_soon
                async def get():
                    with scope:
                        answers.append(await poll(sio.engine, query))

                await settle()
                if packet_first:
                    socket.emit_nowait("x")
                    scope.cancel()
                else:
                    scope.cancel()
                    socket.emit_nowait("x")
            again = []
            with trio.move_on_after(1):
                again.append(await poll(sio.engine, query))
            delivered = [frame for answer in answers + again if answer.status == 200 for frame in frames_of(answer)]
            # In the client's hands once; or lost with its session, never without.
            assert delivered == ['42["x"]'] * packet_first
            assert packet_first or (session.closed.is_set() and not socket.connected)

    async def test_packets_are_in_one_answer_only(self, autojump_clock):
        sio = Server(CALM)
        async with sio.running():
            query, session, socket = await self.join(sio)
            socket.emit_nowait("x", b"a")
            assert frames_of(await poll(sio.engine, query)) == ['451-["x",{"_placeholder":true,"num":0}]', b"a"]
            with trio.move_on_after(1) as scope:
                await poll(sio.engine, query)
            assert scope.cancelled_caught, "nothing more to say"

    async def test_a_slow_handler_never_looks_like_a_ping_timeout_on_long_polling(self, autojump_clock):
        # The client has one POST at a time: its pong must wait until that which fills the queue is answered.
        sio = Server(
            EngineConfig(ping_interval=5, ping_timeout=2), limits=Limits(event_queue=1, event_queue_timeout=100)
        )

        @sio.on("x")
        async def x(socket):
            await trio.sleep(30)

        async with sio.running():
            query, session, socket = await self.join(sio)
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def get():
                    assert frames_of(await poll(sio.engine, query)) == ["2"]

                body = "\x1e".join(['42["x"]'] * 4).encode()
                assert (await post(sio.engine, query, body)).body == b"ok"
                assert trio.current_time() > 50
                assert (await post(sio.engine, query, b"3")).body == b"ok"
            assert session.close_reason is None
            assert socket.connected

    @pytest.mark.parametrize("seed", range(10))
    async def test_an_upgrade_under_load_loses_and_doubles_nothing_and_keeps_the_order(self, autojump_clock, seed):
        sio, choose = Server(CALM), random.Random(seed)
        received = []
        async with open_memory_server(sio) as server:
            link = server.new_link()
            async with server.open_client(link=link) as client:
                link.delay(choose.uniform(0.01, 0.3))

                @client.on("n")
                async def n(client, number, content):
                    received.append((number, content, client.transport))

                (socket,) = sio.sockets.values()
                for number in range(60):
                    await socket.emit("n", number, bytes([number]))
                    await trio.sleep(choose.random() / 10)
                await client.wait_transport("websocket")
                await trio.sleep(1)
            assert not await server.leftovers()
        assert [each[:2] for each in received] == [(number, bytes([number])) for number in range(60)]
        assert {transport for *_, transport in received} == {"polling", "websocket"}


async def test_disconnect_all_on_long_polling(autojump_clock):
    sio = Server(CALM)
    async with sio.running():
        query, session = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        (socket,) = sio.sockets.values()
        socket.disconnect(close=True)
        assert (await poll(sio.engine, query)).body == b"41"
        assert (await poll(sio.engine, query)).body == b"6\x1e1"
        assert (await poll(sio.engine, query)).status == 400
        assert session.closed.is_set()
