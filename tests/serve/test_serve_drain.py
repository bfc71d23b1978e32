"""``serve`` ends in time, whatever clients and the other application do: a process, real sockets, real signals."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
from contextlib import AsyncExitStack
from functools import partial

import pytest
import trio

from tests.support.echo_server import echoing, until
from tests.support.front import POLLING, FrontClient, frame, http, upgrade
from tests.support.raw_client import PATIENCE, raw_client
from trio_socketio import serve

PROGRAM = """
import socket, sys, trio
from functools import partial
from hypercorn.config import Config
from trio_socketio import EngineConfig, Limits, Server, serve

sio = Server(EngineConfig(ping_interval=600), limits=Limits(write_deadline=600, close_timeout=600, send_queue_bytes=2**23))

@sio.on_connection
async def flood(socket):
    await socket.emit("blob", BLOB)

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan.shutdown", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["path"] == "/hang":
        await trio.sleep_forever()
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": BLOB})

class Status:
    def started(self, serving):
        print(" ".join(url.rpartition(":")[2] for url in serving.urls), flush=True)

def small_buffers():
    # What is accepted from a socket inherits its buffers.
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    return f"fd://{sock.detach()}"

BLOB = bytes(2**22)
config = Config()
config.bind, config.insecure_bind = [small_buffers()], [small_buffers()]
config.certfile, config.keyfile = sys.argv[2:]
config.keep_alive_timeout = config.ssl_handshake_timeout = 600
trio.run(partial(serve, sio, config=config, app=app, drain_timeout=float(sys.argv[1]), signals=True, task_status=Status()))
print("returned")
"""

FROZEN = 50


class Program:
    """The server's process, and those who hold it up."""

    def __init__(self, process: trio.Process, stack: AsyncExitStack) -> None:
        self.process = process
        self._stack = stack
        self.port = self.tls_port = 0

    async def line(self) -> bytes:
        """Read a line that it prints."""
        printed = b""
        while not printed.endswith(b"\n"):
            printed += await self.process.stdout.receive_some(1)
        return printed

    async def connect(self) -> FrontClient:
        """Connect with a small buffer; from now on nobody reads but the test."""
        sock = trio.socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        await sock.connect(("127.0.0.1", self.port))
        return FrontClient(await self._stack.enter_async_context(trio.SocketStream(sock)))

    async def freeze_websocket(self) -> None:
        client = await self.connect()
        await client.stream.send_all(upgrade() + frame("40"))
        while b'40{"sid"' not in (data := await client.stream.receive_some(500)):
            assert data

    async def freeze_poll(self) -> None:
        client = await self.connect()
        target = await client.open_polling()
        assert (await client.ask(http("POST", target, b"40"))).status == 200
        assert (await client.ask(http("GET", target))).body.startswith(b"40")
        await client.stream.send_all(http("GET", target))

    async def request(self, target: str) -> None:
        client = await self.connect()
        await client.stream.send_all(http("GET", target))

    async def begin_tls(self, data: bytes = b"") -> None:
        stream = await self._stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", self.tls_port))
        if data:
            await stream.send_all(data)

    async def request_by_tls(self, target: str) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", self.tls_port, ssl_context=context)
        self._stack.push_async_callback(trio.aclose_forcefully, stream)
        await stream.send_all(http("GET", target))

    async def hold_up(self) -> None:
        """Do all that could hold up its end."""
        async with trio.open_nursery() as nursery:
            for _ in range(FROZEN):
                nursery.start_soon(self.freeze_websocket)
            for _ in range(5):
                nursery.start_soon(self.freeze_poll)
                for target in ("/hang", "/large", "/"):
                    nursery.start_soon(self.request, target)
                    nursery.start_soon(self.request_by_tls, target)
                nursery.start_soon(self.request_by_tls, POLLING)
                nursery.start_soon(self.begin_tls)
                nursery.start_soon(self.begin_tls, b"\x16\x03\x01\x02\x00")
                nursery.start_soon(self.connect)
        # What they have asked for is under way.
        await trio.sleep(0.3)

    async def ends_in(self, seconds: float, *, began: float) -> str:
        """Check that it ends so soon and well; return what it has printed."""
        printed = b""
        with trio.fail_after(seconds + 20):
            async for data in self.process.stdout:
                printed += data
            assert await self.process.wait() == 0
        took = trio.current_time() - began
        assert took <= seconds, f"it took {took:.2f} s"
        return printed.decode()


@pytest.fixture
async def program(certificate, request):
    command = [sys.executable, "-c", PROGRAM, str(request.param), *map(str, certificate)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(process.stdout.aclose)
        running = Program(process, stack)
        try:
            with trio.fail_after(30):
                running.tls_port, running.port = map(int, (await running.line()).split())
                await running.hold_up()
            yield running
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.mark.parametrize("program", [1.0], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_drain_timeout_and_two_seconds(program, number):
    began = trio.current_time()
    program.process.send_signal(number)
    printed = await program.ends_in(3, began=began)
    assert trio.current_time() - began > 0.9, "they hold it up for as long as they may"
    assert printed.split() == ["lifespan.shutdown", "returned"]


@pytest.mark.parametrize("program", [60.0], indirect=True)
@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
async def test_a_second_signal_ends_it_at_once(program, numbers):
    program.process.send_signal(numbers[0])
    await trio.sleep(0.5)
    assert program.process.returncode is None
    began = trio.current_time()
    program.process.send_signal(numbers[1])
    assert "returned" in await program.ends_in(2, began=began)


async def test_aclose_likewise(nursery):
    sio = echoing()
    serving = await nursery.start(partial(serve, sio, "127.0.0.1:0", drain_timeout=0.5))
    async with raw_client(serving.urls[0]) as client:
        query = await client.open_polling()
        await client.post(query, "40")
        await until(lambda: sio.sockets)
        began = trio.current_time()
        # What waits for it, it does not fetch.
        with trio.fail_after(PATIENCE):
            await serving.aclose()
        assert 0.4 < trio.current_time() - began < 2.5
    assert sio.gone == ["server shutting down"]
