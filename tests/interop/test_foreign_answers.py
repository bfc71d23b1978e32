"""Questions to many, and what operators do to sockets, with other people's clients on a real wire."""

from __future__ import annotations

import pytest
import trio

from tests.support.foreign_client import PATIENCE, TRANSPORTS, foreign_client, node_command, python_command
from trio_socketio import Server, serve

NODE = pytest.param("node", marks=pytest.mark.node)


@pytest.fixture
def sio():
    return Server()


@pytest.fixture
async def sockets(request, sio, nursery):
    """Three of them, one for each way to connect, by their ids."""
    serving = await nursery.start(serve, sio, "127.0.0.1:0")
    async with foreign_client(node_command() if request.param == "node" else python_command()) as client:
        sockets = {}
        for transports in TRANSPORTS.values():
            socket = await client.open(serving.urls[0], transports=transports)
            socket_id, *_ = await socket.expect("connect")
            sockets[socket_id] = socket
        yield sockets
    await serving.aclose()


@pytest.mark.parametrize("sockets", [NODE, "python-socketio"], indirect=True)
class TestForeign:
    async def test_all_answer_a_question(self, sio, sockets):
        with trio.fail_after(PATIENCE):
            assert await sio.gather("question", "colour?", b"\3") == dict.fromkeys(sockets, ("colour?", b"\3"))

    async def test_one_is_cut_in_the_midst(self, sio, sockets):
        (gone, socket), *others = sockets.items()
        with trio.fail_after(PATIENCE):
            async with sio.call("question", 1) as answers:
                sio.to(gone).disconnect_sockets(close=True)
                got = {socket_id: answer async for socket_id, answer in answers}
        assert got == dict.fromkeys((socket_id for socket_id, _ in others), 1)
        assert answers.missing == {gone}
        await socket.expect("disconnect")

    async def test_rooms_and_remote_sockets(self, sio, sockets):
        first, second, third = sockets
        sio.except_(third).sockets_join("x")
        sio.to(second).sockets_leave("x")
        (remote,) = await sio.to("x").fetch_sockets()
        assert remote.id == first
        with trio.fail_after(PATIENCE):
            assert await remote.call("question", "only you") == "only you"
            await remote.emit("news", 1)
            assert await sockets[first].expect("news") == (1,)
        remote.disconnect()
        await sockets[first].expect("disconnect")
        assert sio.sockets.keys() == {second, third}
