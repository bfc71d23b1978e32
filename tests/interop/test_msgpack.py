"""The official client with socket.io-msgpack-parser, under Node and as the build for browsers; and a parser of one's own."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from tests.support.browser import chromium
from tests.support.echo_server import PATIENCE, echoing, only_socket, until
from tests.support.foreign_client import MSGPACK_PACKAGE, TRANSPORTS, foreign_client, node_command
from tests.support.served import by_serve
from trio_socketio import ConnectionRefused, MessagePackParser, Socket
from trio_socketio.cli.client_bundle import BundleUnavailable, find_bundles

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
async def node():
    async with foreign_client(node_command(MSGPACK_PACKAGE)) as running:
        yield running


@pytest.fixture(params=sorted(TRANSPORTS))
def transports(request):
    return TRANSPORTS[request.param]


@pytest.fixture
def server():
    made = echoing(parser=MessagePackParser())
    made.heard = []

    @made.on_connection
    async def welcome(socket: Socket) -> None:
        await socket.emit("welcome", socket.auth, b"\0\xff")

    @made.on("ask me")
    async def ask_me(socket: Socket, *args):
        return await socket.call("question", *args)

    @made.on("hear")
    async def hear(socket: Socket, *args) -> None:
        made.heard.append(list(args))

    @made.on("kick")
    async def kick(socket: Socket) -> None:
        socket.disconnect()

    return made


@pytest.mark.node
async def test_events_binary_and_acknowledgements_both_ways(node, server, transports):
    values = [1, -1, 2**40, 1.5, "zwei €", None, True, [b"\0\1\2", {"deep": [b"\xff" * 5000, []]}]]
    async with by_serve(server) as url:
        socket = await node.open(url, transports=transports, auth={"name": "Ada"})
        socket_id, *_ = await socket.expect("connect")
        assert only_socket(server).id == socket_id
        assert await socket.expect("welcome") == ({"name": "Ada"}, b"\0\xff")
        if len(transports) == 2:
            await socket.upgraded()
        assert await socket.call("echo") == []
        assert await socket.call("echo", *values) == values
        assert await socket.call("ask me", "colour?", b"\3") == ["colour?", b"\3"]
        assert await socket.expect("question") == ("colour?", b"\3")
        for number in range(100):
            await socket.emit("hear", number, bytes([number]) * number)
        await until(lambda: len(server.heard) == 100)
        assert server.heard == [[number, bytes([number]) * number] for number in range(100)]
        await server.emit("all", b"\1")
        assert await socket.expect("all") == (b"\1",)
        await socket.close()
        await until(lambda: server.gone)
        assert server.gone[0] in {"client namespace disconnect", "transport close"}


@pytest.mark.node
async def test_what_json_has_no_words_for_closes_nothing_and_comes_back(node, server, transports):
    async with by_serve(server) as url:
        socket = await node.connect(url, transports=transports)
        await node.command(do="oddities", id=socket._number, number=99)
        with trio.fail_after(PATIENCE):
            while 99 not in socket.answers:
                await socket._wait()
        assert socket.answers[99] == ["Date 5", None, {"a": None}, b"\0", bytes(8), b"\1\2", None]
        assert await socket.call("echo", "still here") == ["still here"]


@pytest.mark.node
async def test_namespaces_refusals_and_being_disconnected(node, server, transports):
    guarded = server.namespace("/guarded")

    @guarded.middleware
    async def check(socket: Socket) -> None:
        if socket.auth.get("token") != b"s3cret":
            raise ConnectionRefused("bad token", {"code": 401})

    @guarded.on("echo")
    async def echo(socket: Socket, *args):
        return args

    async with by_serve(server) as url:
        socket = await node.open(f"{url}/guarded", transports=transports, auth={"token": b"guess"})
        assert await socket.expect("connect_error") == ("bad token", {"code": 401})
        socket = await node.open(f"{url}/nowhere", transports=transports)
        assert await socket.expect("connect_error") == ("Invalid namespace", None)
        socket = await node.open(f"{url}/guarded", transports=transports, auth={"token": b"s3cret"})
        await socket.expect("connect")
        assert await socket.call("echo", b"\1") == [b"\1"]
        socket = await node.connect(url, transports=transports)
        await socket.emit("kick")
        assert await socket.expect("disconnect") == ("io server disconnect",)


@pytest.mark.node
async def test_the_client_of_another_parser_is_closed(server, transports):
    async with foreign_client(node_command()) as stock, by_serve(server) as url:
        socket = await stock.open(url, transports=transports)
        await until(lambda: server.engine.sessions or socket.happened)
        await until(lambda: not server.engine.sessions)
        assert not server.sockets


@pytest.mark.node
async def test_the_documented_parser_of_ones_own(transports, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from custom_parser import ArrayParser

    server = echoing(parser=ArrayParser())

    @server.on("ask me")
    async def ask_me(socket: Socket, *args):
        return await socket.call("question", *args)

    async with foreign_client(node_command(EXAMPLES / "custom_parser.cjs")) as client, by_serve(server) as url:
        socket = await client.connect(url, transports=transports, auth={"name": "Ada"})
        assert only_socket(server).auth == {"name": "Ada"}
        assert await socket.call("echo", 1, [{"a": None}]) == [1, [{"a": None}]]
        assert await socket.call("ask me", "colour?") == ["colour?"]
        refused = await client.open(f"{url}/nowhere", transports=transports)
        assert await refused.expect("connect_error") == ("Invalid namespace", None)
        await socket.close()
        await until(lambda: server.gone)


SAID = "'é', new Uint8Array([1, 2, 3]).buffer, new Date(5), undefined, new Uint8Array([7, 8])"
SHOWN = """(value) => value instanceof ArrayBuffer ? [...new Uint8Array(value)]
    : value instanceof Date ? `Date ${+value}` : value ?? String(value)"""


@pytest.mark.browser
@pytest.mark.parametrize("way", ["polling", "websocket"])
async def test_the_msgpack_build_in_a_browser(tmp_path, way):
    """Its only form of binary data is an ArrayBuffer: a typed array becomes an object."""
    try:
        folder = await find_bundles()
    except BundleUnavailable as error:
        complaint = pytest.fail if os.environ.get("TRIO_SOCKETIO_REQUIRE_BROWSER") else pytest.skip
        complaint(str(error))
    server = echoing(parser=MessagePackParser(), client_files=folder)
    with trio.fail_after(60):
        async with by_serve(server) as url, chromium(tmp_path / "profile") as browser:
            bundle = f"{url}/socket.io/socket.io.msgpack.min.js"
            page = await browser.open(bundle)
            await page.run(
                "new Promise((done, failed) => { const script = document.createElement('script');"
                f"script.src = '{bundle}'; script.onload = done; script.onerror = failed; document.body.append(script); }})"
            )
            await page.run(
                f"window.socket = io({{ transports: ['{way}'] }}); socket.on('news', (...args) => window.news = args); 0"
            )
            await page.until("socket.connected")
            await page.run(
                f"socket.timeout({PATIENCE * 1000}).emit('echo', {SAID}, (error, ...answer) => window.answer = answer); 0"
            )
            await page.until("window.answer")
            assert await page.run(f"answer.map({SHOWN})") == ["é", [1, 2, 3], "Date 5", "null", {"0": 7, "1": 8}]
            await server.emit("news", b"\1\2", datetime.fromtimestamp(5, UTC))
            await page.until("window.news")
            assert await page.run(f"news.map({SHOWN})") == [[1, 2], "Date 5000"]
            assert only_socket(server).transport == way
