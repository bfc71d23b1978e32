"""The official client of Socket.IO 2 under Node, on all its transports: what its users rely on."""

from __future__ import annotations

import pytest

from tests.support.echo_server import echoing, only_socket, until
from tests.support.foreign_client import TRANSPORTS, foreign_client, node_command, old_node_command
from tests.support.served import SOCKET_WAYS, by_serve
from trio_socketio import ConnectionRefused, Disconnected, EngineConfig, Limits, Server, Socket

pytestmark = pytest.mark.node

# "bytes" is what browsers do: their polling takes payloads of bytes, where Node's asks for base64.
WAYS_TO_POLL = {name: [] for name in TRANSPORTS} | {"bytes": ["bytes"]}


@pytest.fixture(params=sorted(WAYS_TO_POLL))
def way(request):
    return request.param


@pytest.fixture
def transports(way):
    return TRANSPORTS["polling" if way == "bytes" else way]


@pytest.fixture
async def node(way):
    async with foreign_client([*old_node_command(), *WAYS_TO_POLL[way]]) as running:
        yield running


def old_echoing(**options) -> Server:
    return echoing(EngineConfig(allow_eio3=True, **options))


async def test_events_and_questions_both_ways(node, way, transports):
    server = old_echoing()
    things = [
        "text",
        "€\U0001f600",
        1.5,
        None,
        {"deep": [True, {}]},
        b"\0\xff",
        {"bytes": [b"", bytes(range(256)) * 100]},
    ]

    async with by_serve(server) as url:
        socket = await node.open(url, transports=transports, query={"token": "abc"})
        socket_id, transport = await socket.expect("connect")
        assert transport == transports[0]
        there = only_socket(server)
        assert there.id == socket_id
        assert there.handshake.query["token"] == "abc"
        assert ("b64" in there.handshake.query) == (transports[0] == "polling" and way != "bytes")
        assert await socket.call("echo", *things) == things
        assert await there.call("question", *things) == tuple(things)
        assert await there.call("question") is None
        if len(transports) == 2:
            await socket.upgraded()
            assert await socket.call("echo", *things) == things
            assert await there.call("question", b"\1") == b"\1"
            assert there.transport == "websocket"
            assert there.id == socket_id
        await socket.close()
        await until(lambda: server.gone)
        assert server.gone == ["client namespace disconnect"]


@pytest.mark.parametrize("served", sorted(set(SOCKET_WAYS) - {"serve"}))
async def test_in_the_other_ways_of_being_served(node, transports, served):
    server = old_echoing()
    async with SOCKET_WAYS[served](server) as url:
        socket = await node.connect(url, transports=transports)
        if len(transports) == 2:
            await socket.upgraded()
        assert await socket.call("echo", "é", b"\0\xff") == ["é", b"\0\xff"]
        await socket.close()
        await until(lambda: server.gone)


async def test_many_events_with_attachments_stay_in_order_across_an_upgrade(node, transports):
    server, received = old_echoing(), []

    @server.on("number")
    async def number(socket: Socket, *args) -> None:
        received.append(list(args))
        await socket.emit("number back", *args)

    sent = [[number, bytes([number % 256]) * 3] if number % 5 == 0 else [number] for number in range(300)]
    async with by_serve(server) as url:
        socket = await node.open(url, transports=transports)
        for args in sent:
            await socket.emit("number", *args)
        await until(lambda: len(socket.told("number back")) == len(sent))
        assert received == socket.told("number back") == sent


async def test_namespaces_with_credentials(node, transports):
    server = old_echoing()
    chat = server.namespace("/chat")

    @chat.on("who")
    async def who(socket: Socket) -> dict:
        return dict(socket.auth)

    async with by_serve(server) as url:
        options = {"transports": transports, "forceNew": False}
        root = await node.open(url, **options)
        root_id, _ = await root.expect("connect")
        member = await node.open(f"{url}/chat", **options, query={"token": "a b&c,d€", "n": 1})
        member_id, _ = await member.expect("connect")
        assert len(server.engine.sessions) == 1
        assert member_id == f"/chat#{root_id}"
        assert list(chat.sockets) == [member_id]
        assert await member.call("who") == [{"token": "a b&c,d€", "n": "1"}]
        await chat.to(member_id).emit("private", b"\1")
        assert await member.expect("private") == (b"\1",)
        # It leaves, and comes back on the same connection.
        await member.close()
        await until(lambda: not chat.sockets)
        await node.command(do="connect", id=member._number, args=[])
        await member.expect("connect")
        assert await member.call("who") == [{"token": "a b&c,d€", "n": "1"}]
        assert await root.call("echo", "still here") == ["still here"]


async def test_refusals(node, transports):
    server = old_echoing()
    closed, shut = server.namespace("/closed"), server.namespace("/shut")

    @closed.middleware
    async def refuse(socket: Socket) -> None:
        raise ConnectionRefused("not you")

    @shut.middleware
    async def refuse_with_data(socket: Socket) -> None:
        raise ConnectionRefused("not you", {"code": 7})

    async with by_serve(server) as url:
        for path, answer in (("/closed", "not you"), ("/shut", {"code": 7}), ("/nobody", "Invalid namespace")):
            socket = await node.open(url + path, transports=transports)
            assert await socket.expect("error") == (answer,)
            await socket.close()


async def test_refused_at_the_root(node, transports):
    server = old_echoing()

    @server.middleware
    async def refuse(socket: Socket) -> None:
        raise ConnectionRefused("not you")

    async with by_serve(server) as url:
        socket = await node.open(url, transports=transports)
        assert await socket.expect("error") == ("not you",)
        assert not socket.told("connect")
        assert not server.sockets


async def test_rooms_and_broadcasts_to_old_and_new_clients(node, transports):
    server = old_echoing()

    @server.on("enter")
    async def enter(socket: Socket, room: str) -> str:
        socket.join(room)
        return socket.id

    @server.on("shout")
    async def shout(socket: Socket, *args) -> None:
        await socket.to("room").emit("heard", *args)

    async with by_serve(server) as url, foreign_client(node_command()) as new_node:
        old, other = [await node.connect(url, transports=transports) for _ in range(2)]
        new = await new_node.connect(url, transports=transports)
        ids = [(await socket.call("enter", "room"))[0] for socket in (old, new)]
        await other.emit("shout", "é", b"\1")
        assert await old.expect("heard") == await new.expect("heard") == ("é", b"\1")
        await old.emit("shout", "from the old", b"\2")
        assert await new.expect("heard") == ("from the old", b"\2")
        await new.emit("shout", "from the new", b"\3")
        assert await old.expect("heard") == ("from the new", b"\3")
        await server.to(ids[0]).emit("private")
        await server.except_(ids[0]).emit("others")
        await server.emit("fence")
        for socket, heard in ((old, ["private"]), (new, ["others"]), (other, ["others"])):
            await until(lambda socket=socket: socket.told("fence"))
            assert [event for event, *_ in socket.happened if event in {"private", "others"}] == heard


async def test_disconnected_by_the_server(node, transports):
    server = old_echoing()

    @server.on("out")
    async def out(socket: Socket, close: bool) -> None:
        await socket.emit("farewell", b"\1")
        socket.disconnect(close=close)

    async with by_serve(server) as url:
        for close in (False, True):
            socket = await node.connect(url, transports=transports)
            await socket.emit("out", close)
            assert await socket.expect("farewell") == (b"\1",)
            assert await socket.expect("disconnect") == ("io server disconnect",)
            await until(lambda: not server.engine.sessions)
        await until(lambda: len(server.gone) == 2)
        assert server.gone == ["server namespace disconnect"] * 2


async def test_heartbeats(node, transports):
    server = old_echoing(ping_interval=0.05, ping_timeout=10)
    async with by_serve(server) as url:
        socket = await node.connect(url, transports=transports)
        for _ in range(5):
            await socket.expect("pong")
        assert await socket.call("echo", "alive") == ["alive"]
        assert server.gone == []


async def test_a_client_that_is_cut_off(node, transports):
    server, failed = old_echoing(), []

    @server.on("ask")
    async def ask(socket: Socket) -> None:
        try:
            await socket.call("unanswered")
        except Disconnected as error:
            failed.append(error.reason)
            raise

    async with by_serve(server) as url:
        socket = await node.connect(url, transports=transports)
        if len(transports) == 2:
            await socket.upgraded()
        await socket.emit("ask")
        await socket.expect("unanswered")
        await socket.cut()
        await until(lambda: server.gone)
        assert server.gone == ["transport close"]
        assert failed in ([], ["transport close"])


async def test_it_comes_back_by_itself_after_a_message_beyond_the_limit(node, transports):
    server = echoing(EngineConfig(allow_eio3=True), limits=Limits(max_payload=10_000))
    async with by_serve(server) as url:
        socket = await node.connect(url, transports=transports, reconnection=True, reconnectionDelay=10)
        await socket.emit("echo", "x" * 20_000)
        assert (await socket.expect("disconnect"))[0] in {"transport error", "transport close"}
        await socket.expect("connect")
        assert await socket.call("echo", "back") == ["back"]


async def test_not_allowed(node, transports):
    server = echoing()
    async with by_serve(server) as url:
        socket = await node.open(url, transports=transports)
        await socket.expect("connect_error")
        assert not server.engine.sessions
        assert server.engine.counters.refused["Unsupported protocol version"] >= 1
        assert not socket.told("connect")
