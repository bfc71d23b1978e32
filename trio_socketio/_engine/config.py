"""Settings of an Engine.IO server: frozen, keyword-only, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from trio_socketio._engine.compression import HTTPCompression
from trio_socketio._engine.cookie import Cookie
from trio_socketio._engine.cors import CORS
from trio_socketio._engine.hooks import check_plain
from trio_socketio._engine.http import Headers, Request
from trio_socketio._engine.middleware import Middleware
from trio_socketio._engine.proxies import TrustedProxies
from trio_socketio._engine.refusal import ConnectionErrorHook

TransportName: TypeAlias = Literal["polling", "websocket"]
TRANSPORTS: tuple[TransportName, ...] = ("polling", "websocket")

AllowRequest: TypeAlias = Callable[[Request], Awaitable[bool | None]]
HeadersHook: TypeAlias = Callable[[Headers, Request], None]

_SID_PREFIX = re.compile(r"[0-9A-Za-z_-]{0,16}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How an Engine.IO server behaves. Times are in seconds.

    Args:
        path: where it is served; everything below it belongs to it.
        add_trailing_slash: serve ``path/`` (and what is below) only, as official clients ask; off: ``path`` too.
        transports: those that are allowed, of ``"polling"`` and ``"websocket"``.
        allow_upgrades: offer long-polling clients the WebSocket.
        ping_interval: from one answered ping to the next one.
        ping_timeout: in which a ping must be answered.
        cors: web origins that may connect; ``None`` for the server's own only. Clients that send no ``Origin``,
            which are not browsers, are always let through.
        cookie: set a cookie with the session's id.
        http_compression: compress the answers to polls and the bundles; ``None`` (other than the reference's default): don't.
        trusted_proxies: proxies in front that are believed when they say who a client is; ``None``: nobody is.
        middleware: ``async`` functions that are called in order for every request under the path, polls and WebSockets
            too, behind the check of its origin and before any other. One returns ``None`` to go on, or a
            ``Response`` that is the answer; ``ConnectionRefused`` refuses with 403. What else it raises refuses with 400,
            and is logged; so does taking longer than ``Limits.connect_timeout``. What it puts into ``Request.state`` of a
            client's first request its sockets have as ``Handshake.state``.
        allow_eio3: serve clients of Engine.IO 3, those of Socket.IO 2, too. Their sockets' ids are secrets.
        allow_request: called before a session is opened; returns ``False`` or raises ``ConnectionRefused`` to refuse
            (HTTP 403). What else it raises refuses with 400, and is logged; so does one that takes longer than
            ``Limits.connect_timeout``. It is cancelled when the client leaves.
        initial_headers: may change the headers of the first answer of a session.
        headers: may change the headers of every successful answer.
        connection_error: hears of every request that is refused, with the code and the context. It must not wait; what
            it raises is logged, and changes nothing.
        sid_prefix: stands in front of each session's id, for balancers that choose a server by it: 16 letters, digits,
            hyphens and underscores at the most. What follows is as random as without it.

    Raises:
        ValueError: a value out of range; the message says which and what to do.
        TypeError: a hook that must not be ``async`` and is, or can't be called.
    """

    path: str = "/socket.io"
    add_trailing_slash: bool = True
    transports: tuple[TransportName, ...] = TRANSPORTS
    allow_upgrades: bool = True
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    cors: CORS | None = None
    cookie: Cookie | None = None
    http_compression: HTTPCompression | None = None
    trusted_proxies: TrustedProxies | None = None
    middleware: tuple[Middleware, ...] = ()
    allow_eio3: bool = False
    allow_request: AllowRequest | None = None
    initial_headers: HeadersHook | None = None
    headers: HeadersHook | None = None
    connection_error: ConnectionErrorHook | None = None
    sid_prefix: str = ""

    def __post_init__(self) -> None:
        if not self.path.startswith("/") or self.path.endswith("/") or "?" in self.path:
            msg = f"EngineConfig(path={self.path!r}) must begin with a slash and not end with one, such as '/socket.io'"
            raise ValueError(msg)
        if not self.transports or not set(self.transports) <= set(TRANSPORTS):
            msg = f"EngineConfig(transports={self.transports!r}) must name one or both of {TRANSPORTS}"
            raise ValueError(msg)
        for name, value in (("ping_interval", self.ping_interval), ("ping_timeout", self.ping_timeout)):
            if not 0.001 <= value <= 86_400:
                msg = f"EngineConfig({name}={value!r}) is out of range: give seconds, from 0.001 to 86400"
                raise ValueError(msg)
        if not _SID_PREFIX.fullmatch(self.sid_prefix):
            msg = f"EngineConfig(sid_prefix={self.sid_prefix!r}) takes 16 letters, digits, hyphens or underscores at the most"
            raise ValueError(msg)
        self._check_functions()

    def _check_functions(self) -> None:
        check_plain("EngineConfig(initial_headers)", self.initial_headers)
        check_plain("EngineConfig(headers)", self.headers)
        check_plain("EngineConfig(connection_error)", self.connection_error)
        if callable(self.middleware) or not all(callable(function) for function in self.middleware):
            msg = f"EngineConfig(middleware={self.middleware!r}) takes a tuple of async functions"
            raise TypeError(msg)

    def upgrades_from(self, transport: TransportName) -> list[str]:
        """Say what a session that began on ``transport`` may change to."""
        possible = transport == "polling" and self.allow_upgrades and "websocket" in self.transports
        return ["websocket"] if possible else []

    def serves(self, path: str) -> bool:
        """Say whether a request's path is ours: a test of the prefix, as the reference's."""
        return path.startswith(f"{self.path}/") or (not self.add_trailing_slash and path == self.path)
