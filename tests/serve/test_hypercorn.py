"""hypercorn's connection server as ours: what the guard survives, and that its inside is where it was."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
import trio
from hypercorn.config import Config

from tests.support.echo_server import answers, echoing, only_socket, until
from tests.support.raw_client import PATIENCE, raw_client
from trio_socketio import ASGIApp, CloseReason, Limits, serve
from trio_socketio._serve import hypercorn as hypercorn_module
from trio_socketio._serve.hypercorn import GuardedTCPServer, HypercornHost

UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def frame(text: str) -> bytes:
    """A text frame, masked with zeros."""
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()


@pytest.fixture
def sio():
    return echoing()


class TestHostility:
    @pytest.mark.parametrize(
        "head",
        [
            b"GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: \xff\r\n\r\n",
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: "
            b"permessage-deflate; server_max_window_bits=abc\r\n\r\n",
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nContent-Length: 4\r\n\r\ntest",
        ],
    )
    async def test_requests_that_end_a_stock_process(self, sio, nursery, head):
        serving = await nursery.start(serve, sio, "127.0.0.1:0")
        with trio.fail_after(PATIENCE):
            async with await trio.open_tcp_stream("127.0.0.1", serving.port) as stream:
                await stream.send_all(head)
                with trio.move_on_after(0.5):
                    await stream.receive_some()
        await answers(serving.urls[0])
        await serving.aclose()

    async def test_a_client_that_stops_reading_is_dropped(self, sio, nursery):
        sio = echoing(limits=Limits(write_deadline=0.3, send_queue_bytes=2**25))
        serving = await nursery.start(serve, sio, "127.0.0.1:0")
        async with await trio.open_tcp_stream("127.0.0.1", serving.port) as stream:
            await stream.send_all(UPGRADE)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
            await stream.send_all(frame("40"))
            await until(lambda: sio.sockets)
            # More than the kernel takes for a client that reads none of it.
            await only_socket(sio).emit("blob", bytes(2**24))
            await until(lambda: sio.gone)
            assert sio.gone == [CloseReason.SLOW_CONSUMER]
            await answers(serving.urls[0])
            # What was on its way is still there; then the connection is at its end.
            with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
        await serving.aclose()

    @pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
    async def test_nothing_is_kept_of_connections_that_clients_close(self, sio, nursery, said):
        serving = await nursery.start(serve, sio, "127.0.0.1:0")
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(20):
            async with await trio.open_tcp_stream("127.0.0.1", serving.port) as stream:
                await stream.send_all(said)
                if said.endswith(b"\r\n"):
                    await stream.receive_some()
        await until(lambda: trio.lowlevel.current_statistics().tasks_living <= before)
        await serving.aclose()

    async def test_nothing_is_kept_after_a_message_that_is_too_large(self, sio, nursery):
        config = Config()
        config.bind = ["127.0.0.1:0"]
        config.websocket_max_message_size = 1000
        serving = await nursery.start(partial(serve, sio, config=config))
        async with raw_client(serving.urls[0]) as client, client.session() as websocket:
            await websocket.send("4" + "x" * 2000)
            assert await websocket.closed() == 1009
        await until(lambda: not sio.engine.sessions)
        await serving.aclose()


class TestHypercornsInside:
    """What is used of hypercorn's inside is where it was."""

    def test_names(self):
        assert {"run", "protocol_send", "_read_data"} <= set(vars(hypercorn_module.TCPServer))
        assert {"handle_lifespan", "wait_for_startup", "wait_for_shutdown"} <= set(vars(hypercorn_module.Lifespan))
        server = GuardedTCPServer(None, Config(), None, None, None, write_deadline=1, log_failure=print)
        assert {"send_lock", "stream", "app", "config", "context", "state", "idle_task"} <= set(vars(server))
        assert {"terminated"} <= set(vars(hypercorn_module.WorkerContext(None)))

    async def test_a_host_that_never_runs_lets_its_sockets_go(self, sio):
        config = Config()
        config.bind = ["127.0.0.1:0"]
        host = HypercornHost(ASGIApp(sio), config, 1)
        assert host.urls[0].startswith("http://127.0.0.1:")
        host.release()
        assert host.sockets.insecure_sockets[0].fileno() == -1
