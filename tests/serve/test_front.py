"""The native front: connections from all kinds of listeners, and how it ends."""

from __future__ import annotations

import socket
import ssl
from contextlib import asynccontextmanager

import pytest
import trio
from hypercorn.config import Config
from trio.testing import memory_stream_pair

from tests.support.client import settle
from tests.support.engine import nothing_is_left, recorder, running_engine
from tests.support.front import POLLING, FrontClient, http, socket_pair, upgrade
from tests.support.memory import MemoryListener
from trio_socketio import CloseReason
from trio_socketio._serve.front import Front
from trio_socketio._serve.listening import ListeningSockets
from trio_socketio._serve.site import Site

PATIENCE = 10


class Running:
    """A front that runs."""

    def __init__(self, engine, nursery, sockets) -> None:
        self.engine, self.nursery = engine, nursery
        self.listener = MemoryListener()
        self.passed_on: list[bytes] = []
        self.streams: list[trio.abc.Stream] = []
        self.site = Site(engine, self._pass_on, has_app=True)
        self.front = Front(self.site, sockets, [self.listener])
        self.scope = trio.CancelScope()

    async def run(self, *, task_status) -> None:
        with self.scope:
            await self.front.run(task_status=task_status)

    def _pass_on(self, stream: trio.abc.Stream, data: bytes) -> None:
        self.streams.append(stream)
        self.passed_on.append(data)

    def connect(self) -> FrontClient:
        return FrontClient(self.listener.connect())

    @property
    def session(self):
        (session,) = self.engine.sessions.values()
        return session

    async def ended(self) -> float:
        await self.front.ended.wait()
        return trio.current_time()


@asynccontextmanager
async def running(sockets: ListeningSockets | None = None):
    async with running_engine() as engine:
        async with trio.open_nursery() as nursery:
            ours = Running(engine, nursery, sockets)
            await nursery.start(ours.run)
            yield ours
            for stream in ours.streams:
                await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()
        assert ours.front.ended.is_set()
        assert not ours.site.connections
        if sockets is not None:
            sockets.close()


@pytest.fixture
async def ours(autojump_clock):
    async with running() as ours:
        yield ours


@asynccontextmanager
async def listening(*binds: str, **options):
    """A front with sockets of the kernel, without a mock clock."""
    config = Config()
    config.bind = list(binds)
    for name, value in options.items():
        setattr(config, name, value)
    with trio.fail_after(PATIENCE):
        async with running(ListeningSockets(config)) as ours:
            yield ours, ours.front._sockets


class TestAccepting:
    async def test_tcp(self):
        async with listening("127.0.0.1:0", "127.0.0.1:0") as (ours, sockets):
            for sock in sockets.insecure:
                async with await trio.open_tcp_stream(*sock.getsockname()) as stream:
                    assert (await FrontClient(stream).ask(http("GET", POLLING))).status == 200
            assert {session.request.client for session in ours.engine.sessions.values()} == {"127.0.0.1"}

    async def test_unix(self, tmp_path):
        async with listening(f"unix:{tmp_path}/sock") as (ours, _):
            async with await trio.open_unix_socket(f"{tmp_path}/sock") as stream:
                assert (await FrontClient(stream).ask(http("GET", POLLING))).status == 200
            assert ours.session.request.client is None

    async def test_tls(self, certificate, tls):
        certfile, keyfile = map(str, certificate)
        binds = {"insecure_bind": ["127.0.0.1:0"], "certfile": certfile, "keyfile": keyfile}
        async with listening("127.0.0.1:0", **binds) as (ours, sockets):
            port = sockets.secure[0].getsockname()[1]
            async with await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=unnamed(tls[1])) as stream:
                assert (await FrontClient(stream).ask(http("GET", POLLING))).status == 200
            assert (ours.session.request.secure, ours.session.request.client) == (True, "127.0.0.1")
            async with await trio.open_tcp_stream(*sockets.insecure[0].getsockname()) as stream:
                assert (await FrontClient(stream).ask(http("GET", POLLING))).status == 200
            # Plain HTTP where TLS is spoken costs that connection.
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(http("GET", POLLING))
                assert b"HTTP/" not in await FrontClient(stream).rest()

    async def test_http_2_is_passed_on(self, certificate, tls):
        certfile, keyfile = map(str, certificate)
        async with listening("127.0.0.1:0", certfile=certfile, keyfile=keyfile) as (ours, sockets):
            context = unnamed(tls[1])
            context.set_alpn_protocols(["h2"])
            port = sockets.secure[0].getsockname()[1]
            async with await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=context) as stream:
                await stream.do_handshake()
                while not ours.passed_on:
                    await trio.lowlevel.checkpoint()
        assert ours.passed_on == [b""]

    async def test_listeners(self, ours, autojump_clock):
        clients = [ours.connect() for _ in range(3)]
        for client in clients:
            assert (await client.ask(http("GET", POLLING))).status == 200
        await clients[0].send(http("GET", "/other"))
        assert ours.passed_on == [http("GET", "/other")]

    async def test_a_stream_that_is_passed_on_stays_open(self, ours, autojump_clock):
        client = ours.connect()
        await client.send(http("GET", "/other"))
        (stream,) = ours.streams
        await stream.send_all(b"another's answer")
        assert await client.waiting() == b"another's answer"

    async def test_a_stream_from_elsewhere(self, ours, autojump_clock):
        client, theirs = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.front.serve_stream, theirs, "192.0.2.7")
            await FrontClient(client).ask(http("GET", POLLING, connection="close"))
        assert ours.session.request.client == "192.0.2.7"

    async def test_no_more(self, ours, autojump_clock):
        client = ours.connect()
        target = await client.open_polling()
        ours.front.stop_accepting()
        late = ours.connect()
        await late.send(http("GET", POLLING))
        await trio.sleep(5)
        assert await late.waiting() == b""
        assert (await client.ask(http("POST", target, b"4a"))).status == 200
        assert not ours.front.ended.is_set()

    async def test_no_more_from_sockets(self):
        async with listening("127.0.0.1:0") as (ours, sockets):
            ours.front.stop_accepting()
            await settle()
            with socket.create_connection(sockets.insecure[0].getsockname()):
                await settle()
                assert not ours.site.connections

    async def test_more_than_the_process_has_descriptors_for(self):
        async with listening("127.0.0.1:0") as (ours, sockets):
            ours.front._most = 2
            there = []
            for _ in range(2):
                there.append(await trio.open_tcp_stream(*sockets.insecure[0].getsockname()))
                while len(ours.site.connections) < len(there):
                    await trio.lowlevel.checkpoint()
            async with await trio.open_tcp_stream(*sockets.insecure[0].getsockname()) as stream:
                answer = b"".join([data async for data in stream])
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in answer
            assert len(ours.site.connections) == 2
            for stream in there:
                await stream.aclose()


def unnamed(context: ssl.SSLContext) -> ssl.SSLContext:
    """Don't ask for the name: the certificate is for localhost, which may be ::1."""
    context.check_hostname = False
    return context


class TestClosing:
    async def test_without_connections(self, ours, autojump_clock):
        ours.front.close(trio.current_time() + 10)
        assert await ours.ended() == 0

    async def test_idle_ones(self, ours, autojump_clock):
        fresh, used = ours.connect(), ours.connect()
        await used.open_polling()
        await fresh.send(b"GE")
        ours.front.close(trio.current_time() + 10)
        assert await ours.ended() == 0
        assert [await client.rest() for client in (fresh, used)] == [b"", b""]

    async def test_a_held_poll_may_end(self, ours, autojump_clock):
        client = ours.connect()
        await client.send(http("GET", await client.open_polling()))
        ours.front.close(trio.current_time() + 10)
        await trio.sleep(3)
        ours.session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        answer = await client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"1", "close")
        await client.stream.aclose()
        assert await ours.ended() == 3

    @pytest.mark.parametrize("end_by", [10, 0, -5])
    async def test_until_the_time_is_up(self, ours, autojump_clock, end_by):
        poll, websocket = ours.connect(), ours.connect()
        await poll.send(http("GET", await poll.open_polling()))
        await websocket.send(upgrade())
        first, second = ours.engine.sessions.values()
        ours.front.close(trio.current_time() + end_by)
        # The writer of a WebSocket has a second for its farewell.
        assert max(end_by, 0) <= await ours.ended() <= max(end_by, 0) + 1
        assert recorder(first).reasons == [CloseReason.TRANSPORT_ERROR]
        assert recorder(second).reasons == [CloseReason.TRANSPORT_CLOSE]
        await nothing_is_left(ours.engine)

    async def test_tls_that_does_not_come(self, ours, tls, autojump_clock):
        silent, theirs = memory_stream_pair()
        ours.nursery.start_soon(ours.front.serve_stream, trio.SSLStream(theirs, tls[0], server_side=True))
        ours.listener._connections.send_nowait(trio.SSLStream(memory_stream_pair()[0], tls[0], server_side=True))
        await settle()
        assert len(ours.site.connections) == 2
        ours.front.close(trio.current_time() + 10)
        assert await ours.ended() == 0
        assert await silent.receive_some() == b""

    async def test_what_is_accepted_behind_it_is_closed(self, ours, autojump_clock):
        client = ours.connect()
        await client.send(http("GET", await client.open_polling()))
        ours.front.close(trio.current_time() + 10)
        await settle()
        assert await ours.connect().rest() == b""
        for take in (ours.front._take, ours.front._take_secure):
            mine, theirs = socket_pair()
            take(theirs, None)
            assert theirs.fileno() == -1
            mine.close()

    async def test_cancelled(self, ours, autojump_clock):
        client = ours.connect()
        await client.send(http("GET", await client.open_polling()))
        ours.scope.cancel()
        await settle()
        assert ours.front.ended.is_set()
        assert await client.rest() == b""
