"""Stories over the protocol, in virtual time: events, questions and broadcasts to clients."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints

from tests.support.application import socket_of
from tests.support.client import connect, settle
from trio_socketio import Disconnected


class TestEmit:
    async def test_waits_for_room_in_order(self, sio, autojump_clock):
        sent = []

        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()

            async def emit_many():
                for number in range(30):
                    await socket.emit("n", number)
                    sent.append(number)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(emit_many)
                await settle()
                await settle()
                assert 0 < len(sent) < 30
                with pytest.raises(trio.WouldBlock):
                    socket.emit_nowait("no room")
                client.reading.set()
            assert await client.get_all(30) == [f'42["n",{number}]' for number in range(30)]

    async def test_to_one_that_leaves_meanwhile(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()
            failed = []

            async def emit_many():
                with pytest.raises(Disconnected) as gone:
                    while True:
                        await socket.emit("n")
                failed.append(gone.value.reason)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(emit_many)
                await settle()
                client.cut()
        assert failed == ["transport close"]
        with pytest.raises(Disconnected):
            socket.emit_nowait("x")
        with pytest.raises(trio.BrokenResourceError):
            await socket.emit("x")
        with pytest.raises(Disconnected):
            await socket.call("x")
        socket.join("after the end nothing happens")
        assert socket.rooms == set()

    async def test_misuse(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            for target in (socket, sio, sio.to("x")):
                with pytest.raises(ValueError, match="reserved"):
                    await target.emit("connect")
                with pytest.raises(TypeError, match="text"):
                    await target.emit(7)
                with pytest.raises(TypeError):
                    target.emit_nowait("x", object())
            cycle = []
            cycle.append(cycle)
            with pytest.raises(ValueError, match="nested"):
                await socket.emit("x", cycle)

    async def test_public_async_functions_are_checkpoints(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            for operation in (socket.emit, sio.emit, sio.to("nobody").emit, sio.namespace("/x").emit):
                with assert_checkpoints():
                    await operation("x")
            assert await client.get_all(2) == ['42["x"]'] * 2


class TestCall:
    async def test_answers(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            answers = {"430[]": None, "431[1]": 1, "432[1,2]": (1, 2)}
            for packet, expected in answers.items():
                results = []

                async def ask(results=results):
                    results.append(await socket.call("q"))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask)
                    await client.get()
                    await client.put(packet, packet)
                assert results == [expected]

    async def test_a_late_answer_is_dropped(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            with pytest.raises(trio.TooSlowError):
                with trio.fail_after(5):
                    await socket.call("q")
            await client.put("430[1]", "4399[1]")
            await settle()
            assert socket.connected

    async def test_ends_at_once_when_the_client_leaves(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            async with trio.open_nursery() as nursery:

                async def ask():
                    with pytest.raises(Disconnected, match="client namespace disconnect"):
                        await socket.call("q")

                nursery.start_soon(ask)
                await settle()
                await client.put("41")
            assert trio.current_time() < 1


class TestRooms:
    async def test_operators(self, sio, autojump_clock):
        async with connect(sio, "40") as a, connect(sio, "40") as b, connect(sio, "40") as c:
            await settle()
            one, two, three = sio.sockets.values()
            one.join("x", "y")
            two.join("x")
            three.join("z")
            everything = {
                "x or y": (sio.to("x", "y"), "ab"),
                "x and then z": (sio.to("x").in_("z"), "abc"),
                "all but x": (sio.except_("x"), "c"),
                "all but one": (sio.except_(one), "bc"),
                "x but two": (sio.in_("x").except_(two.id), "a"),
                "nobody": (sio.to("nobody is there"), ""),
                "others in x": (one.to("x"), "b"),
                "others": (two.broadcast, "ac"),
                "others but z": (two.except_("z"), "a"),
                "others here": (two.local, "ac"),
                "all here": (sio.local, "abc"),
                "volatile": (sio.volatile, "abc"),
                "only me": (three.volatile, "c"),
                "all of it": (sio.namespace("/").to("x").local.volatile.except_("y"), "b"),
            }
            for name, (operator, expected) in everything.items():
                await operator.emit("e", name)
                await settle()
                got = {letter: client.get_waiting() for letter, client in zip("abc", (a, b, c), strict=True)}
                assert "".join(letter for letter, messages in got.items() if messages) == expected, name
                assert all(len(messages) <= 1 for messages in got.values()), name
            two.leave("x", "never joined")
            assert two.rooms == {two.id}

    async def test_joining(self, sio, autojump_clock):
        async with connect(sio, "40"), connect(sio, "40"):
            await settle()
            one, two = sio.sockets.values()
            with pytest.raises(TypeError, match="text"):
                one.join(5)
            with pytest.raises(ValueError, match="characters"):
                one.join("")
            with pytest.raises(ValueError, match="another socket"):
                one.join(two.id)
            one.join("a", "b", "c")
            with pytest.raises(ValueError, match="max_rooms_per_socket"):
                one.join("d")
            assert one.rooms == {one.id, "a", "b", "c"}
            with pytest.raises(TypeError, match="text"):
                sio.to(5)

    async def test_a_slow_consumer_is_disconnected_and_delays_nobody(self, sio, autojump_clock):
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append(str(reason))

        async with connect(sio, "40") as slow, connect(sio, "40") as quick:
            slow.reading = trio.Event()
            for number in range(12):
                await sio.emit("n", number)
                await settle()
            assert quick.get_waiting() == [f'42["n",{number}]' for number in range(12)]
            assert reasons == ["slow consumer"]
            slow.reading.set()

    async def test_volatile_is_dropped_for_the_slow(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()
            for number in range(100):
                await sio.volatile.emit("n", number)
                await settle()
            client.reading.set()
            await settle()
            assert client.get_waiting() == ['42["n",0]']
            assert socket.connected
