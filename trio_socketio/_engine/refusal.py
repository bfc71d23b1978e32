"""Requests that are refused: what the client is told, what is counted, and what the application hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias, final

from trio_socketio._engine.http import Request, Response, refused, refused_websocket
from trio_socketio._engine.statistics import NO_PLACE, Counters
from trio_socketio._logging import masked, scope_logger, show_error
from trio_socketio._wire.engine_handshake import Query, Refusal

_logger = scope_logger("engine")

MIDDLEWARE = "Middleware"
"""What a request is counted under that a middleware has answered with an error of its own."""

SHOWN = 100
"""Characters that a context shows of what a client sent."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRefusal:
    """A request that was refused, as ``EngineConfig(connection_error=...)`` is told of it.

    Args:
        request: the request. Its query may hold a session's id, which is a secret: don't log it as it is.
        status: of the HTTP answer; 101 if there was no place any more when the WebSocket was open.
        code: the protocol's: 0 unknown transport, 1 unknown session, 2 bad method of a handshake, 3 bad request, 4
            forbidden, 5 another version of the protocol; ``None`` for what the protocol has no code for.
        message: what the client is told, or ``"No place"`` (503), or ``"Middleware"`` for an answer of a middleware's own.
        context: what is known beside that, and safe to log. For code 0 it has ``transport``, for 1 ``sid`` (its first
            characters), for 2 ``method``, for 5 ``protocol``, and for 4 ``message``, or a name and the ``origin``. All
            others have a ``name``: ``INVALID_ORIGIN``, ``TRANSPORT_MISMATCH``, ``TRANSPORT_HANDSHAKE_ERROR``,
            ``PROTOCOL_MISMATCH``, ``MIDDLEWARE_FAILURE``, ``ALLOW_REQUEST_FAILURE`` or ``NO_PLACE``.
    """

    request: Request = field(repr=False)
    status: int
    code: int | None
    message: str
    context: Mapping[str, str]


ConnectionErrorHook: TypeAlias = Callable[[ConnectionRefusal], None]
"""Hears of a refused request."""


def context_of(refusal: Refusal, query: Query, method: str) -> dict[str, str]:
    """Say what is wrong with a request of which nothing but its head was looked at, or whose session is not there."""
    match refusal:
        case Refusal.UNKNOWN_TRANSPORT:
            return {"transport": query.transport or ""}
        case Refusal.UNKNOWN_SID:
            return {"sid": masked(query.sid or "")}
        case Refusal.BAD_HANDSHAKE_METHOD:
            return {"method": method}
        case Refusal.UNSUPPORTED_PROTOCOL_VERSION:
            return {"protocol": query.revision or ""}
        case _:
            name = "TRANSPORT_HANDSHAKE_ERROR" if query.sid is None else "PROTOCOL_MISMATCH"
            return {"name": name, "transport": query.transport or "", "protocol": query.revision or ""}


@final
class Refusals:
    """Refuses requests for one server.

    Args:
        counters: the server's.
        hook: hears of each one; what it raises is logged, and changes nothing.
    """

    __slots__ = ("_counters", "_hook")

    def __init__(self, counters: Counters, hook: ConnectionErrorHook | None) -> None:
        self._counters = counters
        self._hook = hook

    def refuse(
        self,
        request: Request,
        refusal: Refusal,
        context: Mapping[str, str],
        message: str | None = None,
        *,
        is_websocket: bool = False,
    ) -> Response:
        """Refuse by the protocol; return the answer.

        Args:
            request: what is refused.
            refusal: why.
            context: more about it.
            message: for the client, instead of the protocol's.
            is_websocket: whether the request was for a WebSocket.
        """
        self._counters.refused[refusal.message] += 1
        said = refusal.message if message is None else message
        self._tell(request, refusal.status, refusal.code, said, context)
        return (refused_websocket if is_websocket else refused)(refusal, message)

    def no_place(self, request: Request, status: int = 503) -> Response:
        """Refuse a new session, which may come again later; return the answer."""
        self._counters.refused[NO_PLACE] += 1
        self._tell(request, status, None, NO_PLACE, {"name": "NO_PLACE"})
        return Response(503, headers=[("retry-after", "1")])

    def by_middleware(self, request: Request, response: Response) -> Response:
        """Note what a middleware has answered; it is a refusal if the client will take it for one."""
        if response.status >= 400:
            self._counters.refused[MIDDLEWARE] += 1
            self._tell(request, response.status, None, MIDDLEWARE, {"name": "MIDDLEWARE_FAILURE"})
        return response

    def _tell(self, request: Request, status: int, code: int | None, message: str, context: Mapping[str, str]) -> None:
        if self._hook is None:
            return
        shown = MappingProxyType({name: value[:SHOWN] for name, value in context.items()})
        try:
            self._hook(ConnectionRefusal(request=request, status=status, code=code, message=message, context=shown))
        except Exception as error:
            _logger.exception("connection_error raised; the client is refused all the same")
            show_error(error, "connection_error")
