"""A WebSocket of the client, against bytes of a server and against the real one."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import Server
from trio_socketio._wire.websocket_frame import CLOSE, PING, TEXT, Close, FrameReader, Pong, encode_close, encode_frame
from trio_socketio.testing import HandshakeFailed, open_memory_server
from trio_socketio.testing.client_websocket import ClientWebSocket, open_websocket
from trio_socketio.testing.memory_stream import MemoryConnection

TARGET = "/socket.io/?EIO=4&transport=websocket"


@pytest.fixture
def pair():
    connection = MemoryConnection()
    return ClientWebSocket(connection.client, b""), connection.server


async def seen(stream):
    return FrameReader(max_message=1000, max_parts=9).feed(await stream.receive_some())


async def test_messages_both_ways(autojump_clock, pair):
    websocket, server = pair
    await websocket.send("text", b"bytes")
    assert await seen(server) == ["text", b"bytes"]
    await server.send_all(encode_frame(TEXT, b"a") + encode_frame(2, b"b"))
    assert [await websocket.receive(), await websocket.receive()] == ["a", b"b"]


async def test_what_came_with_the_handshake_comes_first(autojump_clock):
    connection = MemoryConnection()
    websocket = ClientWebSocket(connection.client, encode_frame(TEXT, b"first"))
    assert await websocket.receive() == "first"


async def test_pings_of_the_websocket_are_answered(autojump_clock, pair):
    websocket, server = pair
    await server.send_all(encode_frame(PING, b"p") + encode_frame(0xA, b"") + encode_frame(TEXT, b"x"))
    assert await websocket.receive() == "x"
    assert await seen(server) == [Pong(b"p")]


@pytest.mark.parametrize(("frame", "code"), [(encode_close(1001), 1001), (encode_frame(CLOSE, b""), None)])
async def test_a_close_is_answered_and_is_the_end(autojump_clock, pair, frame, code):
    websocket, server = pair
    await server.send_all(encode_frame(TEXT, b"x") + frame)
    assert await websocket.receive() == "x"
    with pytest.raises(trio.EndOfChannel):
        await websocket.receive()
    assert (websocket.is_closed, websocket.close_code) == (True, code)
    assert await seen(server) == [Close(code, "")]
    with pytest.raises(trio.EndOfChannel):
        await websocket.receive()


async def test_the_end_of_the_connection_without_a_close(autojump_clock, pair):
    websocket, server = pair
    await server.send_eof()
    with pytest.raises(trio.EndOfChannel):
        await websocket.receive()
    assert websocket.close_code is None


async def test_closing_says_goodbye_once(autojump_clock, pair):
    websocket, server = pair
    await websocket.close(1001)
    await websocket.close()
    assert await seen(server) == [Close(1001, "")]
    assert await server.receive_some() == b""


async def test_leaving_without_a_word(autojump_clock, pair):
    websocket, server = pair
    websocket.abandon()
    assert await server.receive_some() == b""


async def test_the_real_server_opens_one(autojump_clock):
    async with open_memory_server(Server()) as server:
        websocket = await open_websocket(server.new_link(), TARGET, {"x": "y"})
        opened = await websocket.receive()
        assert opened.startswith("0{")
        await websocket.close()


async def test_the_real_server_refuses_one(autojump_clock):
    async with open_memory_server(Server()) as server:
        link = server.new_link()
        with pytest.raises(HandshakeFailed, match="400.*Transport unknown") as failure:
            await open_websocket(link, "/socket.io/?EIO=4&transport=pigeon", {})
        assert failure.value.answer.status == 400
        await trio.testing.wait_all_tasks_blocked()
        assert link.connections == 0
