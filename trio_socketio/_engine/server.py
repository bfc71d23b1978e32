"""The Engine.IO server: the way of each request to its session.

Whoever serves hands over the same two values: a ``Request`` (with a function that reads the body), or a ``Request`` and
then a ``MessageStream``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import final

import trio

from trio_socketio._engine.config import EngineConfig, HeadersHook, TransportName
from trio_socketio._engine.cors import OriginRule
from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.http import EventHold, Headers, Hold, ReadBody, Request, Response, refused, refused_websocket
from trio_socketio._engine.polling import PollingTransport
from trio_socketio._engine.registry import SessionRegistry
from trio_socketio._engine.session import Handler, Session, SessionState, Upgrade
from trio_socketio._engine.statistics import NO_PLACE, Counters
from trio_socketio._engine.timers import Timers
from trio_socketio._engine.transport import FAREWELL, MessageStream
from trio_socketio._engine.websocket import WebSocketTransport, probe
from trio_socketio._engine.writer import TaskWriter, WriterFactory
from trio_socketio._exceptions import ConnectionRefused
from trio_socketio._limits import Limits
from trio_socketio._logging import scope_logger, shortened
from trio_socketio._wire.engine_codec import REVISION_4, EngineCodec, codec_of
from trio_socketio._wire.engine_handshake import OLD_REVISION, PROTOCOL_REVISION, OpenData, Query, Refusal

_logger = scope_logger("engine")

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*")


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
    """

    def __init__(
        self,
        config: EngineConfig,
        limits: Limits,
        accept: Callable[[Session], Handler],
        files: Callable[[Request], Response | None] | None = None,
    ) -> None:
        self.config: EngineConfig = config
        self.limits: Limits = limits
        self.counters: Counters = Counters()
        self._files = files
        self._revisions = (PROTOCOL_REVISION, OLD_REVISION) if config.allow_eio3 else (PROTOCOL_REVISION,)
        self._origin_rule = OriginRule(config)
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

    def running(self) -> AbstractAsyncContextManager[None]:
        """Own all sessions while the block runs; see ``SessionRegistry.running``."""
        return self._registry.running()

    async def drain(self, spread: float = 0.0) -> None:
        """Let all clients go in peace; see ``SessionRegistry.drain``."""
        await self._registry.drain(spread)

    def end_sessions(self) -> None:
        """Let nobody stay; see ``SessionRegistry.end_sessions``."""
        self._registry.end_sessions()

    def start_soon(self, function: Callable[[], Awaitable[None]]) -> bool:
        """Run what a connection leaves behind; see ``SessionRegistry.start_soon``."""
        return self._registry.start_soon(function)

    def new_timers(self, on_fault: Callable[[Exception], None]) -> Timers:
        """Make deadlines for a connection, by the server's clock."""
        return self._registry.new_timers(on_fault)

    def asks_application(self, request: Request) -> bool:
        """Say whether the application is asked about a request: it may take its time."""
        return self.config.allow_request is not None and Query.of(request.query).sid is None

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
        if self._origin_rule.allows(request):
            response = await self._serve(request, read_body, new_hold, body)
        else:
            self._log_foreign_origin(request)
            response = self._refused(Refusal.FORBIDDEN)
        response.headers.extend(self._origin_rule.headers(request))
        return response

    async def _serve(
        self, request: Request, read_body: ReadBody, new_hold: Callable[[], Hold], body: bytes | None
    ) -> Response:
        response = self._origin_rule.preflight(request)
        if response is None and self._files is not None:
            response = self._files(request)
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
            return self._refused(refusal)
        if query.sid is None:
            return await self._handshake(request, codec_of(parameters))
        session = self._registry.find(query.sid)
        if session is None:
            return self._refused(Refusal.UNKNOWN_SID)
        transport = session.transport
        if not isinstance(transport, PollingTransport) or query.transport != "polling":
            return self._refused(Refusal.BAD_REQUEST)
        if query.revision != session.revision:
            return self._refused(Refusal.BAD_REQUEST)
        if request.method == "GET":
            response = await transport.poll(new_hold)
        elif request.method == "POST":
            response = await transport.push(request, read_body, body)
        else:
            response = Response(500)
        return self._hooked(response, request, session, self.config.headers) if response.status == 200 else response

    async def _handshake(self, request: Request, codec: EngineCodec) -> Response:
        refusal = await self._refusal_of_new(request)
        if refusal is not None:
            return refusal if isinstance(refusal, Response) else self._refused(*refusal)
        session = await self._registry.open(request, codec.revision)
        if session is None:
            return self._no_place()
        transport = PollingTransport(session, codec)
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
        headers = self._origin_rule.headers(request)
        if self._origin_rule.allows(request):
            admission = await self._admit(request, headers)
        else:
            self._log_foreign_origin(request)
            admission = self._refused(Refusal.FORBIDDEN, make=refused_websocket)
        if isinstance(admission, Response):
            admission.headers.extend(headers)
        return admission

    async def _admit(self, request: Request, headers: Headers) -> Admission | Response:
        query = Query.of(request.query)
        refusal = query.refusal(
            method=request.method, is_websocket=True, transports=self.config.transports, revisions=self._revisions
        )
        if refusal is not None:
            return self._refused(refusal, make=refused_websocket)
        if query.sid is not None:
            session = self._registry.find(query.sid)
            if session is None:
                return self._refused(Refusal.UNKNOWN_SID, make=refused_websocket)
            if query.revision != session.revision:
                return self._refused(Refusal.BAD_REQUEST, make=refused_websocket)
        else:
            session = None
            answer = await self._refusal_of_new(request)
            if answer is not None:
                return answer if isinstance(answer, Response) else self._refused(*answer, make=refused_websocket)
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
            session = await self._registry.open(admission.request, codec.revision)
            if session is None:
                self.counters.refused[NO_PLACE] += 1
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

    async def _refusal_of_new(self, request: Request) -> Response | tuple[Refusal, str | None] | None:
        if not self._registry.takes_new:
            return self._no_place()
        if self.config.allow_request is None:
            return None
        try:
            with trio.fail_after(self.limits.connect_timeout):
                allowed = await self.config.allow_request(request)
        except ConnectionRefused as refusal:
            return Refusal.FORBIDDEN, refusal.message
        except Exception:
            _logger.exception("allow_request raised: the client is refused")
            return Refusal.BAD_REQUEST, None
        if allowed is False:
            return Refusal.FORBIDDEN, None
        return None if self._registry.takes_new else self._no_place()

    def _no_place(self) -> Response:
        if not self.is_running:
            _logger.error("a client asked for a session, but nobody runs the server: enter Server.running()")
        self.counters.refused[NO_PLACE] += 1
        return Response(503, headers=[("retry-after", "1")])

    def _refused(
        self,
        refusal: Refusal,
        message: str | None = None,
        make: Callable[[Refusal, str | None], Response] = refused,
    ) -> Response:
        self.counters.refused[refusal.message] += 1
        return make(refusal, message)

    def _open_data(self, session: Session, transport: TransportName) -> OpenData:
        return OpenData(
            sid=session.sid,
            upgrades=self.config.upgrades_from(transport),
            ping_interval=self.config.ping_interval,
            ping_timeout=self.config.ping_timeout,
            max_payload=self.limits.max_payload,
        )

    def _log_foreign_origin(self, request: Request) -> None:
        # Once loudly: whoever sets a server up must see it, and no client can fill the log with it.
        level = logging.DEBUG if self._foreign_origin_seen else logging.WARNING
        self._foreign_origin_seen = True
        _logger.log(
            level,
            "refused a request of the origin %s: list it in EngineConfig(cors=CORS(origins=...)) if that site may connect",
            shortened(request.headers.get("origin", "")),
        )


def _call_hooks(headers: Headers, request: Request, *hooks: HeadersHook | None) -> bool:
    """Let the application change headers; ``False`` if it failed, or made what can't be sent."""
    if not any(hooks):
        return True
    try:
        for hook in hooks:
            if hook is not None:
                hook(headers, request)
        unfit = [header for header in headers if not _HEADER.fullmatch(": ".join(header))]
    except Exception:
        _logger.exception("a hook for headers failed: its client pays")
        return False
    if unfit:
        _logger.error("a hook made headers that can't be sent, %s: its client pays", shortened(unfit))
    return not unfit


async def _close(stream: MessageStream) -> None:
    with trio.move_on_after(FAREWELL):
        await stream.aclose()
