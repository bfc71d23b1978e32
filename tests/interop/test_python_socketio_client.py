"""python-socketio's client, in a process of its own: what its users rely on beyond one event at a time."""

from __future__ import annotations

import pytest
import trio

from tests.support.echo_server import PATIENCE, echoing, only_socket, until
from tests.support.foreign_client import TRANSPORTS, ForeignSocket, foreign_client, python_command
from tests.support.served import SOCKET_WAYS, by_serve
from trio_socketio import EngineConfig, Socket, serve


@pytest.fixture
async def python():
    async with foreign_client(python_command()) as running:
        yield running


@pytest.fixture(params=sorted(TRANSPORTS))
def transports(request):
    return TRANSPORTS[request.param]


@pytest.mark.parametrize("way", sorted(SOCKET_WAYS))
async def test_the_upgrade_in_every_way_of_being_served(python, way):
    server = echoing()
    async with SOCKET_WAYS[way](server) as url:
        socket = await python.connect(url)
        assert await socket.call("echo", "text", b"\0\xff") == ["text", b"\0\xff"]
        assert only_socket(server).transport == "websocket"
        await socket.close()
        await until(lambda: server.gone)
        assert server.gone[0] in {"client namespace disconnect", "transport close"}


async def test_numbered_events_with_attachments_both_ways_keep_their_order(python, transports):
    server = echoing()
    received = []

    def numbered(number: int) -> list:
        return [number, bytes([number]) * 3, {"deep": b""}] if number % 5 == 0 else [number]

    @server.on_connection
    async def count(socket: Socket) -> None:
        for number in range(200):
            await socket.emit("number", *numbered(number))
            if number % 5 == 4:
                # On long-polling this client gives up when an answer has more than 16 packets: a limit of its own.
                await socket.call("your turn")

    @server.on("count")
    async def counted(socket: Socket, *args) -> None:
        received.append(list(args))

    async with by_serve(server) as url:
        socket = await python.open(url, transports=transports)
        for number in range(200):
            await socket.emit("count", *numbered(number))
        await until(lambda: len(received) == 200 and len(socket.told("number")) == 200)
        assert received == [numbered(number) for number in range(200)]
        assert socket.told("number") == [numbered(number) for number in range(200)]


async def test_questions_to_the_client(python, transports):
    server = echoing()
    async with by_serve(server) as url:
        await python.connect(url, transports=transports)
        socket = only_socket(server)
        with trio.fail_after(PATIENCE):
            assert await socket.call("question") is None
            assert await socket.call("question", 1) == 1
            assert await socket.call("question", {"deep": [b"\1"]}, "2") == ({"deep": [b"\1"]}, "2")


async def test_two_namespaces_on_one_connection(python, transports):
    server = echoing()
    other = server.namespace("/other")

    async def who(socket: Socket) -> str:
        return socket.namespace

    for namespace in (server, other):
        namespace.on("who")(who)

    async with by_serve(server) as url:
        number = next(python.numbers)
        two = python._sockets[number] = ForeignSocket(python, number)
        one = await python.connect(url, transports=transports, beside={"/other": number})
        await two.expect("connect")
        assert len(server.engine.sessions) == 1
        assert (await one.call("who"), await two.call("who")) == (["/"], ["/other"])
        await other.emit("told", b"other")
        assert await two.expect("told") == (b"other",)
        only_socket(other).disconnect()
        await two.expect("disconnect")
        assert await one.call("who") == ["/"]
        assert not one.told("told")
        assert not one.told("disconnect")


async def test_the_server_disconnects(python, transports):
    server = echoing()

    @server.on("out")
    async def out(socket: Socket, close: bool) -> None:
        await socket.emit("farewell", b"\1")
        socket.disconnect(close=close)

    async with by_serve(server) as url:
        for close in (False, True):
            socket = await python.connect(url, transports=transports)
            await socket.emit("out", close)
            assert await socket.expect("farewell") == (b"\1",)
            await socket.expect("disconnect")
        await until(lambda: len(server.gone) == 2)
        assert server.gone == ["server namespace disconnect"] * 2
        await until(lambda: not server.engine.sessions)


async def test_a_killed_client_is_noticed(python, transports):
    server = echoing()
    async with by_serve(server) as url:
        await python.connect(url, transports=transports)
        if transports == ["polling"]:
            (session,) = server.engine.sessions.values()
            await until(lambda: session.transport.writable)
        python._process.kill()
        await until(lambda: server.gone)
        assert server.gone == ["transport error" if transports == ["polling"] else "transport close"]


async def test_heartbeats(python, transports):
    server = echoing(EngineConfig(ping_interval=0.05, ping_timeout=0.5))
    async with by_serve(server) as url:
        socket = await python.connect(url, transports=transports)
        # Ten times the interval and the timeout's length: unanswered, a ping would have ended it.
        began = trio.current_time()
        with trio.fail_after(PATIENCE):
            while trio.current_time() < began + 1.0:
                assert await socket.call("echo", 1) == [1]
        assert server.gone == []


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]], ids=["websocket", "upgrade"])
async def test_it_comes_back_after_a_restart_of_the_server(python, nursery, transports):
    server = echoing()
    serving = await nursery.start(serve, server, "127.0.0.1:0")
    port = serving.port
    socket = await python.connect(serving.urls[0], transports=transports, reconnection=True)
    await serving.aclose()
    await socket.expect("disconnect")
    serving = await nursery.start(serve, server, f"127.0.0.1:{port}")
    await socket.expect("connect")
    assert await socket.call("echo", "again") == ["again"]
    assert server.gone == ["server shutting down"]
    await serving.aclose()


async def test_on_long_polling_it_takes_the_end_of_the_server_as_final(python, nursery):
    # The reference ends such a client with the same packet, and it does not come back to that one either.
    server = echoing()
    serving = await nursery.start(serve, server, "127.0.0.1:0")
    socket = await python.connect(serving.urls[0], transports=["polling"], reconnection=True)
    # It tells of the end only what has come through its own connect(), which goes on after it has told of that.
    assert await socket.call("echo", "there") == ["there"]
    # Between two polls it would meet a server that is gone, and take that for an error of the network.
    (session,) = server.engine.sessions.values()
    await until(lambda: session.transport.writable)
    await serving.aclose()
    assert await socket.expect("disconnect") == ("server disconnect",)
    assert server.gone == ["server shutting down"]


async def test_large_binary_both_ways(python, transports):
    async with by_serve(echoing()) as url:
        socket = await python.connect(url, transports=transports)
        content = bytes(range(256)) * 2800
        assert await socket.call("echo", content) == [content]
