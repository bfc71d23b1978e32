"""Events from a socket to its client: on the wire, waiting for room, volatile, and what can't be sent."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import assert_checkpoints, assert_no_checkpoints

from tests.support.application import CALM, socket_of
from tests.support.client import connect, open_polling, poll, post, settle
from trio_socketio import Disconnected, Limits, Server

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


async def fill(socket, client):
    """Stop the client from reading, and fill its queue until nothing more fits: the number that waits."""
    client.reading = trio.Event()
    socket.emit_nowait("in the writer's hands")
    await settle()
    count = 0
    while True:
        try:
            socket.emit_nowait("fill", count)
        except trio.WouldBlock:
            return count
        count += 1


class TestEmit:
    @pytest.mark.parametrize(
        ("args", "frames"),
        [
            ((), ['42["x"]']),
            ((1, "two", None, True, 1.5, [1], {"a": {}}), ['42["x",1,"two",null,true,1.5,[1],{"a":{}}]']),
            (("ü \u2028",), ['42["x","ü \u2028"]']),
            ((b"a",), ['451-["x",{"_placeholder":true,"num":0}]', b"a"]),
            (
                (bytearray(b"a"), memoryview(b"bb")),
                ['452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"a", b"bb"],
            ),
            (
                ({"deep": [b"a", {"er": b"b"}]},),
                ['452-["x",{"deep":[{"_placeholder":true,"num":0},{"er":{"_placeholder":true,"num":1}}]}]', b"a", b"b"],
            ),
            ((b"",), ['451-["x",{"_placeholder":true,"num":0}]', b""]),
        ],
    )
    async def test_on_the_wire(self, sio, autojump_clock, args, frames):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await socket.emit("x", *args)
            socket.emit_nowait("x", *args)
            await settle()
            assert client.get_waiting() == frames * 2

    async def test_in_a_namespace(self, sio, autojump_clock):
        sio.namespace("/chat")
        async with connect(sio, "40/chat,") as client:
            socket = socket_of(sio, "/chat")
            await socket.emit("x", b"a")
            assert await client.get_all(2) == ['451-/chat,["x",{"_placeholder":true,"num":0}]', b"a"]

    @pytest.mark.parametrize("name", RESERVED)
    async def test_reserved_names_raise(self, sio, autojump_clock, name):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            for send in (socket.emit, socket.call, socket.broadcast.emit, socket.to("room").emit, socket.volatile.emit):
                with pytest.raises(ValueError, match=f"'{name}' is reserved"):
                    await send(name)
            for send in (socket.emit_nowait, socket.broadcast.emit_nowait):
                with pytest.raises(ValueError, match="reserved"):
                    send(name)
            await client.put()
            assert client.get_waiting() == []

    async def test_names_are_text_and_arguments_can_be_sent(self, sio, autojump_clock):
        cycle = []
        cycle.append(cycle)
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            for send in (socket.emit, socket.call, socket.broadcast.emit):
                with pytest.raises(TypeError, match="name is text"):
                    await send(5)
                with pytest.raises(TypeError):
                    await send("x", object())
                with pytest.raises(ValueError, match="deep"):
                    await send("x", cycle)
            assert not socket._peer.acks, "a question that could not be sent is not owed an answer"
            await client.put()
            assert client.get_waiting() == []

    async def test_checkpoints(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            with assert_checkpoints():
                await socket.emit("x")
            with assert_checkpoints():
                await socket.broadcast.emit("x")
            with assert_checkpoints():
                await socket.volatile.emit("x")
            await settle()
            client.get_waiting()
            client.put_nowait("430[]")
            with assert_checkpoints():
                await socket.call("x")
            await client.put("41")
            for send in (socket.emit, socket.call):
                with assert_checkpoints(), pytest.raises(Disconnected):
                    await send("x")
            with assert_no_checkpoints():
                socket.join("nothing")
                socket.leave("nothing")
                socket.disconnect()
                socket.broadcast.emit_nowait("x")

    async def test_cancelled_it_has_sent_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            for send in (socket.emit, socket.call, sio.emit, socket.volatile.emit):
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await send("x")
                assert scope.cancelled_caught
            await settle()
            assert client.get_waiting() == []
            assert not socket._peer.acks

    async def test_it_waits_for_room_and_goes_on(self, sio, autojump_clock):
        done = []
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            waiting = await fill(socket, client)
            assert waiting == sio.limits.send_queue_packets

            async def emit():
                await socket.emit("late")
                done.append(trio.current_time())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(emit)
                await trio.sleep(5)
                assert not done
                client.reading.set()
            await settle()
            assert done == [pytest.approx(5)]
            expected = [
                '42["in the writer\'s hands"]',
                *[f'42["fill",{number}]' for number in range(waiting)],
                '42["late"]',
            ]
            assert client.get_waiting() == expected

    async def test_cancelled_while_it_waits_for_room_it_has_sent_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await fill(socket, client)
            for send in (socket.emit, socket.call):
                with trio.move_on_after(1) as scope:
                    await send("never")
                assert scope.cancelled_caught
            client.reading.set()
            await settle()
            assert not [frame for frame in client.get_waiting() if "never" in frame]
            assert not socket._peer.acks

    async def test_nowait_would_block_and_has_sent_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await fill(socket, client)
            with pytest.raises(trio.WouldBlock):
                socket.emit_nowait("never", b"binary")
            assert socket.connected
            client.reading.set()
            await settle()
            assert not [frame for frame in client.get_waiting() if "never" in str(frame)]

    @pytest.mark.parametrize("how", ["emit", "call"])
    async def test_the_client_leaves_while_it_waits_for_room(self, autojump_clock, how):
        sio = Server(CALM, limits=Limits(send_queue_packets=3, write_deadline=60))
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            await fill(socket, client)
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def send():
                    with pytest.raises(Disconnected, match="transport close") as caught:
                        await getattr(socket, how)("x")
                    assert caught.value.reason == "transport close"

                await settle()
                client.cut()
            assert trio.current_time() < 1

    async def test_only_its_namespace_is_left_while_it_waits_for_room(self, autojump_clock):
        # "Disconnected: the client is gone, also while this waits" - the session lives on, and its queue is still full.
        sio = Server(CALM, limits=Limits(send_queue_packets=3, write_deadline=60))
        sio.namespace("/b")
        async with sio.running(), connect(sio, "40", "40/b,") as client:
            socket = socket_of(sio)
            await fill(socket, client)
            ended = []
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def send():
                    with pytest.raises(Disconnected):
                        await socket.emit("x")
                    ended.append(trio.current_time())

                await settle()
                await client.put("41")
                assert not socket.connected
                await trio.sleep(5)
                client.reading.set()
            assert ended == [pytest.approx(0, abs=0.1)], "it waited on for the room of a queue that isn't its any more"

    async def test_after_the_end(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await client.put("41")
            for attempt in (socket.emit, socket.call):
                with pytest.raises(Disconnected, match="client namespace disconnect"):
                    await attempt("x")
            with pytest.raises(trio.BrokenResourceError):
                socket.emit_nowait("x")
            await socket.volatile.emit("x")
            await settle()
            assert client.get_waiting() == []

    async def test_binary_packets_are_never_interleaved(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=7, write_deadline=600))
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()

            async def send(number):
                await socket.emit("x", number, bytes([number]), [bytes([number, number])])

            async with trio.open_nursery() as nursery:
                for number in range(30):
                    nursery.start_soon(send, number)
                await settle()
                client.reading.set()
            await settle()
            frames = client.get_waiting()
            seen = []
            for head, first, second in zip(frames[::3], frames[1::3], frames[2::3], strict=True):
                number = int(head.removeprefix('452-["x",').partition(",")[0])
                assert (first, second) == (bytes([number]), bytes([number, number]))
                seen.append(number)
            assert sorted(seen) == list(range(30))

    async def test_a_packet_with_more_parts_than_the_queue_holds_can_be_sent(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=2))
        async with sio.running(), connect(sio, "40") as client:
            await socket_of(sio).emit("x", b"a", b"b", b"c")
            assert (await client.get_all(4))[1:] == [b"a", b"b", b"c"]


class TestVolatile:
    async def test_it_is_sent_to_this_one_only(self, sio, autojump_clock):
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            first, _ = sio.sockets.values()
            await first.volatile.emit("x", b"a")
            await settle()
            assert client.get_waiting() == ['451-["x",{"_placeholder":true,"num":0}]', b"a"]
            assert other.get_waiting() == []

    async def test_it_is_dropped_while_a_write_is_on_its_way(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()
            await socket.emit("kept")
            await settle()
            await socket.volatile.emit("dropped")
            client.reading.set()
            await settle()
            await socket.volatile.emit("sent")
            await settle()
            assert client.get_waiting() == ['42["kept"]', '42["sent"]']

    async def test_on_long_polling_it_needs_a_held_get(self, sio, autojump_clock):
        query, session = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        socket = socket_of(sio)
        await socket.volatile.emit("dropped")
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def get():
                assert (await poll(sio.engine, query)).body == b'42["sent"]'

            await settle()
            await socket.volatile.emit("sent")
        await post(sio.engine, query, b"1")
        assert session.closed.is_set()

    async def test_in_a_middleware_there_is_nobody_yet(self, sio, autojump_clock):
        @sio.middleware
        async def early(socket):
            await socket.volatile.emit("early")

        async with connect(sio) as client:
            await client.put("40")
            assert [frame[:2] for frame in client.get_waiting()] == ["40"]


async def test_who_waits_for_room_first_is_first(sio, autojump_clock, nursery):
    # The queue of this server holds 8 packets.
    async with connect(sio, "40") as client:
        (socket,) = sio.sockets.values()
        client.reading = trio.Event()
        await socket.emit("on its way")
        await settle()
        for number in range(8):
            socket.emit_nowait("queued", number)
        for number in range(20):
            nursery.start_soon(socket.emit, "waited", number)
            await settle()
        client.reading.set()
        await settle()
        numbers = [json.loads(frame[2:])[1] for frame in client.get_waiting() if "waited" in frame]
        assert numbers == list(range(20))
