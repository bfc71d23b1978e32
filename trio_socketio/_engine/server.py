"""The Engine.IO server: the way of each request to its session.

Whoever serves hands over the same two values: a ``Request`` (with a function that reads the body), or a ``Request`` and
then a ``MessageStream``.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import final

import trio

from trio_socketio._engine.compression import Compressor
from trio_socketio._engine.config import EngineConfig, HeadersHook, TransportName
from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.http import EventHold, Headers, Hold, ReadBody, Request, Response
from trio_socketio._engine.middleware import ask_middlewares, unfit_headers
from trio_socketio._engine.origin_rule import OriginRule
from trio_socketio._engine.polling import PollingTransport
from trio_socketio._engine.refusal import Refusals, context_of
from trio_socketio._engine.registry import SessionRegistry
from trio_socketio._engine.session import Handler, Session, SessionState, Upgrade
from trio_socketio._engine.statistics import Counters
from trio_socketio._engine.timers import Timers
from trio_socketio._engine.transport import FAREWELL, MessageStream
from trio_socketio._engine.websocket import WebSocketTransport, probe
from trio_socketio._engine.writer import TaskWriter, WriterFactory
from trio_socketio._exceptions import ConnectionRefused
from trio_socketio._limits import Limits
from trio_socketio._logging import scope_logger, shortened, show_error
from trio_socketio._wire.engine_codec import REVISION_4, EngineCodec, codec_of
from trio_socketio._wire.engine_handshake import OLD_REVISION, PROTOCOL_REVISION, OpenData, Query, Refusal

_logger = scope_logger("engine")

OLD_CLIENT_PAUSE = 0.02
"""Seconds between the 101 and the handshake of a client of Engine.IO 3. Some of them, and the official suite, begin to listen
when the WebSocket is open, and lose what comes in the same segment."""


@final
@dataclass(frozen=True, slots=True)
class Admission:
    """A WebSocket request that is to be accepted with these headers, and then carried."""

    request: Request
    headers: Headers
    session: Session | None
    """The session that it would upgrade; ``None`` to open a new one."""


@final
class EngineServer:
    """Serves sessions; give it requests while ``running``.

    Args:
        config: settings.
        limits: limits.
        accept: makes the handler of a new session.
        files: answers requests under the path that are not Engine.IO's, or ``None`` for those that are.
        beside: what the layer above has open while it runs, whoever runs it: left before the sessions are ended.
    """

    def __init__(
        self,
        config: EngineConfig,
        limits: Limits,
        accept: Callable[[Session], Handler],
        files: Callable[[Request], Response | None] | None = None,
        beside: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.config: EngineConfig = config
        self.limits: Limits = limits
        self.counters: Counters = Counters()
        self._files = files
        self._beside = beside
        compression = config.http_compression
        self._compressor = None if compression is None else Compressor(compression)
        self._compress_from = math.inf if compression is None else compression.threshold
        self._revisions = (PROTOCOL_REVISION, OLD_REVISION) if config.allow_eio3 else (PROTOCOL_REVISION,)
        self._origin_rule = OriginRule(config.cors)
        self._refusals = Refusals(self.counters, config.connection_error)
        self._registry = SessionRegistry(config, limits, accept, self.counters)
        self._foreign_origin_seen = False

    @property
    def sessions(self) -> MappingProxyType[str, Session]:
        """The open sessions by sid."""
        return self._registry.sessions

    @property
    def is_running(self) -> bool:
        """Somebody runs the server."""
        return self._registry.is_running

    @property
    def session_tasks(self) -> frozenset[trio.lowlevel.Task]:
        """The tasks of the sessions, and those that end with them; for looking at."""
        return self._registry.tasks

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own all sessions while the block runs; see ``SessionRegistry.running``."""
        async with self._registry.running():
            with self._beside():
                yield

    async def drain(self, spread: float = 0.0) -> None:
        """Let all clients go in peace; see ``SessionRegistry.drain``."""
        await self._registry.drain(spread)

    def end_sessions(self) -> None:
        """Let nobody stay; see ``SessionRegistry.end_sessions``."""
        self._registry.end_sessions()

    def start_soon(self, function: Callable[[], Awaitable[None]]) -> bool:
        """Run what a connection leaves behind; see ``SessionRegistry.start_soon``."""
        return self._registry.start_soon(function)

    def start_with_sessions(self, function: Callable[..., Awaitable[None]], /, *args: object) -> None:
        """Start a task that ends with the sessions; see ``SessionRegistry.start_with_sessions``."""
        self._registry.start_with_sessions(function, *args)

    def new_timers(self, on_fault: Callable[[Exception], None]) -> Timers:
        """Make deadlines for a connection, by the server's clock."""
        return self._registry.new_timers(on_fault)

    def asks_application(self, request: Request) -> bool:
        """Say whether the application is asked about a request: it may take its time."""
        asks = self.config.allow_request is not None or self.config.middleware
        return bool(asks) and Query.of(request.query).sid is None

    # HTTP

    async def handle_http(
        self,
        request: Request,
        read_body: ReadBody,
        new_hold: Callable[[], Hold] = EventHold,
        body: bytes | None = None,
    ) -> Response:
        """Answer a request under our path. Cancel it when the client gives the request up.

        Args:
            request: its head.
            read_body: reads its body.
            new_hold: makes what it waits by while there is nothing to say.
            body: its body, if that is there already: then it is not read.

        Raises:
            ClientGone: out of the hold.
        """
        if self.config.trusted_proxies is not None:
            request = self.config.trusted_proxies.resolve(request)
        allowed, headers = self._origin_rule.judge(request)
        if allowed:
            response = await self._serve(request, read_body, new_hold, body)
        else:
            response = self._refuse_origin(request, is_websocket=False)
        response.headers.extend(headers)
        if response.compress and self._compressor is not None:
            try:
                response = await self._compressor.compressed(request, response)
            except trio.Cancelled:
                self.undelivered(request, response, CloseReason.TRANSPORT_ERROR)
                raise
        return response

    async def _serve(
        self, request: Request, read_body: ReadBody, new_hold: Callable[[], Hold], body: bytes | None
    ) -> Response:
        response = self._origin_rule.preflight(request)
        if response is None and self._files is not None:
            response = self._files(request)
        if response is None and self.config.middleware:
            response = await self._ask_middlewares(request, is_websocket=False)
        if response is not None:
            return response
        parameters = request.query
        query = Query.of(parameters)
        refusal = query.refusal(
            method=request.method,
            is_websocket=False,
            transports=self.config.transports,
            revisions=self._revisions,
        )
        if refusal is not None:
            return self._refusals.refuse(request, refusal, context_of(refusal, query, request.method))
        if query.sid is None:
            return await self._handshake(request, codec_of(parameters))
        session = self._registry.find(query.sid)
        refusal = _refusal_by(session, query)
        if refusal is not None:
            return self._refusals.refuse(request, refusal, context_of(refusal, query, request.method))
        assert session is not None  # noqa: S101 - else it was refused
        transport = session.transport
        if not isinstance(transport, PollingTransport) or query.transport != "polling":
            context = {"name": "TRANSPORT_MISMATCH", "transport": query.transport or ""}
            return self._refusals.refuse(request, Refusal.BAD_REQUEST, context)
        if request.method == "GET":
            response = await transport.poll(new_hold)
        elif request.method == "POST":
            response = await transport.push(request, read_body, body)
        else:
            response = Response(500)
        return self._hooked(response, request, session, self.config.headers) if response.status == 200 else response

    async def _handshake(self, request: Request, codec: EngineCodec) -> Response:
        response = await self._refusal_of_new(request, is_websocket=False)
        if response is not None:
            return response
        session = await self._registry.open(request, codec.revision)
        if session is None:
            return self._no_place(request)
        transport = PollingTransport(session, codec, self._compress_from)
        session.attach(transport)
        response = transport.payload([self._open_data(session, "polling").encode()])
        if self.config.cookie is not None:
            cookie = self.config.cookie.header(session.sid, secure=request.secure)
            response.headers.append(("set-cookie", cookie))
        return self._hooked(response, request, session, self.config.initial_headers, self.config.headers)

    def _hooked(self, response: Response, request: Request, session: Session, *hooks: HeadersHook | None) -> Response:
        """Let the application change the headers; if it fails, what the response carries is lost with the session."""
        if _call_hooks(response.headers, request, *hooks):
            return response
        session.close(CloseReason.TRANSPORT_ERROR)
        return Response(500)

    def undelivered(self, request: Request, response: Response | None, reason: CloseReason) -> None:
        """Note that a request was given up, or its response could not be delivered: what they carried is lost.

        So the session is closed, lest a packet be missing in the middle of it; but not by a GET without packets, when
        the session has left long-polling.
        """
        session = self.sessions.get(request.query.get("sid", ""))
        if session is None:
            return
        empty_handed = request.method == "GET" and (response is None or response.status != 200)
        if not empty_handed or isinstance(session.transport, PollingTransport):
            session.close(reason)

    # WebSocket

    async def admit(self, request: Request) -> Admission | Response:
        """Decide about a WebSocket request: accept and ``carry`` it, or give the answer that refuses it."""
        if self.config.trusted_proxies is not None:
            request = self.config.trusted_proxies.resolve(request)
        allowed, headers = self._origin_rule.judge(request)
        if allowed:
            admission = await self._admit(request, headers)
        else:
            admission = self._refuse_origin(request, is_websocket=True)
        if isinstance(admission, Response):
            admission.headers.extend(headers)
        return admission

    async def _admit(self, request: Request, headers: Headers) -> Admission | Response:
        if self.config.middleware:
            answer = await self._ask_middlewares(request, is_websocket=True)
            if answer is not None:
                return answer
        query = Query.of(request.query)
        refusal = query.refusal(
            method=request.method, is_websocket=True, transports=self.config.transports, revisions=self._revisions
        )
        session = None if query.sid is None else self._registry.find(query.sid)
        if refusal is None and query.sid is not None:
            refusal = _refusal_by(session, query)
        if refusal is not None:
            context = context_of(refusal, query, request.method)
            return self._refusals.refuse(request, refusal, context, is_websocket=True)
        if session is None:
            answer = await self._refusal_of_new(request, is_websocket=True)
            if answer is not None:
                return answer
        hooks = (self.config.initial_headers if session is None else None, self.config.headers)
        headers = list(headers)
        if not _call_hooks(headers, request, *hooks):
            return Response(500)
        return Admission(request, headers, session)

    async def carry(self, admission: Admission, stream: MessageStream, new_writer: WriterFactory | None = None) -> None:
        """Carry a session over an accepted WebSocket, until either side closes it.

        A new session begins with it; one that is there already changes to it, if the client's probe says so.

        Args:
            admission: what ``admit`` returned.
            stream: the accepted WebSocket.
            new_writer: makes what writes to it; a task that awaits ``stream.send`` if it is left out.
        """
        if new_writer is None:
            new_writer = partial(TaskWriter, stream)
        session = admission.session
        parameters = admission.request.query
        codec = codec_of(parameters)
        if parameters.get("transport") != "websocket":
            await _close(stream)
        elif session is not None:
            await self._upgrade(session, stream, new_writer, codec)
        else:
            if codec.revision == OLD_REVISION:
                await trio.sleep(OLD_CLIENT_PAUSE)
            session = await self._registry.open(admission.request, codec.revision)
            if session is None:
                self._refusals.no_place(admission.request, status=101)
                await _close(stream)
                return
            # In front of all that may wait already: the server lets clients of Socket.IO 2 join by itself, at once.
            session.outbox.put_first(self._open_data(session, "websocket").encode())
            await self._transport(session, stream, new_writer, codec)

    async def _upgrade(
        self, session: Session, stream: MessageStream, new_writer: WriterFactory, codec: EngineCodec
    ) -> None:
        possible = session.upgrade is Upgrade.NONE and isinstance(session.transport, PollingTransport)
        if possible and session.state is SessionState.OPEN and await probe(session, stream):
            await self._transport(session, stream, new_writer, codec)
        else:
            await _close(stream)

    async def _transport(
        self, session: Session, stream: MessageStream, new_writer: WriterFactory, codec: EngineCodec = REVISION_4
    ) -> None:
        writer = new_writer(session, self._registry.start_with_sessions, codec)
        transport = WebSocketTransport(session, stream, writer, codec)
        session.attach(transport)  # pyright: ignore[reportArgumentType] - wake and flush are attributes there
        try:
            await transport.read()
        finally:
            session.close(CloseReason.TRANSPORT_CLOSE)
            writer.flush()  # Who would do it a moment later may end with this task.
            with trio.move_on_after(FAREWELL, shield=True):
                await writer.finished.wait()

    # New sessions

    async def _refusal_of_new(self, request: Request, *, is_websocket: bool) -> Response | None:
        if not self._registry.takes_new:
            return self._no_place(request)
        if self.config.allow_request is None:
            return None
        refusal, message, context = Refusal.FORBIDDEN, None, {"message": Refusal.FORBIDDEN.message}
        try:
            with trio.fail_after(self.limits.connect_timeout):
                if await self.config.allow_request(request) is not False:
                    return None if self._registry.takes_new else self._no_place(request)
        except ConnectionRefused as error:
            message = error.message
            context = {"message": message}
        except Exception as error:
            _logger.exception("allow_request raised: the client is refused")
            show_error(error, "allow_request")
            refusal, context = Refusal.BAD_REQUEST, {"name": "ALLOW_REQUEST_FAILURE"}
        return self._refusals.refuse(request, refusal, context, message, is_websocket=is_websocket)

    async def _ask_middlewares(self, request: Request, *, is_websocket: bool) -> Response | None:
        answer = await ask_middlewares(self.config.middleware, request, self.limits.connect_timeout)
        if isinstance(answer, Response):
            return self._refusals.by_middleware(request, answer)
        if answer is None:
            return None
        refusal, message = answer
        context = {"name": "MIDDLEWARE_FAILURE"} if message is None else {"message": message}
        return self._refusals.refuse(request, refusal, context, message, is_websocket=is_websocket)

    def _no_place(self, request: Request) -> Response:
        if not self.is_running:
            _logger.error("a client asked for a session, but nobody runs the server: enter Server.running()")
        return self._refusals.no_place(request)

    def _open_data(self, session: Session, transport: TransportName) -> OpenData:
        return OpenData(
            sid=session.sid,
            upgrades=self.config.upgrades_from(transport),
            ping_interval=self.config.ping_interval,
            ping_timeout=self.config.ping_timeout,
            max_payload=self.limits.max_payload,
        )

    def _refuse_origin(self, request: Request, *, is_websocket: bool) -> Response:
        origin = request.headers.get("origin", "")
        # Once loudly: whoever sets a server up must see it, and no client can fill the log with it.
        level = logging.DEBUG if self._foreign_origin_seen else logging.WARNING
        self._foreign_origin_seen = True
        _logger.log(
            level,
            "refused a request of the origin %s: list it in EngineConfig(cors=CORS(origins=...)) if that site may connect",
            shortened(origin),
        )
        context = {"name": "INVALID_ORIGIN", "origin": origin}
        return self._refusals.refuse(request, Refusal.FORBIDDEN, context, is_websocket=is_websocket)


def _refusal_by(session: Session | None, query: Query) -> Refusal | None:
    """Check a request against the session that it names: "EIO must match the session on every request"."""
    if session is None:
        return Refusal.UNKNOWN_SID
    return None if query.revision == session.revision else Refusal.BAD_REQUEST


def _call_hooks(headers: Headers, request: Request, *hooks: HeadersHook | None) -> bool:
    """Let the application change headers; ``False`` if it failed, or made what can't be sent."""
    if not any(hooks):
        return True
    try:
        for hook in hooks:
            if hook is not None:
                hook(headers, request)
        unfit = unfit_headers(headers)
    except Exception as error:
        _logger.exception("a hook for headers failed: its client pays")
        show_error(error, "headers")
        return False
    if unfit:
        _logger.error("a hook made headers that can't be sent, %s: its client pays", shortened(unfit))
    return not unfit


async def _close(stream: MessageStream) -> None:
    with trio.move_on_after(FAREWELL):
        await stream.aclose()
