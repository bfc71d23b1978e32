"""What a server still holds, as a report."""

from __future__ import annotations

import trio

from trio_socketio import ConnectionStateRecovery, Server
from trio_socketio.testing import Leftovers, open_memory_server
from trio_socketio.testing.leftovers import look_at, time_outs_of


async def test_nothing_is_left_of_clients_that_have_gone(autojump_clock):
    sio = Server()

    @sio.on_connection
    async def member(socket):
        socket.join("lobby")
        await trio.sleep_forever()

    async with open_memory_server(sio) as server:
        for transports in (("polling",), ("websocket",), ("polling", "websocket")):
            async with server.open_client(transports=transports):
                pass
        async with server.open_client(reconnection=False) as socket:
            socket.link.abort()
        async with server.open_raw() as raw:
            await raw.send("40")
        began = trio.current_time()
        left = await server.leftovers()
        assert not left
        assert str(left) == "nothing is left"
        assert trio.current_time() - began < 60


async def test_the_report_names_what_is_there(autojump_clock):
    sio = Server()

    @sio.on("ask")
    async def ask(socket):
        socket.join("b", "a")
        return await socket.call("question")

    async with open_memory_server(sio) as server:
        async with server.open_client(transports=("websocket",)) as socket:
            await socket.emit("ask")
            await socket.expect("question")
            began = trio.current_time()
            left = await server.leftovers(within=7)
            assert trio.current_time() - began == 7
            (session,) = left.sessions
            assert session.endswith("... by websocket, 0 packets wait")
            assert left.sockets == (f"{socket.id} of / in a, b",)
            assert left.pending_acknowledgements == (f"1 of {socket.id} of /",)
            assert left.connections == ("number 1",)
            assert any("ask, test_leftovers.py:" in task for task in left.tasks)
            report = str(left).splitlines()
            assert report[0] == "the server still holds:"
            assert f"  socket: {socket.id} of / in a, b" in report
            assert f"  pending acknowledgement: 1 of {socket.id} of /" in report
        assert not await server.leftovers()


async def test_a_handler_that_does_not_end_is_shown_where_it_waits(autojump_clock):
    sio = Server()
    released = trio.Event()

    @sio.on_disconnect
    async def slow(socket, reason):
        with trio.CancelScope(shield=True):
            await released.wait()

    async with open_memory_server(sio) as server:
        async with server.open_client():
            pass
        left = await server.leftovers(within=1)
        assert any("slow, test_leftovers.py:" in task for task in left.tasks)
        assert left.sessions == ()
        released.set()
        assert not await server.leftovers()


async def test_lost_sockets(autojump_clock):
    sio = Server(recovery=ConnectionStateRecovery(max_disconnection_duration=60))

    @sio.on_connection
    async def member(socket):
        socket.join("lobby")

    async with open_memory_server(sio) as server:
        async with server.open_client(transports=("websocket",), reconnection=False) as socket:
            socket.link.abort()
            await socket.wait_disconnected()
        assert (await server.leftovers(within=0)).lost_sockets == (f"{socket.id} of / in lobby",)
        assert time_outs_of(sio) == 25 + 20 + 5 + 60 + 5
        assert not await server.leftovers()


async def test_rooms_of_nobody(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server:
        (members,) = sio._namespaces
        members.adapter.add("ghost", ["lobby"])
        assert (await server.leftovers()).rooms == ("'lobby' of / with ghost",)
        members.adapter.remove_all("ghost")


async def test_a_session_that_has_no_transport_yet(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_raw("polling"):
        (session,) = sio.engine.sessions.values()
        transport, session.transport = session.transport, None
        assert look_at(sio).sessions[0].endswith("by no transport, 0 packets wait")
        session.transport = transport


def test_a_server_that_is_not_run_holds_nothing():
    assert look_at(Server()) == Leftovers()


async def test_tasks_of_a_nursery_of_a_socket(autojump_clock):
    sio = Server()

    @sio.on_connection
    async def member(socket):
        socket.nursery.start_soon(trio.sleep_forever)

        async def walk():
            async for _ in numbers():
                pass

        socket.nursery.start_soon(walk)

    async def numbers():
        yield 1
        await trio.sleep_forever()

    async with open_memory_server(sio) as server, server.open_client():
        await trio.testing.wait_all_tasks_blocked()
        tasks = look_at(server.sio).tasks
        assert "trio.sleep_forever" in tasks
        assert any("walk" in task and "test_leftovers.py" in task for task in tasks)
