"""hypercorn's connection server behind our front: all that is used of hypercorn's inside stands in this file.

Written against hypercorn 0.18 (``>=0.18,<0.19`` in pyproject.toml; ``tests/serve/test_hypercorn.py`` fails when one of
these names moves). Nothing of hypercorn is patched. Two things are made right by a subclass, since one request can take
the whole of a stock process down, and one client that doesn't read can hold up its shutdown for ever:

* whatever a connection raises ends that connection, and is logged;
* a write has a deadline, after which the connection is dropped; so has the end of an idle connection;
* after it has refused a WebSocket message as too big, hypercorn would read and keep all that follows: it is dropped too.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, final

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState

from trio_socketio._asgi.scope import ASGIApplication, raw
from trio_socketio._engine.http import Headers
from trio_socketio._logging import scope_logger, show_error
from trio_socketio._serve.http1 import Head
from trio_socketio._serve.link import Link
from trio_socketio._wire.websocket_handshake import wants_websocket

_logger = scope_logger("serve")


@final
class WriteDeadlines:
    """What bounds the writes of all connections: each has so many seconds, and none goes on when the server has ended.

    Args:
        seconds: for one write.
    """

    __slots__ = ("_end_by", "_scopes", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end_by = math.inf
        self._scopes: set[trio.CancelScope] = set()

    @contextmanager
    def bound(self) -> Iterator[trio.CancelScope]:
        """Shield what is done in the block, which nothing but its deadline ends."""
        deadline = min(trio.current_time() + self._seconds, self._end_by)
        with trio.CancelScope(shield=True, deadline=deadline) as scope:
            self._scopes.add(scope)
            try:
                yield scope
            finally:
                self._scopes.remove(scope)

    def end(self, by: float) -> None:
        """Let nothing go on beyond the time ``by``."""
        self._end_by = min(self._end_by, by)
        for scope in self._scopes:
            scope.deadline = min(scope.deadline, by)


@final
class GuardedTCPServer(TCPServer):
    """One connection: an error in it stays in it."""

    def __init__(self, *args: Any, deadlines: WriteDeadlines, log_failure: Callable[[Exception], None]) -> None:
        super().__init__(*args)
        self._deadlines = deadlines
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
            with self._deadlines.bound() as writing:
                try:
                    await self.stream.send_all(event.data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    broken = True
            if writing.cancelled_caught or _is_refusal_of_message(event.data):
                await trio.aclose_forcefully(self.stream)
                broken = True
            if broken:
                await self.protocol.handle(Closed())

    async def _initiate_server_close(self) -> None:
        """Close an idle connection; hypercorn's own is shielded without a deadline, and TLS says goodbye with a write."""
        with self._deadlines.bound():
            await super()._initiate_server_close()


def _is_refusal_of_message(data: bytes) -> bool:
    """Say whether this is exactly a WebSocket close frame with the code 1009, "message too big"."""
    return data[:1] == b"\x88" and data[2:4] == b"\x03\xf1" and len(data) == 2 + data[1]


@final
class PrefixedStream:
    """A stream of which some bytes have been read already: hypercorn reads those first.

    It is whatever the stream is, a socket's or TLS, since hypercorn looks at that.
    """

    def __init__(self, stream: Any, prefix: bytes) -> None:
        self._stream = stream
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        if name == "socket" and not hasattr(self._stream, name) and not hasattr(self._stream, "transport_stream"):
            return _NoSocket()
        return getattr(self._stream, name)

    async def receive_some(self, max_bytes: int) -> bytes:
        """Receive, as from the stream."""
        if self._prefix:
            await trio.lowlevel.checkpoint()
            data, self._prefix = self._prefix[:max_bytes], self._prefix[max_bytes:]
            return data
        return bytes(await self._stream.receive_some(max_bytes))


@final
class _NoSocket:
    """What a stream in memory has for a socket: hypercorn asks for the addresses."""

    family = None

    def getpeername(self) -> str:
        return ""

    getsockname = getpeername


@final
class Hypercorn:
    """Serves single connections of an application, in the nursery of whoever runs it.

    Args:
        app: an ASGI application.
        config: hypercorn's settings.
        write_deadline: seconds that one write may take.
    """

    def __init__(self, app: ASGIApplication, config: Config, write_deadline: float) -> None:
        self._app: AppWrapper = ASGIWrapper(app)
        self._config = config
        self._deadlines = WriteDeadlines(write_deadline)
        self._context = WorkerContext(None)
        self._state: LifespanState = {}
        self._closing = trio.Event()
        self._end_by = math.inf
        self._failure_seen = False
        self._connections: trio.Nursery | None = None
        self.ended = trio.Event()
        """``run`` has returned."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until closed: the application's lifespan outside, its connections inside."""
        try:
            await self._run(task_status)
        finally:
            self.ended.set()

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        lifespan = Lifespan(self._app, self._config, self._state)
        async with trio.open_nursery() as lifespan_nursery:
            await lifespan_nursery.start(lifespan.handle_lifespan)
            await lifespan.wait_for_startup()
            async with trio.open_nursery() as self._connections:
                try:
                    task_status.started()
                    await self._closing.wait()
                finally:
                    # Cancelled: at once.
                    self._deadlines.end(self._end_by if self._closing.is_set() else trio.current_time())
                await self._context.terminated.set()
                self._connections.cancel_scope.deadline = self._end_by
            await lifespan.wait_for_shutdown()
            lifespan_nursery.cancel_scope.cancel()

    def adopt(self, stream: trio.abc.Stream, prefix: bytes) -> None:
        """Serve a connection of which ``prefix`` has been read already, in a task of its own.

        It is in the nursery that ends before the lifespan does: no request comes behind the application's shutdown.
        """
        assert self._connections is not None  # noqa: S101 - connections come only while it runs
        self._connections.start_soon(self._serve, PrefixedStream(stream, prefix))

    async def _serve(self, stream: Any) -> None:
        await GuardedTCPServer(
            self._app,
            self._config,
            self._context,
            ConnectionState(self._state.copy()),
            stream,
            deadlines=self._deadlines,
            log_failure=self._log_failure,
        ).run()

    def _log_failure(self, error: Exception) -> None:
        # Once loudly: whoever finds what makes hypercorn fail could fill the log with it.
        level = logging.DEBUG if self._failure_seen else logging.ERROR
        self._failure_seen = True
        _logger.log(level, "a connection ended by an error in hypercorn; the server lives on", exc_info=error)
        show_error(error, "app")

    def close(self, end_by: float) -> None:
        """Let requests that are under way end, until the time ``end_by``, and then the lifespan: ``run`` returns."""
        self._end_by = end_by
        self._closing.set()


@final
class AccessLog:
    """The access log of a hypercorn configuration, for requests that hypercorn does not see."""

    def __init__(self, config: Config) -> None:
        self._log = config.log
        self._target = self._log.access_logger

    @property
    def is_wanted(self) -> bool:
        """The configuration has one."""
        return self._target is not None

    def write(self, head: Head, link: Link, status: int | None, headers: Headers, seconds: float) -> None:
        """Note a request; see ``LogAccess``."""
        if self._target is None:
            return
        is_websocket = not head.is_old and wants_websocket(head.headers)
        scope: Any = {
            "type": "websocket" if is_websocket else "http",
            "http_version": "1.0" if head.is_old else "1.1",
            "method": head.method,
            "scheme": ("ws" if is_websocket else "http") + "s" * link.secure,
            "path": head.path,
            "query_string": head.query_string.encode(),
            "headers": raw(list(head.headers.items())),
            "client": None if link.client is None else (link.client, link.port()),
        }
        response: Any = None if status is None else {"status": status, "headers": raw(headers)}
        self._target.info(self._log.access_log_format, self._log.atoms(scope, response, seconds))
