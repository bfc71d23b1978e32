"""The reference's cases of dynamic namespaces that a client sees, over the wire, in every way of being served."""

from __future__ import annotations

import re

import pytest
import trio

from tests.support.families import names
from tests.support.raw_client import raw_client
from tests.support.served import WAYS
from trio_socketio import Server, Socket

DYNAMIC = re.compile(r"/dynamic-\d+")


@pytest.mark.parametrize("to_room", [False, True])
@pytest.mark.parametrize("way", sorted(WAYS))
async def test_a_family_of_a_pattern_sends_to_who_has_just_joined(way, to_room):
    sio, seen = Server(), []
    family = sio.namespace(DYNAMIC)

    @family.middleware
    async def check(socket: Socket) -> None:
        seen.append(f"middleware of {socket.namespace}")

    @family.on_connection
    async def joined(socket: Socket) -> None:
        seen.append(f"connection to {socket.namespace}")
        socket.join("some-room")
        await (family.to("some-room") if to_room else family).emit("hello", 1, "2", {"3": "4"})

    async with WAYS[way](sio) as url, raw_client(url) as client:
        async with client.session() as websocket:
            await websocket.send("40/dynamic-101,")
            assert (await websocket.receive()).startswith('40/dynamic-101,{"sid":"')
            assert await websocket.receive() == '42/dynamic-101,["hello",1,"2",{"3":"4"}]'
        query = await client.open_polling()
        await client.post(query, "40/dynamic-102,")
        connected, hello = (await client.get(query)).text.split("\x1e")
        assert connected.startswith('40/dynamic-102,{"sid":"')
        assert hello == '42/dynamic-102,["hello",1,"2",{"3":"4"}]'
        await client.post(query, "1")
        with trio.fail_after(10):
            while names(sio):
                await trio.sleep(0.01)
    assert seen == [f"{what} /dynamic-10{number}" for number in "12" for what in ("middleware of", "connection to")]


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_a_function_says_which_exist(way):
    sio = Server()

    @sio.namespace
    async def rule(name: str, auth: object) -> bool:
        await trio.sleep(0)
        return name == "/dynamic-101"

    sio.namespace(re.compile(r"/other-\d+"))
    async with WAYS[way](sio) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40/abc,")
        assert await websocket.receive() == '44/abc,{"message":"Invalid namespace"}'
        await websocket.send("40/dynamic-101,")
        assert (await websocket.receive()).startswith('40/dynamic-101,{"sid":"')
        assert names(sio) == {"/dynamic-101"}
