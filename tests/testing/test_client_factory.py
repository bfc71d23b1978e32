"""Clients that stay until a test is over."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import ConnectionRefused, Server
from trio_socketio.testing import Backoff, open_memory_server
from trio_socketio.testing.client_factory import ClientFactory, client_factory


async def test_clients_leave_in_the_end_and_the_server_is_told(autojump_clock):
    sio = Server()
    reasons = []

    @sio.on_disconnect
    async def note(socket, reason):
        reasons.append(str(reason))

    async with open_memory_server(sio) as server:
        async with client_factory(server) as open_client:
            alice, bob = await open_client(), await open_client("/", transports=("websocket",))
            assert {alice.id, bob.id} == set(sio.sockets)
        assert reasons == ["client namespace disconnect"] * 2
        assert not alice.connected and not bob.connected
        assert not await server.leftovers()


async def test_it_takes_all_that_open_client_takes(autojump_clock):
    sio = Server()
    seen = []

    @sio.on_connection
    async def note(socket):
        handshake = socket.handshake
        seen.append((socket.auth["name"], handshake.headers["x-one"], handshake.query["two"], socket.namespace))

    sio.namespace("/chat").on_connection(note)
    async with open_memory_server(sio) as server, client_factory(server) as open_client:
        link = server.new_link()
        alice = await open_client(
            "/chat",
            auth={"name": "alice"},
            transports=("websocket",),
            headers={"x-one": "1"},
            query={"two": "2"},
            reconnection_attempts=1,
            backoff=Backoff(first=3, longest=3, jitter=0),
            link=link,
        )
        assert alice.link is link and alice.transport == "websocket"
        await trio.testing.wait_all_tasks_blocked()
        assert [str(part) for part in seen[0][:3]] == ["alice", "1", "2"]
        link.refuse()
        link.abort()
        lost_at = trio.current_time()
        assert await alice.wait_disconnected() == "transport error"
        with pytest.raises(ConnectionRefusedError):
            await alice.wait_connected()
        assert trio.current_time() == lost_at + 3, "one attempt, after three seconds"


@pytest.mark.parametrize("transports", [("polling",), ("websocket",), ("polling", "websocket")])
async def test_who_is_refused_is_no_client(autojump_clock, transports):
    sio = Server()

    @sio.middleware
    async def refuse(socket):
        raise ConnectionRefused("not you", {"why": "no name"})

    async with open_memory_server(sio) as server:
        async with client_factory(server) as open_client:
            with pytest.raises(ConnectionRefused, match="not you") as refused:
                await open_client(transports=transports)
            assert refused.value.data == {"why": "no name"}
            assert open_client.errors == []
            assert trio.current_time() < 1, "at once"
        assert not await server.leftovers(), "the session of who was refused is closed"


async def test_bad_use_is_the_callers(autojump_clock):
    async with open_memory_server(Server()) as server, client_factory(server) as open_client:
        with pytest.raises(TypeError, match="takes the name of a namespace"):
            await open_client(5)
        with pytest.raises(ValueError, match="must name one or both"):
            await open_client(transports="websocket")
        await server.drop()
        with pytest.raises(ConnectionRefusedError):
            await open_client()
        assert open_client.errors == []


async def test_a_handler_that_raises_ends_its_client_and_nobody_else(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, client_factory(server) as open_client:
        alice, bob = await open_client(), await open_client()

        @alice.on("news")
        async def fail(socket, text):
            raise LookupError(text)

        await sio.emit("news", "bad ones")
        await bob.expect("news", "bad ones")
        await trio.testing.wait_all_tasks_blocked()
        assert [repr(error) for error in open_client.errors] == ["LookupError('bad ones')"]
        assert bob.connected


async def test_what_was_sent_last_arrives(autojump_clock):
    sio = Server()
    said = []

    @sio.on("say")
    async def say(socket, text):
        said.append(text)

    async with open_memory_server(sio) as server, client_factory(server) as open_client:
        for transports in (("polling",), ("websocket",), ("polling", "websocket")):
            client = await open_client(transports=transports)
            await client.emit("say", transports)
    assert len(said) == 3


async def test_in_real_time_too():
    async with open_memory_server(Server()) as server, client_factory(server) as open_client:
        assert (await open_client(transports=("websocket",))).connected


async def test_a_caller_that_is_cancelled_has_no_client(autojump_clock):
    async with open_memory_server(Server()) as server:
        async with client_factory(server) as open_client:
            link = server.new_link()
            link.delay(10)
            with trio.move_on_after(5) as scope:
                await open_client(link=link)
            assert scope.cancelled_caught
        assert not server.sio.sockets


def test_nobody_makes_one():
    with pytest.raises(TypeError, match="no public constructor"):
        ClientFactory(None, None)
