"""Events of the client: handlers in order, acknowledgements, and what has no handler."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import Server
from trio_socketio.testing import open_memory_server
from trio_socketio.testing.memory_server import CLIENT_LIMITS


async def one(sio, namespace="/"):
    (socket,) = sio.namespace(namespace).sockets.values()
    return socket


async def test_handlers_are_called_in_order_and_their_results_are_acknowledgements(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_client() as client:
        seen = []

        @client.on("sum")
        async def add(socket, *numbers):
            assert socket is client
            await trio.sleep(1 if sum(numbers) == 3 else 0)
            seen.append(sum(numbers))
            return sum(numbers)

        @client.on("nothing")
        async def nothing(socket):
            return None

        @client.on("both")
        async def both(socket):
            return 1, b"2"

        socket = await one(sio)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.call, "sum", 1, 2)
            await trio.testing.wait_all_tasks_blocked()
            assert await socket.call("sum", 4, 5) == 9
        assert seen == [3, 9]
        assert await socket.call("nothing") is None
        assert await socket.call("both") == (1, b"2")


async def test_a_handler_may_ask_the_server_that_waits_for_it(autojump_clock):
    sio = Server()

    @sio.on("name")
    async def name(socket):
        return "Ada"

    async with open_memory_server(sio) as server, server.open_client() as client:

        @client.on("greet")
        async def greet(socket):
            return f"hello {await socket.call('name')}"

        assert await (await one(sio)).call("greet") == "hello Ada"


async def test_concurrent_handlers_do_not_hold_up_the_next(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_client() as client:
        released = trio.Event()

        @client.on("slow", concurrent=True)
        async def slow(socket):
            await released.wait()

        @client.on("fast")
        async def fast(socket):
            released.set()

        socket = await one(sio)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.call, "slow")
            await trio.testing.wait_all_tasks_blocked()
            await socket.emit("fast")


async def test_an_error_in_a_handler_fails_the_test_as_it_is(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server:
        with pytest.raises(ZeroDivisionError):
            async with server.open_client() as client:

                @client.on("x")
                async def divide(socket):
                    return 1 / 0

                sio.emit_nowait("x")
                await trio.sleep_forever()


async def test_arguments_are_checked_by_annotations(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server:
        with pytest.raises(Exception, match="int"):
            async with server.open_client() as client:

                @client.on("x")
                async def typed(socket, number: int):
                    return None

                sio.emit_nowait("x", "no number")
                await trio.sleep_forever()


async def test_what_has_no_handler_is_kept_and_can_be_answered(autojump_clock):
    sio = Server()
    answers = []
    async with open_memory_server(sio) as server, server.open_client() as client:
        socket = await one(sio)

        async def ask():
            answers.append(await socket.call("question", b"x"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            event = await client.expect("question", b"x")
            assert event.wants_answer
            await event.answer("yes", 1)
            assert not event.wants_answer
        assert answers == [("yes", 1)]


async def test_an_answer_whose_server_is_gone_is_nobodys_error(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_client(reconnection=False) as client:

        @client.on("x")
        async def leave(socket):
            socket.link.abort()
            await trio.sleep(1)

        socket = await one(sio)
        with pytest.raises(trio.BrokenResourceError):
            await socket.call("x")
        await client.wait_disconnected()
        await trio.sleep(2)


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
async def test_a_slow_handler_holds_the_server_up_and_loses_nothing(autojump_clock, transports):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_client(transports=transports) as client:
        seen, released = [], trio.Event()

        @client.on("n")
        async def slow(socket, number):
            await released.wait()
            seen.append(number)

        socket = await one(sio)
        for number in range(1500):
            await socket.emit("n", number)
        await trio.sleep(10)
        assert len(client._events._queue.events) == CLIENT_LIMITS.event_queue
        released.set()
        await trio.sleep(1)
        assert seen == list(range(1500))
