"""The official client under Node, and python-socketio's, against ``serve``: each way to connect."""

from __future__ import annotations

import pytest
import trio

from tests.support.echo_server import until
from tests.support.foreign_client import TRANSPORTS, foreign_client, node_command, python_command
from trio_socketio import ConnectionRefused, Server, serve

NODE = pytest.param("node", marks=pytest.mark.node)


@pytest.fixture(params=[NODE, "python-socketio"])
async def client(request):
    async with foreign_client(node_command() if request.param == "node" else python_command()) as running:
        yield running


@pytest.fixture
async def official():
    async with foreign_client(node_command()) as running:
        yield running


@pytest.fixture(params=sorted(TRANSPORTS))
def transports(request):
    return TRANSPORTS[request.param]


@pytest.fixture
def sio():
    """Echoes, asks back, and keeps rooms and a guarded namespace."""
    server = Server()
    server.gone = []

    @server.on_connection
    async def welcome(socket):
        await socket.emit("welcome", dict(socket.auth))

    @server.on("echo")
    async def echo(socket, *args):
        return args

    @server.on("ask me")
    async def ask_me(socket, *args):
        return await socket.call("question", *args)

    @server.on("enter")
    async def enter(socket, room):
        socket.join(room)

    @server.on("tell")
    async def tell(socket, room, *args):
        await socket.to(room).emit("told", *args)

    @server.on("count")
    async def count(socket, number):
        server.counted = [*getattr(server, "counted", []), number]

    @server.on("numbers")
    async def numbers(socket, most):
        for number in range(most):
            await socket.emit("number", number)

    @server.on("kick")
    async def kick(socket):
        socket.disconnect()

    @server.on_disconnect
    async def gone(socket, reason):
        server.gone.append(str(reason))

    guarded = server.namespace("/guarded")

    @guarded.middleware
    async def check(socket):
        if socket.auth.get("token") != "s3cret":
            raise ConnectionRefused("bad token", {"code": 401})

    guarded.on("echo")(echo)
    return server


@pytest.fixture
async def url(sio, nursery):
    serving = await nursery.start(serve, sio, "127.0.0.1:0")
    yield serving.urls[0]
    await serving.aclose()


async def test_acknowledgements_and_binary_both_ways(client, url, sio, transports):
    socket = await client.open(url, transports=transports, auth={"name": "Ada"})
    socket_id, *_ = await socket.expect("connect")
    assert socket_id in sio.sockets
    assert await socket.expect("welcome") == ({"name": "Ada"},)
    assert await socket.call("echo") == []
    assert await socket.call("echo", 1, "zwei €", [None, {"x": 1.5}]) == [1, "zwei €", [None, {"x": 1.5}]]
    assert await socket.call("echo", b"\0\1\2", {"deep": [b"\xff" * 5000]}) == [b"\0\1\2", {"deep": [b"\xff" * 5000]}]
    assert await socket.call("ask me", "colour?", b"\3") == ["colour?", b"\3"]
    assert (await socket.expect("question")) == ("colour?", b"\3")
    await socket.close()
    while not sio.gone:
        await trio.sleep(0.01)
    assert sio.gone[0] in {"client namespace disconnect", "transport close"}


async def test_rooms(client, url, transports):
    one = await client.open(url, transports=transports)
    two = await client.open(url, transports=transports)
    await one.expect("connect")
    await two.expect("connect")
    await one.call("echo")
    await one.emit("enter", "kitchen")
    await one.call("echo")
    await two.emit("tell", "kitchen", "dinner", b"\1")
    assert await one.expect("told") == ("dinner", b"\1")


async def test_refused_connections_and_namespaces(client, url, transports):
    socket = await client.open(f"{url}/guarded", transports=transports, auth={"token": "guess"})
    assert await socket.expect("connect_error") == ("bad token", {"code": 401})
    socket = await client.open(f"{url}/nowhere", transports=transports)
    assert await socket.expect("connect_error") == ("Invalid namespace", None)
    socket = await client.open(f"{url}/guarded", transports=transports, auth={"token": "s3cret"})
    await socket.expect("connect")
    assert await socket.call("echo", "inside") == ["inside"]


@pytest.mark.node
async def test_the_upgrade_loses_and_reorders_nothing(official, url, sio):
    socket = await official.open(url)
    # Both directions are busy from the first moment on, before, during and after the upgrade.
    await socket.emit("numbers", 300)
    for number in range(300):
        await socket.emit("count", number)
    assert await socket.call("echo", "done") == ["done"]
    events = [event for event in socket.happened if event[0] == "number"]
    await socket.upgraded()
    assert [number for _, number in events] == list(range(300))
    assert sio.counted == list(range(300))


@pytest.mark.node
async def test_two_namespaces_on_one_connection(official, url, sio):
    root = await official.open(url, forceNew=False)
    guarded = await official.open(f"{url}/guarded", forceNew=False, auth={"token": "s3cret"})
    await root.expect("connect")
    await guarded.expect("connect")
    assert len(sio.engine.sessions) == 1
    await root.close()
    assert await guarded.call("echo", 5) == [5]


@pytest.mark.node
async def test_reasons(official, url, sio, transports):
    socket = await official.open(url, transports=transports)
    await socket.expect("connect")
    await socket.emit("kick")
    assert await socket.expect("disconnect") == ("io server disconnect",)
    socket = await official.open(url, transports=transports)
    await socket.expect("connect")
    await socket.close()
    assert await socket.expect("disconnect") == ("io client disconnect",)
    # In the middle of an upgrade it says so only when that is done: the next client could be faster.
    await until(lambda: len(sio.gone) == 2)
    socket = await official.open(url, transports=transports)
    await socket.expect("connect")
    await socket.cut()
    assert await socket.expect("disconnect") == ("forced close",)
    await until(lambda: len(sio.gone) == 3)
    assert sio.gone == ["server namespace disconnect", "client namespace disconnect", "transport close"]


@pytest.mark.node
async def test_comes_back_after_a_restart_of_the_server(official, sio, nursery, transports):
    serving = await nursery.start(serve, sio, "127.0.0.1:0")
    socket = await official.open(
        serving.urls[0], transports=transports, reconnection=True, reconnectionDelay=20, reconnectionDelayMax=50
    )
    await socket.expect("connect")
    port = serving.port
    await serving.aclose()
    assert (await socket.expect("disconnect"))[0] in {"transport close", "transport error"}
    serving = await nursery.start(serve, sio, f"127.0.0.1:{port}")
    await socket.expect("connect")
    assert await socket.call("echo", "again") == ["again"]
    assert sio.gone == ["server shutting down"]
    await serving.aclose()
