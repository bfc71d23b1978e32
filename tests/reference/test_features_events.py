"""Features of events that no other test has."""

from __future__ import annotations

from tests.support.raw_client import raw_client
from trio_socketio import Server


async def test_ids_of_questions_count_for_each_namespace(way):
    server = Server()
    chat = server.namespace("/chat")

    async def ask(socket):
        await socket.call("who")

    server.on_connection(ask)
    chat.on_connection(ask)
    async with (
        way(server) as url,
        raw_client(url) as client,
        client.session() as first,
        client.session() as second,
    ):
        for websocket, join, question in (
            (first, "40", '420["who"]'),
            # The other client of the namespace is asked the next one, and those of another one from the beginning.
            (second, "40", '421["who"]'),
            (second, "40/chat,", '42/chat,0["who"]'),
            (first, "40/chat,", '42/chat,1["who"]'),
        ):
            await websocket.send(join)
            assert (await websocket.receive_without_pings(2))[1] == question


async def test_base64_in_a_text_frame_is_an_attachment(way):
    server = Server()

    @server.on("x")
    async def x(socket, data):
        return len(data), data

    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40", '451-7["x",{"_placeholder":true,"num":0}]', "bAQID")
        answer = (await websocket.receive_without_pings(3))[1:]
        assert answer == ['461-7[3,{"_placeholder":true,"num":0}]', b"\1\2\3"]
