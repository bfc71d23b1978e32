"""The reference's cases of events, over the wire in each way of being served: what arguments and answers arrive as."""

from __future__ import annotations

import json
from array import array

import pytest
import trio

from tests.support.echo_server import echoing, only_socket, until
from tests.support.raw_client import PATIENCE, raw_client
from trio_socketio import Limits, Server

PICTURE = bytes(range(256)) * 40


def placeholder(number: int) -> str:
    return f'{{"_placeholder":true,"num":{number}}}'


EVENTS = {
    "several": ([1, "2", [3]], ['42["x",1,"2",[3]]']),
    "null": ([None], ['42["x",null]']),
    "more than one byte a character": (["grün € 😀"], ['42["x","grün € 😀"]']),
    "binary": ([PICTURE], [f'451-["x",{placeholder(0)}]', PICTURE]),
    "mixed": (
        [1, PICTURE, "3", [4], b"short", [PICTURE, "text", b"short"]],
        [
            f'454-["x",1,{placeholder(0)},"3",[4],{placeholder(1)},[{placeholder(2)},"text",{placeholder(3)}]]',
            *[PICTURE, b"short"] * 2,
        ],
    ),
    "very large JSON": ([{"json": ["x" * 1000] * 700}], ['42["x",' + json.dumps({"json": ["x" * 1000] * 700}) + "]"]),
    "very large binary": ([{"image": PICTURE * 90}], [f'451-["x",{{"image":{placeholder(0)}}}]', PICTURE * 90]),
}


def compact(frame: str | bytes) -> str | bytes:
    """The frame with its JSON as it is written by servers."""
    if isinstance(frame, bytes):
        return frame
    at = frame.index("[")
    return frame[:at] + json.dumps(json.loads(frame[at:]), separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("name", EVENTS)
async def test_arguments_both_ways(way, name):
    args, frames = EVENTS[name]
    server, received = Server(), []

    @server.on("x")
    async def x(socket, *args):
        received.append(list(args))
        await socket.emit("x", *args)

    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40", *frames)
        assert (await websocket.receive())[:2] == "40"
        assert await websocket.receive_without_pings(len(frames)) == [compact(frame) for frame in frames]
        assert received == [args]


SMALL = array("b", range(-5, 5))
WIDE = array("i", [number * 70_000 - 100_000 for number in range(5)])


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (memoryview(SMALL), SMALL.tobytes()),
        (memoryview(WIDE), WIDE.tobytes()),
        (bytearray(WIDE.tobytes()), WIDE.tobytes()),
        (memoryview(WIDE)[1:3], WIDE.tobytes()[4:12]),
        (memoryview(WIDE)[::2], WIDE[::2].tobytes()),
    ],
)
async def test_views_of_numbers_are_sent_as_their_bytes(way, value, sent):
    server = Server()
    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40")
        await websocket.receive()
        await only_socket(server).emit("x", value)
        assert await websocket.receive() == f'451-["x",{placeholder(0)}]'
        assert await websocket.receive() == sent


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        (['421["echo"]'], ["431[]"]),
        (['421["echo",1,2]'], ["431[1,2]"]),
        ([f'451-1["echo",{placeholder(0)}]', b"abc"], [f"461-1[{placeholder(0)}]", b"abc"]),
        ([f'451-1["count",{placeholder(0)}]', b"abc"], ["431[3,2]"]),
        (['421["make",2]'], [f"461-1[{placeholder(0)}]", b"\0\0"]),
    ],
)
async def test_answers_to_the_client(way, event, answer):
    server = echoing()

    @server.on("count")
    async def count(socket, data):
        return len(data), 2

    @server.on("make")
    async def make(socket, size):
        return bytes(size)

    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40", *event)
        assert (await websocket.receive_without_pings(1 + len(answer)))[1:] == answer


@pytest.mark.parametrize(
    ("args", "question", "reply", "answer"),
    [
        ((), ['420["q"]'], ["430[]"], None),
        ((1, 2), ['420["q",1,2]'], ["430[3]"], 3),
        ((b"abcd",), [f'451-0["q",{placeholder(0)}]', b"abcd"], ["430[]"], None),
        ((), ['420["q"]'], [f"461-0[{placeholder(0)}]", b"\0"], b"\0"),
    ],
)
async def test_answers_of_the_client(way, args, question, reply, answer):
    server, answers = Server(), []

    @server.on_connection
    async def ask(socket):
        answers.append(await socket.call("q", *args))

    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40")
        assert (await websocket.receive_without_pings(1 + len(question)))[1:] == question
        await websocket.send(*reply)
        await until(lambda: answers)
    assert answers == [answer]


async def test_events_in_a_namespace_in_their_order_also_those_sent_with_the_connect(way):
    server, heard = Server(), []

    @server.namespace("/chat").on("hi")
    async def hi(socket, letter):
        await trio.lowlevel.checkpoint()
        heard.append(letter)

    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40/chat,", '42/chat,["hi","a"]', '42/chat,["hi","b"]')
        await websocket.receive()
        await websocket.send('42/chat,["hi","c"]')
        await until(lambda: len(heard) == 3)
    assert heard == ["a", "b", "c"]


@pytest.mark.parametrize("packet", ["45nonsense", "45", '44["an error of mine"]', "4abc", "431[", "451-"])
async def test_a_packet_that_is_none_ends_its_client_only(way, packet):
    server = echoing()
    async with way(server) as url, raw_client(url) as client, client.session() as neighbour:
        await neighbour.send("40")
        await neighbour.receive()
        async with client.session() as websocket:
            await websocket.send("40")
            await websocket.receive()
            await websocket.send(packet)
            await websocket.closed()
        await neighbour.send('421["echo","alive"]')
        assert await neighbour.receive() == '431["alive"]'


async def test_the_same_on_long_polling(way):
    # The reference answers "ok", and tells of the end by the next GET.
    server = echoing()
    async with way(server) as url, raw_client(url) as client:
        for packets in (["40", "40"], ['42["early"]'], ["40", "4abc"]):
            query = await client.open_polling()
            for packet in packets[:-1]:
                assert (await client.post(query, packet)).text == "ok"
            assert (await client.post(query, packets[-1])).status_code == 400
            assert (await client.get(query)).json()["code"] == 1
            assert not server.engine.sessions


async def test_a_broadcast_with_binary_reaches_the_others_of_a_room(way):
    server = Server()

    @server.on("join")
    async def join(socket, room):
        socket.join(room)
        return room

    @server.on("broadcast")
    async def broadcast(socket):
        await socket.to("test").emit("bin", b"\0\1")
        await socket.emit("mine", b"\2")

    async with (
        way(server) as url,
        raw_client(url) as client,
        client.session() as member,
        client.session() as stranger,
        client.session() as sender,
    ):
        for websocket, room in ((member, "test"), (stranger, "other"), (sender, "test")):
            await websocket.send("40", f'421["join","{room}"]')
            assert (await websocket.receive_without_pings(2))[1] == f'431["{room}"]'
        await sender.send('42["broadcast"]')
        assert await sender.receive_without_pings(2) == [f'451-["mine",{placeholder(0)}]', b"\2"]
        assert await member.receive_without_pings(2) == [f'451-["bin",{placeholder(0)}]', b"\0\1"]
        await server.emit("fence")
        for websocket in (member, stranger, sender):
            assert await websocket.receive_without_pings(1) == ['42["fence"]']


async def test_who_never_joins_is_closed(way):
    server = Server(limits=Limits(connect_timeout=0.05))
    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        with trio.fail_after(PATIENCE):
            await websocket.closed()
        await until(lambda: not server.engine.sessions)


async def test_what_the_handshake_says(way):
    server = Server()
    other = server.namespace("/other")
    async with (
        way(server) as url,
        raw_client(url) as client,
        client.websocket("EIO=4&transport=websocket&colour=blue&shape=square") as websocket,
    ):
        await websocket.receive()
        await websocket.send("40", '40/other,{"colour":"red","shape":"&=round"}')
        await websocket.receive_without_pings(2)
        first, second = only_socket(server), only_socket(other)
        # One request for both, and to each the auth of its own.
        for socket in (first, second):
            assert socket.handshake.query == {"EIO": "4", "transport": "websocket", "colour": "blue", "shape": "square"}
            assert "sec-websocket-key" in socket.handshake.headers
            assert socket.handshake.url.endswith("&colour=blue&shape=square")
        assert first.auth == {}
        assert second.auth == {"colour": "red", "shape": "&=round"}
