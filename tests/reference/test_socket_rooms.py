"""The reference's cases of rooms that no other test of ours has: nothing is kept of a room that is empty."""

from __future__ import annotations

import pytest

from tests.support.application import CALM, socket_of
from tests.support.client import connect
from trio_socketio import Server


@pytest.mark.parametrize("how", ["leave", "client leaves", "server ends it"])
async def test_a_room_without_sockets_is_forgotten(autojump_clock, how):
    sio = Server(CALM)
    async with sio.running(), connect(sio, "40") as client, connect(sio, "40"):
        one, two = sio.sockets.values()
        one.join("a", "b", "shared")
        two.join("shared")
        kept = sio._namespaces.get("/").adapter._rooms._members
        assert set(kept) == {one.id, two.id, "a", "b", "shared"}
        if how == "leave":
            one.leave("a", "b", "shared", "unknown")
            assert one.rooms == {one.id}
        elif how == "client leaves":
            await client.put("41")
        else:
            one.disconnect()
            await client.put()
        assert set(kept) == ({one.id, two.id, "shared"} if how == "leave" else {two.id, "shared"})
        assert list(kept["shared"]) == [two.id]


async def test_one_that_is_left_and_joined_again(autojump_clock):
    sio = Server(CALM)
    async with sio.running(), connect(sio, "40") as client:
        socket = socket_of(sio)
        for _ in range(3):
            socket.join("a")
            socket.leave("a")
        socket.join("a")
        await sio.to("a").emit("e")
        assert await client.get() == '42["e"]'
