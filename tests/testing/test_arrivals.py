"""What a test expects of a client, as events or as a stream; and what it is told when that fails."""

from __future__ import annotations

from unittest.mock import ANY

import pytest
import trio

from trio_socketio import Server
from trio_socketio.testing import ClientEventStream, ExpectationFailed, open_memory_server


@pytest.fixture
def sio():
    sio = Server()

    @sio.on("echo")
    async def echo(socket, *args):
        return args

    return sio


async def test_events_are_taken_by_name_and_others_are_kept(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        for name in ("a", "b", "a"):
            sio.emit_nowait(name, name)
        assert (await socket.expect("b")).args == ("b",)
        assert (await socket.expect("a", ANY)).name == "a"
        await socket.expect("a", "a")
        await socket.expect_nothing()


async def test_a_failure_says_what_came_instead(autojump_clock, sio):
    async with open_memory_server(sio, patience=30) as server, server.open_client() as socket:
        sio.emit_nowait("typing", "Ada", {"x": 1})
        began = trio.current_time()
        with pytest.raises(ExpectationFailed) as failure:
            await socket.expect("message")
        assert trio.current_time() - began == 30
        assert str(failure.value) == (
            "'message' did not come; instead came: 'typing'('Ada', {'x': 1}); the client of / is connected"
            " (waited 30 virtual seconds)"
        )


async def test_other_arguments_are_a_failure(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        sio.emit_nowait("n", 1)
        with pytest.raises(ExpectationFailed, match=r"^expected 'n'\(2\), but 'n'\(1\) came; nothing else came"):
            await socket.expect("n", 2)


async def test_it_fails_at_once_when_nothing_can_come_any_more(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client(reconnection=False) as socket:
        began = trio.current_time()
        socket.link.abort()
        with pytest.raises(ExpectationFailed, match=r"'x' can't come any more; .* gone for good \(transport error\)"):
            await socket.expect("x")
        assert trio.current_time() == began


async def test_what_came_before_the_end_can_still_be_taken(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        await socket.call("echo")
        sio.emit_nowait("last", 1)
        (ours,) = sio.sockets.values()
        ours.disconnect()
        await socket.wait_disconnected()
        await socket.expect("last", 1)


async def test_an_expectation_may_be_met_after_a_reconnection(autojump_clock, sio):
    @sio.on_connection
    async def welcome(socket):
        await socket.emit("welcome")

    async with open_memory_server(sio) as server, server.open_client() as socket:
        await socket.expect("welcome")
        socket.link.abort()
        await socket.expect("welcome")


async def test_an_expectation_while_it_is_away_says_so(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        await server.drop()
        with pytest.raises(ExpectationFailed, match=r"is away \(transport error\), last attempt: nobody listens"):
            await socket.expect("x")


async def test_nothing_comes(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        await socket.expect_nothing()
        await socket.expect_nothing("n", within=5)
        sio.emit_nowait("other")
        await socket.expect_nothing("n")
        with pytest.raises(ExpectationFailed, match=r"^'other'\(\) came, and nothing should"):
            await socket.expect_nothing()


async def test_something_comes_a_little_later(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:

        async def later():
            await trio.sleep(3)
            sio.emit_nowait("n", 1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(later)
            began = trio.current_time()
            with pytest.raises(ExpectationFailed, match="and nothing should"):
                await socket.expect_nothing("n", within=5)
            assert trio.current_time() - began == 3


async def test_what_has_a_handler_is_not_expected(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:

        @socket.on("n")
        async def handler(socket):
            return None

        with pytest.raises(RuntimeError, match="'n' has a handler"):
            await socket.expect("n")
        with pytest.raises(ValueError, match="has a handler already"):
            socket.on("n")(handler)


@pytest.mark.parametrize("name", ["connect", "disconnect", "connect_error"])
async def test_reserved_names(autojump_clock, sio, name):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        for wrong in (socket.expect(name), socket.expect_nothing(name), socket.emit(name), socket.call(name)):
            with pytest.raises(ValueError, match=name):
                await wrong


async def test_a_failing_test_comes_out_as_it_is(autojump_clock, sio):
    with pytest.raises(ExpectationFailed):
        async with open_memory_server(sio, patience=1) as server, server.open_client() as socket:
            await socket.expect("never")
    with pytest.raises(ZeroDivisionError):
        async with open_memory_server(sio) as server, server.open_client():
            1 / 0


# Streams


async def test_streams(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        for number in range(3):
            sio.emit_nowait("n", number)
            sio.emit_nowait("other", number)
        async with socket.events("n") as events:
            assert [(await anext(events)).args for _ in range(2)] == [(0,), (1,)]
            async for event in events:
                assert event.args == (2,)
                break
        got = []
        async for event in socket:
            got.append((event.name, *event.args))
            if len(got) == 3:
                break
        assert got == [("other", 0), ("other", 1), ("other", 2)]


async def test_a_stream_ends_with_the_client(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        sio.emit_nowait("n", 1)
        await trio.testing.wait_all_tasks_blocked()
        socket.disconnect()
        assert [event.args async for event in socket] == [(1,)]


async def test_a_stream_does_not_wait_for_ever(autojump_clock, sio):
    async with open_memory_server(sio, patience=9) as server, server.open_client() as socket:
        async with socket.events("a", "b") as events:
            with pytest.raises(ExpectationFailed, match="'a' or 'b' did not come"):
                await anext(events)
        with pytest.raises(ExpectationFailed, match="^an event did not come"):
            await anext(aiter(socket))


def test_nobody_makes_streams_of_their_own():
    with pytest.raises(TypeError, match="no public constructor"):
        ClientEventStream()
