"""hypercorn's connection server as ours: all that is used of hypercorn's inside stands in this file.

Written against hypercorn 0.18 (``>=0.18,<0.19`` in pyproject.toml; ``tests/serve/test_hypercorn.py`` fails when one of
these names moves). Nothing of hypercorn is patched. Two things are made right by a subclass, since one request can take
the whole of a stock process down, and one client that doesn't read can hold up its shutdown for ever:

* whatever a connection raises ends that connection, and is logged;
* a write has a deadline, after which the connection is dropped;
* after it has refused a WebSocket message as too big, hypercorn would read and keep all that follows: it is dropped too.
"""

from __future__ import annotations

import logging
import math
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config, Sockets
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import repr_socket_addr

from trio_socketio._asgi.scope import ASGIApplication
from trio_socketio._logging import scope_logger

_logger = scope_logger("serve")


@final
class GuardedTCPServer(TCPServer):
    """One connection: an error in it stays in it."""

    def __init__(self, *args: Any, write_deadline: float, log_failure: Callable[[Exception], None]) -> None:
        super().__init__(*args)
        self._write_deadline = write_deadline
        self._log_failure = log_failure
        self._at_end = False

    async def run(self) -> None:
        """Serve the connection."""
        try:
            await super().run()
        except* Exception as errors:  # noqa: BLE001 - that is the guard
            self._log_failure(errors)

    async def _read_data(self) -> None:
        await super()._read_data()
        self._at_end = True
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        """Write with a deadline; hypercorn's own is shielded without one."""
        if isinstance(event, Updated) and self._at_end:
            return  # It would wait for another request.
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        async with self.send_lock:
            broken = False
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self._write_deadline) as writing:
                try:
                    await self.stream.send_all(event.data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    broken = True
            if writing.cancelled_caught or _is_refusal_of_message(event.data):
                await trio.aclose_forcefully(self.stream)
                broken = True
            if broken:
                await self.protocol.handle(Closed())


def _is_refusal_of_message(data: bytes) -> bool:
    """Say whether this is exactly a WebSocket close frame with the code 1009, "message too big"."""
    return data[:1] == b"\x88" and data[2:4] == b"\x03\xf1" and len(data) == 2 + data[1]


@final
class HypercornHost:
    """Listens and serves an application, in the nursery of whoever runs it.

    Args:
        app: an ASGI application.
        config: hypercorn's settings.
        write_deadline: seconds that one write may take.

    Raises:
        OSError: an address can't be bound.
    """

    def __init__(self, app: ASGIApplication, config: Config, write_deadline: float) -> None:
        self._app: AppWrapper = ASGIWrapper(app)
        self._config = config
        self._write_deadline = write_deadline
        self._context = WorkerContext(None)
        self._accepting = trio.CancelScope()
        self._closing = trio.Event()
        self._end_by = math.inf
        self._failure_seen = False
        self.ended = trio.Event()
        """``run`` has returned."""
        self._ssl_context = config.create_ssl_context()
        self.sockets = self._bind()

    def _bind(self) -> Sockets:
        sockets = self._config.create_sockets()
        for sock in [*sockets.secure_sockets, *sockets.insecure_sockets]:
            sock.listen(self._config.backlog)
        return sockets

    @property
    def urls(self) -> Sequence[str]:
        """Where it listens."""
        return [
            f"{scheme}://{repr_socket_addr(sock.family, sock.getsockname())}"
            for scheme, group in (("https", self.sockets.secure_sockets), ("http", self.sockets.insecure_sockets))
            for sock in group
        ]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until closed: the application's lifespan outside, its connections inside."""
        try:
            await self._run(task_status)
        finally:
            self.ended.set()

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        state: LifespanState = {}
        lifespan = Lifespan(self._app, self._config, state)
        async with trio.open_nursery() as lifespan_nursery:
            await lifespan_nursery.start(lifespan.handle_lifespan)
            await lifespan.wait_for_startup()
            async with trio.open_nursery() as connections:
                connections.start_soon(self._accept, state, connections)
                task_status.started()
                await self._closing.wait()
                await self._context.terminated.set()
                connections.cancel_scope.deadline = self._end_by
            await lifespan.wait_for_shutdown()
            lifespan_nursery.cancel_scope.cancel()

    async def _accept(self, state: LifespanState, connections: trio.Nursery) -> None:
        serve_connection = partial(self._serve_connection, ConnectionState(state.copy()))
        with self._accepting:
            await trio.serve_listeners(serve_connection, self._listeners(), handler_nursery=connections)

    async def _serve_connection(self, state: ConnectionState, stream: Any) -> None:
        server = GuardedTCPServer(
            self._app,
            self._config,
            self._context,
            state,
            stream,
            write_deadline=self._write_deadline,
            log_failure=self._log_failure,
        )
        await server.run()

    def _log_failure(self, error: Exception) -> None:
        # Once loudly: whoever finds what makes hypercorn fail could fill the log with it.
        level = logging.DEBUG if self._failure_seen else logging.ERROR
        self._failure_seen = True
        _logger.log(level, "a connection ended by an error in hypercorn; the server lives on", exc_info=error)

    def _listeners(self) -> list[trio.abc.Listener[Any]]:
        def listener(sock: Any) -> trio.SocketListener:
            return trio.SocketListener(trio.socket.from_stdlib_socket(sock))

        plain = [listener(sock) for sock in self.sockets.insecure_sockets]
        secure = [
            trio.SSLListener(listener(sock), self._tls(), https_compatible=True) for sock in self.sockets.secure_sockets
        ]
        return [*plain, *secure]

    def _tls(self) -> ssl.SSLContext:
        assert self._ssl_context is not None  # noqa: S101 - there are secure sockets only with a certificate
        return self._ssl_context

    def release(self) -> None:
        """Close the listening sockets, also those that were never accepted from."""
        for sock in [*self.sockets.secure_sockets, *self.sockets.insecure_sockets]:
            sock.close()

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections that are there go on."""
        self._accepting.cancel()

    def close(self, end_by: float) -> None:
        """Let requests that are under way end, until the time ``end_by``, and then the lifespan: ``run`` returns."""
        self._end_by = end_by
        self._closing.set()
