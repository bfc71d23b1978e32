"""The Engine.IO server: the registry of sessions, and the way of each request to its session.

There is one way into the registry (``_open``) and one way out of it (``_forget``, called by ``Session.close``).
Whoever serves hands over the same two values: a ``Request`` (with a function that reads the body), or a ``Request`` and
then a ``MessageStream``.
"""

from __future__ import annotations

import contextvars
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

import trio

from trio_socketio._engine.config import EngineConfig, TransportName
from trio_socketio._engine.cors import OriginRule
from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.http import Headers, ReadBody, Request, Response, refused, refused_websocket
from trio_socketio._engine.polling import PollingTransport, payload
from trio_socketio._engine.session import Handler, Session, SessionState, Upgrade
from trio_socketio._engine.transport import MessageStream
from trio_socketio._engine.websocket import FAREWELL, WebSocketTransport, probe
from trio_socketio._exceptions import ConnectionRefused
from trio_socketio._limits import Limits
from trio_socketio._logging import masked, scope_logger, shortened
from trio_socketio._wire.engine_handshake import OpenData, Query, Refusal

_logger = scope_logger("engine")

SID_BYTES = 15
"""Random bytes of a session id: 120 bits, 20 URL-safe characters."""


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
        self._accept = accept
        self._files = files
        self._origin_rule = OriginRule(config)
        self._sessions: dict[str, Session] = {}
        self._nursery: trio.Nursery | None = None
        self._background: trio.Nursery | None = None
        self._foreign_origin_seen = False
        self._context = contextvars.Context()
        self._draining = False

    @property
    def sessions(self) -> MappingProxyType[str, Session]:
        """The open sessions by sid."""
        return MappingProxyType(self._sessions)

    @property
    def is_running(self) -> bool:
        """Somebody runs the server."""
        return self._nursery is not None

    def start_soon(self, function: Callable[[], Awaitable[None]]) -> bool:
        """Run what a connection leaves behind (a send that is stuck, a queue to be emptied) beside it, not in it.

        Such tasks are cancelled when the last session has ended. ``False`` if nobody runs the server.
        """
        if self._background is None:
            return False
        self._background.start_soon(function)
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own all sessions while the block runs; leaving it closes them at once (``drain`` first to be kind).

        Raises:
            RuntimeError: it runs already.
        """
        if self._nursery is not None:
            msg = "this server is running already: enter running() once, round everything that serves it"
            raise RuntimeError(msg)
        self._context = contextvars.copy_context()
        self._draining = False
        failure: Exception | KeyboardInterrupt | None = None
        try:
            async with trio.open_nursery() as self._background:
                async with trio.open_nursery() as self._nursery:
                    try:
                        yield
                    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - raised below
                        # Kept out of the nursery, which would put it into a group, and raised as it is below.
                        failure = error
                    finally:
                        self._end_sessions(self._nursery)
                self._background.cancel_scope.cancel()
        finally:
            self._nursery = self._background = None
        if failure is not None:
            raise failure

    def _end_sessions(self, nursery: trio.Nursery) -> None:
        self._draining = True
        for session in list(self._sessions.values()):
            session.close(CloseReason.SERVER_SHUTTING_DOWN)
        nursery.cancel_scope.deadline = trio.current_time() + self.limits.disconnect_timeout + FAREWELL

    async def drain(self) -> None:
        """Refuse new sessions, deliver to each client what waits for it, and close it so that it comes back later.

        Cancelling this stops the waiting; sessions that are still there then end with ``running``.
        """
        await trio.lowlevel.checkpoint()
        self._draining = True
        sessions = list(self._sessions.values())
        for session in sessions:
            transport = session.transport
            # Between two polls, and with nothing to be told: the next one gets 400, and the client comes back.
            absent = transport is None or (transport.name == "polling" and not transport.writable)
            if absent and not session.outbox:
                session.close(CloseReason.SERVER_SHUTTING_DOWN)
            else:
                session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        for session in sessions:
            await session.closed.wait()

    # HTTP

    async def handle_http(self, request: Request, read_body: ReadBody) -> Response:
        """Answer a request under our path. Cancel it when the client gives the request up."""
        if not self._origin_rule.allows(request):
            self._log_foreign_origin(request)
            response = refused(Refusal.FORBIDDEN)
            response.headers.extend(self._origin_rule.headers(request))
            return response
        answer = self._origin_rule.preflight(request)
        if answer is None and self._files is not None:
            answer = self._files(request)
        response = await self._serve(request, read_body) if answer is None else answer
        response.headers.extend(self._origin_rule.headers(request))
        if response.status == 200 and self.config.headers is not None:
            self.config.headers(response.headers, request)
        return response

    async def _serve(self, request: Request, read_body: ReadBody) -> Response:
        query = Query.of(request.query)
        refusal = query.refusal(method=request.method, is_websocket=False, transports=self.config.transports)
        if refusal is not None:
            return refused(refusal)
        if query.sid is None:
            return await self._handshake(request)
        session = self._find(query.sid)
        if session is None:
            return refused(Refusal.UNKNOWN_SID)
        transport = session.transport
        if not isinstance(transport, PollingTransport) or query.transport != "polling":
            return refused(Refusal.BAD_REQUEST)
        if request.method == "GET":
            return await transport.poll()
        if request.method == "POST":
            return await transport.push(request, read_body)
        return Response(500)

    async def _handshake(self, request: Request) -> Response:
        refusal = await self._refusal_of_new(request)
        if refusal is not None:
            return refusal if isinstance(refusal, Response) else refused(*refusal)
        session = await self._open(request)
        session.attach(PollingTransport(session))
        response = payload([self._open_data(session, "polling").encode()])
        if self.config.cookie is not None:
            cookie = self.config.cookie.header(session.sid, secure=request.secure)
            response.headers.append(("set-cookie", cookie))
        if self.config.initial_headers is not None:
            self.config.initial_headers(response.headers, request)
        return response

    def undelivered(self, request: Request, reason: CloseReason) -> None:
        """Note that a response could not be delivered: its packets are lost, and so is the session."""
        session = self._sessions.get(request.query.get("sid", ""))
        if session is not None:
            session.close(reason)

    # WebSocket

    async def admit(self, request: Request) -> Admission | Response:
        """Decide about a WebSocket request: accept and ``carry`` it, or give the answer that refuses it."""
        if not self._origin_rule.allows(request):
            self._log_foreign_origin(request)
            return refused_websocket(Refusal.FORBIDDEN)
        headers = self._origin_rule.headers(request)
        query = Query.of(request.query)
        refusal = query.refusal(method=request.method, is_websocket=True, transports=self.config.transports)
        session = None
        if refusal is None and query.sid is not None:
            session = self._find(query.sid)
            refusal = Refusal.UNKNOWN_SID if session is None else None
        elif refusal is None:
            answer = await self._refusal_of_new(request)
            if answer is not None:
                return answer if isinstance(answer, Response) else refused_websocket(*answer)
            if self.config.initial_headers is not None:
                self.config.initial_headers(headers, request)
        if refusal is not None:
            response = refused_websocket(refusal)
            response.headers.extend(headers)
            return response
        if self.config.headers is not None:
            self.config.headers(headers, request)
        return Admission(request, headers, session)

    async def carry(self, admission: Admission, stream: MessageStream) -> None:
        """Carry a session over an accepted WebSocket, until either side closes it.

        A new session begins with it; one that is there already changes to it, if the client's probe says so.
        """
        session = admission.session
        if Query.of(admission.request.query).transport != "websocket":
            await _close(stream)
        elif session is not None:
            await self._upgrade(session, stream)
        else:
            session = await self._open(admission.request)
            session.outbox.put([self._open_data(session, "websocket").encode()])
            await self._transport(session, stream)

    async def _upgrade(self, session: Session, stream: MessageStream) -> None:
        possible = session.upgrade is Upgrade.NONE and isinstance(session.transport, PollingTransport)
        if possible and session.state is SessionState.OPEN and await probe(session, stream):
            await self._transport(session, stream)
        else:
            await _close(stream)

    async def _transport(self, session: Session, stream: MessageStream) -> None:
        transport = WebSocketTransport(session, stream)
        session.attach(transport)
        assert self._nursery is not None  # noqa: S101 - a session is there, so the server runs
        self._context.copy().run(self._nursery.start_soon, transport.write)
        try:
            await transport.read()
        finally:
            session.close(CloseReason.TRANSPORT_CLOSE)
            with trio.move_on_after(FAREWELL, shield=True):
                await transport.finished.wait()

    # Sessions

    async def _refusal_of_new(self, request: Request) -> Response | tuple[Refusal, str | None] | None:
        if self._nursery is None or self._draining or len(self._sessions) >= self.limits.max_sessions:
            if self._nursery is None:
                _logger.error("a client asked for a session, but nobody runs the server: enter Server.running()")
            return Response(503, headers=[("retry-after", "1")])
        if self.config.allow_request is None:
            return None
        try:
            allowed = await self.config.allow_request(request)
        except ConnectionRefused as refusal:
            return Refusal.FORBIDDEN, refusal.message
        except Exception:
            _logger.exception("allow_request raised: the client is refused")
            return Refusal.BAD_REQUEST, None
        return (Refusal.FORBIDDEN, None) if allowed is False else None

    async def _open(self, request: Request) -> Session:
        assert self._nursery is not None  # noqa: S101 - _refusal_of_new has looked
        session = Session(secrets.token_urlsafe(SID_BYTES), request, self.config, self.limits, self._forget)
        self._sessions[session.sid] = session
        # In the server's context: a session outlives the request, and must not inherit the request's variables.
        self._context.copy().run(self._nursery.start_soon, self._run, session)
        await session.started.wait()
        _logger.debug("%s: opened for %s", masked(session.sid), request.client)
        return session

    async def _run(self, session: Session) -> None:
        try:
            await session.run(self._accept(session))
        except Exception:
            # Handlers contain the application's errors: this is a fault of ours. It may cost one client, not all.
            _logger.exception("session %s ended by a fault of the server", masked(session.sid))

    def _open_data(self, session: Session, transport: TransportName) -> OpenData:
        return OpenData(
            sid=session.sid,
            upgrades=self.config.upgrades_from(transport),
            ping_interval=self.config.ping_interval,
            ping_timeout=self.config.ping_timeout,
            max_payload=self.limits.max_payload,
        )

    def _find(self, sid: str) -> Session | None:
        session = self._sessions.get(sid)
        if session is not None:
            session.timers.fire_due()
            if session.state is SessionState.CLOSED:
                return None
        return session

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.sid, None)

    def _log_foreign_origin(self, request: Request) -> None:
        # Once loudly: whoever sets a server up must see it, and no client can fill the log with it.
        level = logging.DEBUG if self._foreign_origin_seen else logging.WARNING
        self._foreign_origin_seen = True
        _logger.log(
            level,
            "refused a request of the origin %s: list it in EngineConfig(cors=CORS(origins=...)) if that site may connect",
            shortened(request.headers.get("origin", "")),
        )


async def _close(stream: MessageStream) -> None:
    with trio.move_on_after(FAREWELL):
        await stream.aclose()
