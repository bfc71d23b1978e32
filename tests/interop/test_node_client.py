"""The official client under Node, where it meets more than one thing at a time: what its users rely on."""

from __future__ import annotations

import math

import pytest
import trio

from tests.support.echo_server import PATIENCE, echoing, only_socket, until
from tests.support.foreign_client import TRANSPORTS, ForeignClient, ForeignSocket, foreign_client, node_command
from tests.support.served import SOCKET_WAYS, by_serve
from trio_socketio import Disconnected, EngineConfig, Limits, Request, Socket, serve

pytestmark = pytest.mark.node


@pytest.fixture
async def node():
    async with foreign_client(node_command()) as running:
        yield running


@pytest.fixture(params=sorted(TRANSPORTS))
def transports(request):
    return TRANSPORTS[request.param]


async def driver(node: ForeignClient, socket: ForeignSocket, do: str, *args: object) -> None:
    await node.command(do=do, id=socket._number, args=args)


@pytest.mark.parametrize("way", sorted(SOCKET_WAYS))
async def test_the_upgrade_in_every_way_of_being_served(node, way):
    server = echoing()
    async with SOCKET_WAYS[way](server) as url:
        socket = await node.connect(url)
        await socket.upgraded()
        assert await socket.call("echo", "text", b"\0\xff") == ["text", b"\0\xff"]
        assert only_socket(server).transport == "websocket"
        await socket.close()
        await until(lambda: server.gone)
        assert server.gone == ["client namespace disconnect"]


async def test_numbered_events_with_attachments_from_polling_across_the_upgrade_to_websocket(node):
    """Both sides send before, during and after; each fifth event has attachments, which must stay with it."""
    server = echoing()
    received, transports = [], []
    enough = trio.Event()

    def numbered(number: int) -> list:
        return [number, bytes([number % 256]) * 3, {"deep": b""}] if number % 5 == 0 else [number]

    @server.on_connection
    async def count(socket: Socket) -> None:
        for number in range(10**6):
            if enough.is_set() and number >= 200:
                await socket.emit("last", number)
                return
            transports.append(socket.transport)
            await socket.emit("number", *numbered(number))
            if number % 10 == 9:
                await socket.call("your turn")

    @server.on("count")
    async def counted(socket: Socket, *args) -> None:
        received.append(list(args))

    async with by_serve(server) as url:
        socket = await node.open(url)
        sent = 0
        with trio.fail_after(PATIENCE):
            after = math.inf
            while sent < max(200, after):
                await socket.emit("count", *numbered(sent))
                sent += 1
                if after == math.inf and socket.told("upgrade"):
                    after = sent + 50
                if sent % 10 == 0:
                    assert await socket.call("echo", sent) == [sent]
        enough.set()
        await until(lambda: socket.told("last"))
        ((total,),) = socket.told("last")
        assert received == [numbered(number) for number in range(sent)]
        assert socket.told("number") == [numbered(number) for number in range(total)]
        assert transports[0] == "polling"
        assert transports[-1] == "websocket"


async def test_rooms_leave_out_the_sender_the_strangers_and_who_left(node, transports):
    server = echoing()

    @server.on("enter")
    async def enter(socket: Socket, *rooms: str) -> None:
        socket.join(*rooms)

    @server.on("quit")
    async def leave(socket: Socket, room: str) -> None:
        socket.leave(room)

    @server.on("shout")
    async def shout(socket: Socket, *rooms: str) -> None:
        await socket.to(*rooms).emit("heard", "others")
        await server.to(*rooms).emit("heard", "all")
        await server.to(*rooms).except_(socket).emit("heard", "all but one", b"\1")
        await socket.broadcast.emit("heard", "everybody else")

    async with by_serve(server) as url:
        sockets = [await node.open(url, transports=transports) for _ in range(4)]
        ids = [(await socket.expect("connect"))[0] for socket in sockets]
        sender, both, left, stranger = sockets
        for socket in (sender, both, left):
            await socket.call("enter", "a", "b")
        await left.call("quit", "a")
        await left.call("quit", "b")
        await sender.call("shout", "a", "b")
        await server.to(ids[1]).emit("heard", "private")
        await server.emit("fence")
        heard = []
        for socket in sockets:
            await until(lambda socket=socket: socket.told("fence"))
            heard.append([args[0] for args in socket.told("heard")])
        # In two rooms, and still told once.
        assert heard[0] == ["all"]
        assert heard[1] == ["others", "all", "all but one", "everybody else", "private"]
        assert heard[2] == heard[3] == ["everybody else"]


async def test_namespaces_on_one_connection_are_strangers_to_each_other(node, transports):
    server = echoing()
    other = server.namespace("/other")
    gone = []

    async def who(socket: Socket) -> str:
        return socket.namespace

    @other.on_disconnect
    async def left(socket: Socket, reason: str) -> None:
        gone.append(reason)

    for namespace in (server, other):
        namespace.on("who")(who)

    async with by_serve(server) as url:
        one = await node.open(url, forceNew=False, transports=transports)
        two = await node.open(f"{url}/other", forceNew=False, transports=transports)
        first_id, second_id = (await one.expect("connect"))[0], (await two.expect("connect"))[0]
        assert first_id != second_id
        assert len(server.engine.sessions) == 1
        assert (await one.call("who"), await two.call("who")) == (["/"], ["/other"])
        # Questions to both have the same numbers, and each gets its own answer.
        assert await only_socket(server).call("question", "/") == "/"
        assert await only_socket(other).call("question", "/other") == "/other"
        await server.emit("told", "root")
        await other.emit("told", "other")
        assert (await one.expect("told"), await two.expect("told")) == (("root",), ("other",))

        only_socket(other).disconnect()
        assert await two.expect("disconnect") == ("io server disconnect",)
        await until(lambda: gone)
        assert gone == ["server namespace disconnect"]
        assert await one.call("who") == ["/"]
        # The client may come back to the namespace, on the same connection, as somebody else.
        await driver(node, two, "connect")
        assert (await two.expect("connect"))[0] not in {first_id, second_id}
        assert await two.call("who") == ["/other"]
        assert len(server.engine.sessions) == 1
        assert server.gone == []


async def test_closing_the_client_ends_all_its_namespaces_and_it_stays_away_until_it_wants(node, transports):
    server = echoing()
    other = server.namespace("/other")

    @server.on("out")
    async def out(socket: Socket) -> None:
        await socket.emit("farewell", b"\1")
        socket.disconnect(close=True)

    async with by_serve(server) as url:
        options = {"forceNew": False, "reconnection": True, "reconnectionDelay": 10, "transports": transports}
        one = await node.connect(url, **options)
        two = await node.connect(f"{url}/other", **options)
        await one.emit("out")
        assert await one.expect("farewell") == (b"\1",)
        assert await one.expect("disconnect") == ("io server disconnect",)
        assert await two.expect("disconnect") == ("io server disconnect",)
        await until(lambda: not server.engine.sessions)
        assert not server.sockets
        assert not other.sockets
        assert server.gone == ["server namespace disconnect"]
        await driver(node, one, "connect")
        await one.expect("connect")
        assert await one.call("echo", 1) == [1]
        assert not two.told("connect")


async def test_a_killed_client_is_noticed(node, transports):
    server = echoing()
    async with by_serve(server) as url:
        socket = await node.connect(url, transports=transports)
        if len(transports) == 2:
            await socket.upgraded()
        if transports == ["polling"]:
            # Held, as it nearly always is: a client that dies between two polls is only missed by the heartbeat.
            (session,) = server.engine.sessions.values()
            await until(lambda: session.transport.writable)
        node._process.kill()
        await until(lambda: server.gone)
        # The reference's words: who gives up a held poll has made an error.
        assert server.gone == ["transport error" if transports == ["polling"] else "transport close"]
        assert not server.engine.sessions


async def test_heartbeats(node, transports):
    server = echoing(EngineConfig(ping_interval=0.05, ping_timeout=PATIENCE))
    async with by_serve(server) as url:
        socket = await node.connect(url, transports=transports)
        for _ in range(5):
            await socket.expect("ping")
        assert await socket.call("echo", "alive") == ["alive"]
        assert server.gone == []


async def test_questions_to_the_client(node, transports):
    server = echoing()
    met = []

    @server.on_connection
    async def ask(socket: Socket) -> None:
        met.append(
            [await socket.call("question"), await socket.call("question", 1), await socket.call("question", 1, b"2")]
        )
        try:
            await socket.call("unanswered")
        except Disconnected as error:
            met.append(error.reason)
            raise

    async with by_serve(server) as url:
        socket = await node.open(url, transports=transports)
        await socket.expect("unanswered")
        assert met == [[None, 1, (1, b"2")]]
        await socket.close()
        await until(lambda: server.gone)
        # The handler is told, or cancelled: in any case it does not wait for ever.
        assert met[1:] in ([], ["client namespace disconnect"])


async def test_volatile_events_arrive_when_they_can_be_written_and_only_then(node, transports):
    server = echoing()
    volatile = []

    @server.on("now or never")
    async def now_or_never(socket: Socket, number: int) -> None:
        volatile.append(number)

    async with by_serve(server) as url:
        socket = await node.connect(url, transports=transports)
        if len(transports) == 2:
            await socket.upgraded()
        (session,) = server.engine.sessions.values()
        await until(lambda: session.transport.writable and not session.outbox)
        # Without a checkpoint between them the first one occupies the transport.
        for number in range(100):
            server.volatile.emit_nowait("number", number)
        await server.emit("fence")
        await until(lambda: socket.told("fence"))
        assert socket.told("number") == [[0]]

        await driver(node, socket, "volatile", "now or never", 1)
        await until(lambda: volatile)
        assert volatile == [1]


async def test_what_was_said_while_the_server_was_away_is_said_when_it_is_back(node, nursery, transports):
    server = echoing()
    heard = []

    @server.on("say")
    async def say(socket: Socket, *args) -> None:
        heard.append(list(args))

    serving = await nursery.start(serve, server, "127.0.0.1:0")
    port = serving.port
    socket = await node.connect(
        serving.urls[0], transports=transports, reconnection=True, reconnectionDelay=20, reconnectionDelayMax=40
    )
    await serving.aclose()
    await socket.expect("disconnect")
    for number in range(20):
        await socket.emit("say", number, b"\1")
    # All of it was said before the server is back, and the client has tried in vain.
    await driver(node, socket, "mark")
    await socket.expect("mark")
    await socket.expect("connect_error")
    serving = await nursery.start(serve, server, f"127.0.0.1:{port}")
    await socket.expect("connect")
    assert await socket.call("echo", "again") == ["again"]
    assert heard == [[number, b"\1"] for number in range(20)]
    await serving.aclose()


async def test_what_was_sent_before_the_drain_still_arrives(node, nursery, transports):
    server = echoing()
    serving = await nursery.start(serve, server, "127.0.0.1:0")
    socket = await node.connect(serving.urls[0], transports=transports)
    if len(transports) == 2:
        await socket.upgraded()
    for number in range(20):
        await server.emit("number", number, b"\1")
    await serving.aclose()
    await until(lambda: socket.told("disconnect"))
    assert socket.told("number") == [[number, b"\1"] for number in range(20)]


async def test_a_client_that_retries_is_served_in_order(node, transports):
    server = echoing()
    attempts = []

    @server.on_error
    async def expected(socket: Socket, error: Exception, event: str) -> None:
        assert str(error) == "the first time"

    @server.on("order")
    async def order(socket: Socket, number: int, offset: int | None = None) -> int:
        attempts.append(number)
        if attempts == [1]:
            raise ValueError("the first time")
        return number

    async with by_serve(server) as url:
        socket = await node.connect(url, transports=transports, retries=3, ackTimeout=100)
        for number in (1, 2, 3):
            await socket.emit("order", number)
        await until(lambda: len(attempts) == 4)
        assert attempts == [1, 1, 2, 3]


async def test_large_messages_both_ways_up_to_the_limit(node, transports):
    async with by_serve(echoing()) as url:
        socket = await node.connect(url, transports=transports)
        # On long-polling, base64 makes four bytes of three.
        content = bytes(range(256)) * 2800
        assert await socket.call("echo", content) == [content]
        assert await socket.call("echo", "€" * 300_000) == ["€" * 300_000]


async def test_a_message_beyond_the_limit_costs_its_sender_the_connection_and_nobody_else(node, transports):
    server = echoing(limits=Limits(max_payload=10_000))
    async with by_serve(server) as url:
        neighbour = await node.connect(url, transports=transports)
        options = {"transports": transports, "reconnection": True, "reconnectionDelay": 10}
        socket = await node.connect(url, **options)
        await socket.emit("echo", "x" * 20_000)
        assert (await socket.expect("disconnect"))[0] in {"transport error", "transport close"}
        await socket.expect("connect")
        assert await socket.call("echo", "back") == ["back"]
        assert await neighbour.call("echo", "untouched") == ["untouched"]
        assert not neighbour.told("disconnect")
        assert len(server.gone) == 1
        assert server.gone[0] in {"transport error", "transport close"}


async def test_the_handshake_brings_query_headers_and_path(node, transports):
    server = echoing(EngineConfig(path="/elsewhere"))
    seen = []

    @server.on_connection
    async def look(socket: Socket) -> None:
        seen.append((socket.handshake.query, socket.handshake.headers, dict(socket.auth)))

    async with by_serve(server) as url:
        await node.connect(
            url,
            path="/elsewhere",
            transports=transports,
            query={"colour": "grün & blau"},
            extraHeaders={"x-test": "yes"},
            auth={"token": "t", "deep": [1, None]},
        )
        await until(lambda: seen)
        ((query, headers, auth),) = seen
        assert query["colour"] == "grün & blau"
        assert query["EIO"] == "4"
        assert headers["x-test"] == "yes"
        assert auth == {"token": "t", "deep": [1, None]}


async def test_a_refused_request_is_an_error_and_the_client_tries_again(node, transports):
    allowed = [False, False, True]

    async def allow(request: Request) -> bool:
        return allowed.pop(0) if allowed else True

    async with by_serve(echoing(EngineConfig(allow_request=allow))) as url:
        socket = await node.open(
            url, transports=transports, reconnection=True, reconnectionDelay=10, reconnectionDelayMax=20
        )
        message = "websocket error" if transports == ["websocket"] else "xhr poll error"
        assert await socket.expect("connect_error") == (message, None)
        assert await socket.expect("connect_error") == (message, None)
        await socket.expect("connect")
        assert await socket.call("echo", "in") == ["in"]


async def test_a_transport_that_is_not_served_is_passed_over_by_a_client_that_tries_all(node):
    async with by_serve(echoing(EngineConfig(transports=("websocket",)))) as url:
        socket = await node.open(url)
        assert await socket.expect("connect_error") == ("xhr poll error", None)
        socket = await node.open(url, tryAllTransports=True)
        assert (await socket.expect("connect"))[1] == "websocket"
        assert await socket.call("echo", 1) == [1]


async def test_no_upgrade_where_none_is_offered(node):
    server = echoing(EngineConfig(allow_upgrades=False))
    async with by_serve(server) as url:
        socket = await node.connect(url)
        for number in range(20):
            assert await socket.call("echo", number) == [number]
        assert not socket.told("upgrade")
        assert only_socket(server).transport == "polling"


async def test_many_clients_at_once(node):
    server = echoing()
    async with by_serve(server) as url:
        sockets = [await node.open(url) for _ in range(30)]
        ids = {(await socket.expect("connect"))[0] for socket in sockets}
        assert ids == set(server.sockets)
        for number in range(10):
            await server.emit("number", number)
        for socket in sockets:
            await until(lambda socket=socket: len(socket.told("number")) == 10)
            assert socket.told("number") == [[number] for number in range(10)]
