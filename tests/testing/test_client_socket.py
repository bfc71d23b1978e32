"""What a test does with a client: expectations and their failures, streams, questions, and its misuse."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import Disconnected, MessagePackParser, Server
from trio_socketio.testing import ClientSocket, ExpectationFailed, open_memory_server


@pytest.fixture
def sio():
    sio = Server()

    @sio.on("echo")
    async def echo(socket, *args):
        return args

    @sio.on("say")
    async def say(socket, *args):
        await socket.emit(*args)

    @sio.on("hang")
    async def hang(socket):
        await trio.sleep_forever()

    return sio


async def test_what_it_is(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client(auth={"a": 1}) as socket:
        (ours,) = sio.sockets.values()
        assert socket.id == ours.id
        assert (socket.namespace, socket.auth, socket.connected, socket.recovered) == ("/", {"a": 1}, True, False)
        assert ours.auth == {"a": 1}
        assert repr(socket) == f"<ClientSocket {ours.id} of / connected>"


async def test_namespaces_begin_with_a_slash(autojump_clock, sio):
    sio.namespace("/chat")
    async with open_memory_server(sio) as server, server.open_client("chat") as socket:
        assert socket.namespace == "/chat"
        assert server.sio.namespace("/chat").sockets


async def test_both_sides_speak_the_servers_parser(autojump_clock):
    sio = Server(parser=MessagePackParser())

    @sio.on("echo")
    async def echo(socket, value):
        return value

    async with open_memory_server(sio) as server, server.open_client() as socket:
        assert await socket.call("echo", [b"x", 1.5]) == [b"x", 1.5]


# Questions


async def test_questions(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        assert await socket.call("echo") is None
        assert await socket.call("echo", b"1") == b"1"
        assert await socket.call("echo", 1, [2]) == (1, [2])


async def test_a_question_that_is_not_answered(autojump_clock, sio):
    async with open_memory_server(sio, patience=20) as server, server.open_client() as socket:
        with pytest.raises(ExpectationFailed, match="no acknowledgement of 'hang' has come; nothing else came"):
            await socket.call("hang")


async def test_a_question_whose_link_breaks(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client() as socket:
        async with trio.open_nursery() as nursery:

            async def ask():
                with pytest.raises(Disconnected, match="transport error"):
                    await socket.call("hang")

            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            socket.link.abort()


async def test_an_emit_that_finds_no_room(autojump_clock, sio):
    async with open_memory_server(sio, patience=20) as server, server.open_client(transports=("websocket",)) as socket:
        socket.link.half_open()
        with pytest.raises(ExpectationFailed, match="could not be sent: the link takes nothing"):
            for _ in range(2000):
                await socket.emit("x", "y" * 1000)


# Coming and going


async def test_waiting_for_what_does_not_happen(autojump_clock, sio):
    async with open_memory_server(sio, patience=5) as server, server.open_client(transports=("polling",)) as socket:
        with pytest.raises(ExpectationFailed, match="the client stayed connected"):
            await socket.wait_disconnected()
        with pytest.raises(ExpectationFailed, match="was not carried by websocket"):
            await socket.wait_transport("websocket")
        await server.drop()
        with pytest.raises(ExpectationFailed, match="the client was not connected"):
            await socket.wait_connected()
        socket.disconnect()
        with pytest.raises(ExpectationFailed, match="will not be carried by websocket any more"):
            await socket.wait_transport("websocket")


async def test_use_after_the_block(autojump_clock, sio):
    async with open_memory_server(sio) as server:
        async with server.open_client() as socket:
            pass
        for wrong in (socket.emit("x"), socket.call("x"), socket.expect("x")):
            with pytest.raises(RuntimeError, match="the block of this client has been left"):
                await wrong
        for wrong in (socket.connect, lambda: socket.emit_nowait("x")):
            with pytest.raises(RuntimeError, match="inside 'async with server.open_client"):
                wrong()


async def test_a_client_that_outlives_its_server(autojump_clock, sio):
    async def outlive(task_status):
        async with server.open_client() as socket:
            task_status.started()
            await left.wait()
            with pytest.raises(RuntimeError, match="do what needs it inside 'async with open_memory_server"):
                await socket.wait_connected()
            with pytest.raises(ExpectationFailed, match="the block of this server has been left"):
                await socket.expect("x")

    left = trio.Event()
    async with trio.open_nursery() as nursery:
        async with open_memory_server(sio) as server:
            await nursery.start(outlive)
        left.set()


def test_nobody_makes_clients_of_their_own():
    with pytest.raises(TypeError, match="no public constructor"):
        ClientSocket()


async def test_a_client_leaves_in_no_time(autojump_clock, sio):
    async with open_memory_server(sio) as server:
        for transports in (("polling",), ("websocket",), ("polling", "websocket")):
            async with server.open_client(transports=transports) as socket:
                await socket.wait_transport(transports[-1])
                began = trio.current_time()
            await trio.testing.wait_all_tasks_blocked()
            assert len(sio.engine.sessions) == 0
            assert trio.current_time() == began
