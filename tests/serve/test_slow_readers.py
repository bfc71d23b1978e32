"""Clients that stop reading, over real sockets: what they cost others, the sender, and the server's memory: next to nothing."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import pytest
import trio
from hypercorn.config import Config

from tests.support.echo_server import echoing, until
from tests.support.front import POLLING, FrontClient, frame, frames_of, http, upgrade
from tests.support.raw_client import raw_client
from trio_socketio import Limits, Server, serve
from trio_socketio._engine.session import Session
from trio_socketio._server.adapter import TURNS
from trio_socketio._wire.websocket_frame import TEXT

PATIENCE = 20.0
OTHERS = 20
FILLER = "x" * 20_000
AMPLE = {"send_queue_bytes": 2**28, "send_queue_packets": 10**6, "write_deadline": 100.0}

BOUNDS = {
    "bytes": Limits(**AMPLE | {"send_queue_bytes": 200_000}),
    "packets": Limits(**AMPLE | {"send_queue_packets": 20}),
    "write deadline": Limits(**AMPLE | {"write_deadline": 0.2}),
}


class Client:
    """A client of which nothing is read but when it is told to; its own buffer in the kernel is small."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.received = bytearray()

    async def open(self) -> None:
        """Open a WebSocket, and join."""
        await self.stream.send_all(upgrade() + frame("40"))
        while b'40{"sid"' not in self.received:
            await self._read_some()
        _, _, rest = bytes(self.received).partition(b'40{"sid"')
        _, _, rest = rest.partition(b"}")
        self.received = bytearray(rest)

    async def _read_some(self) -> None:
        data = await self.stream.receive_some(65_536)
        assert data
        self.received += data

    async def read(self) -> None:
        """Read all that comes, until it is cancelled."""
        while True:
            await self._read_some()

    async def until(self, said: bytes) -> None:
        while said not in self.received:
            await self._read_some()

    def has(self, number: int) -> bool:
        """The last that it has received is this number of the broadcast, whole."""
        end = self.received[-len(FILLER) - 50 :]
        return b'["number",%d,' % number in end and end.endswith(b'x"]')

    def numbers(self) -> list[int]:
        """What it has received of the broadcast."""
        texts = [payload.decode() for opcode, payload in frames_of(bytes(self.received)) if opcode == TEXT]
        events = [json.loads(text[2:]) for text in texts if text != "2"]
        return [args[0] for name, *args in events if name == "number"]


class Served:
    """A server that is served on a real socket, by TLS or without."""

    def __init__(self, server: Server, url: str, context: ssl.SSLContext | None, stack: AsyncExitStack) -> None:
        self.server, self.url = server, url
        self._context = context
        self._stack = stack

    async def connect(self, size: int | None = None) -> trio.abc.Stream:
        sock = trio.socket.socket()
        if size is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        await sock.connect(("127.0.0.1", urlsplit(self.url).port))
        stream: trio.abc.Stream = trio.SocketStream(sock)
        if self._context is not None:
            stream = trio.SSLStream(stream, self._context, server_hostname="localhost")
        self._stack.push_async_callback(trio.aclose_forcefully, stream)
        return stream

    async def join(self, size: int | None = None) -> Client:
        """A client in the namespace ``/``."""
        client = Client(await self.connect(size))
        await client.open()
        return client

    async def slow(self) -> tuple[Client, Session]:
        """A client that reads nothing from now on."""
        known = set(self.server.engine.sessions)
        client = await self.join(4096)
        (sid,) = set(self.server.engine.sessions) - known
        return client, self.server.engine.sessions[sid]


@pytest.fixture(params=["plain", "TLS"])
def serving(request, certificate, tls) -> Callable[..., object]:
    """Serves a server with some limits."""

    @asynccontextmanager
    async def run(limits: Limits) -> AsyncIterator[Served]:
        config, server = Config(), echoing(limits=limits)
        # What it accepts inherits the size: else the kernel would first keep some megabytes of what isn't read.
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        config.bind = [f"fd://{listening.detach()}"]
        if request.param == "TLS":
            config.certfile, config.keyfile = map(str, certificate)
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
                served = await nursery.start(partial(serve, server, config=config))
                yield Served(server, served.urls[0], tls[1] if request.param == "TLS" else None, stack)
                nursery.cancel_scope.cancel()

    return run


class Turns(trio.abc.Instrument):
    """Counts the turns of the scheduler: unlike seconds they don't depend on what else the machine does."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


class Broadcast:
    """Numbers, with something to fill buffers; how long the sender was held up, and how much waited, is kept."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.count = 0
        self.turns: list[int] = []
        self.seconds: list[float] = []
        self.waited = 0

    async def until(self, condition: Callable[[], object], *, more: int = 10) -> None:
        """Send until the condition holds, and ``more`` behind that."""
        turns = Turns()
        trio.lowlevel.add_instrument(turns)
        while more:
            more -= bool(condition())
            began, turn = time.perf_counter(), turns.count
            await self.server.emit("number", self.count, FILLER)
            self.seconds.append(time.perf_counter() - began)
            self.turns.append(turns.count - turn)
            self.waited = max(self.waited, sum(s.outbox.bytes for s in self.server.engine.sessions.values()))
            self.count += 1
            await trio.sleep(0.001)
        trio.lowlevel.remove_instrument(turns)

    def check_the_sender(self) -> None:
        """It never waited: it let others have their turns, and no more. (The seconds are theirs: they decrypt here.)"""
        assert max(self.turns) <= 1 + TURNS
        assert sorted(self.seconds)[len(self.seconds) // 2] < 0.1


@pytest.mark.parametrize("bound", BOUNDS)
async def test_beyond_a_bound_it_is_disconnected_and_others_get_all(serving, bound):
    limits = BOUNDS[bound]
    async with serving(limits) as served, trio.open_nursery() as readers:
        others = [await served.join() for _ in range(OTHERS)]
        for other in others:
            readers.start_soon(other.read)
        _, session = await served.slow()
        gone, broadcast = served.server.gone, Broadcast(served.server)
        began = trio.current_time()
        await broadcast.until(lambda: gone)
        assert gone == ["slow consumer"]
        assert not session.outbox.packets
        if bound == "write deadline":
            assert trio.current_time() - began >= limits.write_deadline
        else:
            # Each of the others has next to nothing there.
            beside = OTHERS * 2 * len(FILLER)
            per_packet = len(FILLER) + 50
            assert broadcast.waited <= min(limits.send_queue_bytes, limits.send_queue_packets * per_packet) + beside
        broadcast.check_the_sender()
        await until(lambda: all(other.has(broadcast.count - 1) for other in others))
        readers.cancel_scope.cancel()
    for other in others:
        assert other.numbers() == list(range(broadcast.count))


async def test_what_it_did_not_read_before_is_all_that_it_gets(serving):
    async with serving(BOUNDS["packets"]) as served:
        client, _ = await served.slow()
        broadcast = Broadcast(served.server)
        await broadcast.until(lambda: served.server.gone)
        with pytest.raises((AssertionError, trio.BrokenResourceError)):
            await client.read()
        # A frame may be cut: then nothing comes behind it.
        whole = bytes(client.received)
        numbers = [int(part.partition(b",")[0]) for part in whole.split(b'42["number",')[1:]]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) < broadcast.count


async def test_volatile_packets_are_dropped_and_it_lives_on_when_it_reads_again(serving):
    async with serving(Limits(send_queue_packets=50, write_deadline=6.0)) as served:
        client, session = await served.slow()
        volatile, count = served.server.volatile, 0

        async def some(number: int) -> None:
            nonlocal count
            for _ in range(number):
                await volatile.emit("number", count, FILLER)
                count += 1
                await trio.sleep(0.001)

        await some(10)
        while session.transport.writable:
            await some(10)
            await trio.sleep(0.02)  # A link that must be awaited is busy for a moment with each packet.
        await some(100)
        assert len(session.outbox) <= 1
        assert served.server.gone == []
        async with trio.open_nursery() as reading:
            reading.start_soon(client.read)
            await until(lambda: session.transport.writable and not session.outbox)
            await some(1)
            await served.server.emit("last")
            await until(lambda: b'42["last"]' in client.received)
            reading.cancel_scope.cancel()
        numbers = client.numbers()
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == count - 1
        assert len(numbers) <= count - 100
        assert served.server.gone == []


async def test_in_time_nothing_of_what_waits_is_lost(serving):
    async with serving(Limits(**AMPLE)) as served:
        client, session = await served.slow()
        broadcast = Broadcast(served.server)
        await broadcast.until(lambda: session.outbox.bytes > 20 * len(FILLER))
        assert not session.transport.writable
        while not client.has(broadcast.count - 1):
            await client._read_some()
        await served.server.emit("last")
        await client.until(b'42["last"]')
        assert client.numbers() == list(range(broadcast.count))
        assert served.server.gone == []


class TestLongPolling:
    @pytest.mark.parametrize("bound", ["bytes", "packets"])
    async def test_one_that_does_not_poll(self, bound):
        server, limits = echoing(limits=BOUNDS[bound]), BOUNDS[bound]
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                url = (await nursery.start(serve, server, "127.0.0.1:0")).urls[0]
                async with raw_client(url) as client:
                    polling, other = await client.open_polling(), await client.open_polling()
                    for query in (polling, other):
                        await client.post(query, "40")
                    received = (await client.get(other)).text.split("\x1e")

                    async def poll() -> None:
                        while True:
                            received.extend((await client.get(other)).text.split("\x1e"))

                    broadcast = Broadcast(server)
                    async with trio.open_nursery() as polls:
                        polls.start_soon(poll)
                        await broadcast.until(lambda: server.gone)
                        await until(lambda: len(received) > broadcast.count)
                        polls.cancel_scope.cancel()
                    assert server.gone[0] == "slow consumer"
                    assert (await client.get(polling)).status_code == 400
                    broadcast.check_the_sender()
                    sent = min(limits.send_queue_bytes, limits.send_queue_packets * (len(FILLER) + 50))
                    assert broadcast.waited <= 2 * sent
                nursery.cancel_scope.cancel()
        assert [json.loads(text[2:])[1] for text in received[1:]] == list(range(broadcast.count))

    async def test_one_that_does_not_read_the_answer(self, serving):
        async with serving(BOUNDS["write deadline"]) as served:
            stream = await served.connect(4096)
            client = FrontClient(stream)
            target = await client.open_polling()
            await client.ask(http("POST", target, b"40"))
            await until(lambda: served.server.sockets)
            for number in range(500):
                served.server.emit_nowait("number", number, FILLER)
            (session,) = served.server.engine.sessions.values()
            began = trio.current_time()
            await stream.send_all(http("GET", f"{POLLING}&sid={session.sid}"))
            await until(lambda: served.server.gone)
            assert served.server.gone == ["slow consumer"]
            assert trio.current_time() - began >= served.server.limits.write_deadline
