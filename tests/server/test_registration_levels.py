"""What is registered for a family of namespaces, for one of them, and for a socket: who is called, and in which order."""

from __future__ import annotations

import re

import pytest
import trio

from tests.support.client import connect, settle


@pytest.fixture
async def shop(sio):
    """A client in a namespace of a family: the family, the namespace, the socket, and the client."""
    family = sio.namespace(re.compile(r"/shop/\w+"))
    async with connect(sio, "40/shop/a,") as client:
        namespace = sio.namespace("/shop/a")
        (socket,) = namespace.sockets.values()
        yield family, namespace, socket, client


class TestLevels:
    async def test_only_the_nearest_handler_of_an_event_is_called(self, shop):
        *levels, client = shop

        def handler_of(level):
            async def handler(socket):
                return level

            return handler

        for number, level in enumerate(levels):
            level.on("x")(handler_of(number))
            await client.put('42/shop/a,1["x"]')
        assert client.get_waiting() == [f"43/shop/a,1[{number}]" for number in range(3)]
        for level in reversed(levels):
            await client.put('42/shop/a,1["x"]')
            level.off("x")
        await client.put('42/shop/a,1["x"]')
        assert client.get_waiting() == [f"43/shop/a,1[{number}]" for number in (2, 1, 0)]

    async def test_all_listeners_are_told_those_of_the_family_first(self, shop):
        *levels, client = shop
        seen = []

        def listen(level, name, *, prepend=False):
            @level.on_any
            async def _any(socket, event, *args):
                seen.append((name, event, args))

        def outgoing(name):
            return lambda socket, event, *args: seen.append((name, event, args))

        for number, level in reversed(list(enumerate(levels))):
            listen(level, number)
            level.on_any_outgoing(outgoing(number))
        await client.put('42/shop/a,["in",1]')
        await levels[2].emit("out", 2)
        await levels[1].emit("out", 3)
        assert seen == [
            *((number, "in", (1,)) for number in range(3)),
            *((number, "out", (2,)) for number in range(3)),
            *((number, "out", (3,)) for number in range(3)),
        ]

    async def test_prepended_ones_go_first_on_their_level(self, shop):
        family, namespace, socket, client = shop
        seen = []

        def listener(name):
            async def any_event(socket, event):
                seen.append(name)

            return any_event

        def outgoing(name):
            return lambda socket, event: seen.append(f"out {name}")

        for level, name in ((socket, "socket"), (family, "family")):
            level.on_any(listener(f"{name} 1"))
            level.on_any(listener(f"{name} 2"), prepend=True)
            level.on_any_outgoing(outgoing(f"{name} 1"))
            level.on_any_outgoing(outgoing(f"{name} 2"), prepend=True)
        await client.put('42/shop/a,["x"]')
        assert seen == ["family 2", "family 1", "socket 2", "socket 1"]
        seen.clear()
        socket.emit_nowait("x")
        assert seen == ["out family 2", "out family 1", "out socket 2", "out socket 1"]

    async def test_packet_middlewares_and_errors(self, shop):
        *levels, client = shop
        seen = []

        def register(level, number):
            @level.packet_middleware
            async def middleware(socket, event):
                if event[1:] == ["bad", *range(number)] and number == 2:
                    raise ValueError(number)
                event.append(number)

            @level.on_error
            async def on_error(socket, error, event):
                seen.append((number, repr(error), event))

        for number, level in enumerate(levels):
            register(level, number)

        @levels[2].on("x")
        async def x(socket, *args):
            return args

        await client.put('42/shop/a,1["x"]', '42/shop/a,2["x","bad"]', '42/shop/a,3["x","good"]')
        assert client.get_waiting() == ["43/shop/a,1[0,1,2]", '43/shop/a,3["good",0,1,2]']
        assert seen == [(number, "ValueError(2)", "x") for number in range(3)]

    async def test_what_a_socket_has_registered_ends_with_it(self, sio):
        seen = []
        async with connect(sio, "40") as first, connect(sio, "40") as second:
            one, _ = sio.sockets.values()
            one.on_any_outgoing(lambda socket, event: seen.append(socket.id))

            @one.on("x")
            async def x(socket): ...

            await sio.emit("a")
            await first.put("41")
            await first.put("40")
            first.get_waiting(), second.get_waiting()
            await sio.emit("b")
            await first.put('421["x"]')
            assert first.get_waiting() == ['42["b"]']
            assert seen == [one.id]

    async def test_once(self, shop):
        *_, socket, client = shop

        @socket.once("x")
        async def x(socket):
            return "once"

        with pytest.raises(ValueError, match="has a handler already"):
            socket.on("x")(x)
        for number in (1, 2):
            await client.put(f'42/shop/a,{number}["x"]')
        assert client.get_waiting() == ['43/shop/a,1["once"]']
        socket.on("x")(x)


class TestSentEvents:
    """Listeners of what is sent: once for each recipient, of everything that is queued, and of nothing else."""

    @pytest.fixture
    def seen(self, sio):
        seen = []
        sio.on_any_outgoing(lambda socket, event, *args: seen.append((socket.id, event, args)))
        return seen

    async def test_of_every_way_to_send(self, sio, seen, nursery):
        async with connect(sio, "40") as client, connect(sio, "40"):
            one, two = sio.sockets.values()
            await one.emit("emit", 1)
            one.emit_nowait("emit_nowait", b"2")
            await settle()
            await one.volatile.emit("volatile", [3])
            await settle()
            await sio.to(one.id).emit("broadcast", {"a": b"4"})
            await two.broadcast.emit("others")
            async with sio.to(one.id).call("question"):
                pass
            names = ["emit", "emit_nowait", "volatile", "broadcast", "others", "question"]
            assert seen == list(zip([one.id] * 6, names, [(1,), (b"2",), ([3],), ({"a": b"4"},), (), ()], strict=True))
            await settle()
            assert len(client.get_waiting()) == 8
            seen.clear()
            await sio.emit("all")
            assert seen == [(one.id, "all", ()), (two.id, "all", ())]

    async def test_not_of_what_is_not_sent(self, sio, seen):
        @sio.on("x")
        async def x(socket):
            return "an acknowledgement"

        async with connect(sio, "40") as client:
            (socket,) = sio.sockets.values()
            await client.put('421["x"]')
            for wrong, error in ((object(), TypeError), ("\ud800", ValueError)):
                for emit in (socket.emit, sio.emit):
                    with pytest.raises(error):
                        await emit("y", wrong)
            client.reading = trio.Event()
            for _ in range(9):
                with pytest.raises(trio.WouldBlock):
                    while True:
                        socket.emit_nowait("fills")
            fits = len(seen)
            assert {event for _, event, _ in seen} == {"fills"}
            client.reading.set()
            await settle()
            assert client.get_waiting() == ['431["an acknowledgement"]', *['42["fills"]'] * fits]

    async def test_one_that_fails_or_removes_itself_disturbs_nobody(self, sio, seen, caplog):
        def broken(socket, event, *args):
            sio.off_any_outgoing(broken)
            raise OSError("listener")

        sio.on_any_outgoing(broken, prepend=True)
        async with connect(sio, "40") as client:
            (socket,) = sio.sockets.values()
            await socket.emit("a")
            await socket.emit("b")
            assert await client.get_all(2) == ['42["a"]', '42["b"]']
        assert [event for _, event, _ in seen] == ["a", "b"]
        assert [record.getMessage() for record in caplog.records] == [
            f"{socket.id}: error in a listener of what is sent"
        ]
