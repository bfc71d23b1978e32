"""``async for event in socket``: however it is left the socket goes on; and where to read would be to wait for oneself."""

from __future__ import annotations

import sys

import pytest
import trio

from tests.support.application import errors_of, socket_of
from tests.support.client import connect, settle


async def echo(socket, *args):
    return args


def numbers(*values: int) -> list[str]:
    return [f'42["n",{value}]' for value in values]


class TestOfTheSocket:
    """``async for event in socket``."""

    async def test_all_events(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def read(socket):
            async for event in socket:
                seen.append((event.name, *event.args))

        async with connect(sio, "40") as client:
            await client.put('42["a"]', '42["b",1,2]')
            assert seen == [("a",), ("b", 1, 2)]

    async def test_the_very_first_event_is_in_it(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def read(socket):
            async for event in socket:
                seen.append(event.name)

        async with connect(sio) as client:
            client.put_nowait("40")
            await client.get()
            await client.put('42["first"]')
        assert seen == ["first"]

    async def test_break_and_the_worker_waits_for_nobody(self, sio, autojump_clock):
        handled = []

        @sio.on("n")
        async def number(socket, value):
            handled.append(value)

        @sio.on_connection
        async def read(socket):
            async for event in socket:
                if event.args == (1,):
                    break
            await trio.sleep_forever()

        async with connect(sio, "40") as client:
            await client.put(*numbers(*range(50)))
            assert handled == list(range(50))
            assert not socket_of(sio)._life.dispatcher._inlets

    async def test_break_and_go_on_at_once_loses_none(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def read(socket):
            while True:
                async for event in socket:
                    seen.append(event.args[0])
                    await trio.sleep(0.1)
                    break

        async with connect(sio, "40") as client:
            await client.put(*numbers(*range(10)))
            await trio.sleep(5)
            assert seen == list(range(10))
            assert len(socket_of(sio)._life.dispatcher._inlets) == 1

    @pytest.mark.parametrize("how", ["raises", "is cancelled", "returns"])
    async def test_the_reader_is_gone(self, sio, autojump_clock, how):
        handled = []

        @sio.on("n")
        async def number(socket, value):
            handled.append(value)

        async def read(socket):
            async for _ in socket:
                if how == "raises":
                    raise KeyError
                if how == "returns":
                    return
                await trio.sleep_forever()

        async with connect(sio, "40") as client:
            async with trio.open_nursery() as nursery:

                async def run():
                    with pytest.raises(KeyError) if how == "raises" else trio.move_on_after(1):
                        await read(socket_of(sio))

                nursery.start_soon(run)
                await client.put(*numbers(*range(5)))
            await settle()
            assert handled == list(range(5))
            assert not socket_of(sio)._life.dispatcher._inlets

    async def test_an_error_that_is_kept_does_not_keep_the_stream(self, sio, autojump_clock):
        errors = errors_of(sio)
        sio.on("x")(echo)

        @sio.on("read", concurrent=True)
        async def read(socket):
            with trio.move_on_after(1):
                try:
                    async for _ in socket:
                        pass
                finally:
                    raise ValueError  # its context is the cancellation, with the frames of the loop

        async with connect(sio, "40") as client:
            await client.put('42["read"]')
            await trio.sleep(2)
            assert [type(error.__context__) for _, error in errors] == [trio.Cancelled]
            await client.put('421["x"]')
            assert client.get_waiting() == ["431[]"]

    async def test_it_ends_with_the_socket_for_others(self, sio, autojump_clock):
        ended = []

        async def read(socket):
            ended.append([event.name async for event in socket])

        async with connect(sio, "40") as client, trio.open_nursery() as nursery:
            socket = socket_of(sio)
            nursery.start_soon(read, socket)
            await settle()
            await client.put('42["a"]')
            socket.disconnect()
            await settle()
            assert ended == [["a"]]
            await read(socket)
            assert ended == [["a"], []]

    async def test_in_on_disconnect_it_is_at_its_end(self, sio, autojump_clock):
        ended = []

        @sio.on_disconnect
        async def gone(socket, reason):
            ended.append([event async for event in socket])

        async with connect(sio, "40") as client:
            await client.put("41")
        assert ended == [[]]

    async def test_nothing_is_left_of_it(self, sio, autojump_clock):
        async with connect(sio, "40"):
            stream = aiter(socket_of(sio))
            assert sys.getrefcount(stream) == 2, "the worker holds the other end only"
            assert len(socket_of(sio)._life.dispatcher._inlets) == 1
            del stream
            await settle()
            assert not socket_of(sio)._life.dispatcher._inlets


class TestInHandlers:
    """Where to read would be to wait for oneself."""

    async def test_in_order_it_is_refused(self, sio, autojump_clock):
        errors = errors_of(sio)

        @sio.on("loop")
        async def loop(socket):
            async for _ in socket:
                pytest.fail("no event can come")

        @sio.on("block")
        async def block(socket):
            async with socket.events("n") as events:
                await anext(events)

        @sio.on("child")
        async def child(socket):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(loop, socket)
                nursery.start_soon(trio.sleep_forever)

        sio.on("x")(echo)
        async with connect(sio, "40") as client:
            await client.put('42["loop"]', '42["block"]', '42["child"]', '421["x"]')
            assert client.get_waiting() == ["431[]"]
            assert not socket_of(sio)._life.dispatcher._inlets
        assert [(event, type(error)) for event, error in errors] == [
            (name, RuntimeError) for name in ("loop", "block", "child")
        ]
        assert "register it with concurrent=True" in str(errors[0][1])

    @pytest.mark.parametrize("kind", ["any", "packets"])
    async def test_in_listeners_and_middlewares_likewise(self, sio, autojump_clock, kind):
        errors = errors_of(sio)

        async def read(socket, *args):
            async for _ in socket:
                pytest.fail("no event can come")

        (sio.on_any if kind == "any" else sio.packet_middleware)(read)
        async with connect(sio, "40") as client:
            await client.put('42["x"]')
        assert [(event, type(error)) for event, error in errors] == [("x", RuntimeError)]

    async def test_concurrent_ones_and_all_that_run_beside_may_read(self, sio, autojump_clock):
        seen = []

        async def read(socket, name):
            async with socket.events("n") as events:
                seen.append((name, (await anext(events)).args[0]))

        @sio.on_connection
        async def connection(socket):
            socket.nursery.start_soon(read, socket, "socket.nursery")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, socket, "connection")
                nursery.start_soon(trio.lowlevel.checkpoint)

        @sio.on("concurrent", concurrent=True)
        async def concurrent(socket):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, socket, "concurrent")
                nursery.start_soon(trio.lowlevel.checkpoint)

        @sio.on("starts")
        async def starts(socket):
            socket.nursery.start_soon(read, socket, "started")

        async with connect(sio, "40") as client, connect(sio, "40") as other:
            await client.put('42["concurrent"]')
            await client.put('42["starts"]')
            await client.put(*numbers(1))
            assert sorted(seen) == [("concurrent", 1), ("connection", 1), ("socket.nursery", 1), ("started", 1)]
            seen.clear()

            @sio.on("of another")
            async def of_another(socket):
                await read(next(each for each in sio.sockets.values() if each is not socket), "of another")
                return "read"

            await other.put('421["of another"]')
            await client.put(*numbers(2))
            assert other.get_waiting() == ['431["read"]']
