"""Settings of an Engine.IO server: frozen, keyword-only, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from trio_socketio._engine.http import Headers, Request
from trio_socketio._engine.origin import OPAQUE, parse_origin

TransportName: TypeAlias = Literal["polling", "websocket"]
TRANSPORTS: tuple[TransportName, ...] = ("polling", "websocket")

AllowRequest: TypeAlias = Callable[[Request], Awaitable[bool | None]]
HeadersHook: TypeAlias = Callable[[Headers, Request], None]

_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_ATTRIBUTE = re.compile(r"[\x21-\x7e]*")
_SAME_SITE = ("strict", "lax", "none")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CORS:
    """Which web origins, beside the server's own, may connect.

    Args:
        origins: ``"*"`` for all, or origins such as ``("https://app.example", "http://localhost:3000")``; ``"null"``
            is nobody in particular (sandboxed frames, local files) and must be listed like any other.
        credentials: let browsers of the listed origins send cookies; never together with ``"*"``.
        methods: answered to a preflight request.
        allowed_headers: answered to a preflight request; a fixed list, what the client asks for is not echoed.
        max_age: seconds for which a browser may keep the answer to a preflight request.

    Raises:
        ValueError: an origin that can't be one, or credentials with ``"*"``.
    """

    origins: Literal["*"] | tuple[str, ...]
    credentials: bool = False
    methods: tuple[str, ...] = ("GET", "POST")
    allowed_headers: tuple[str, ...] = ("content-type", "authorization")
    max_age: int | None = None

    def __post_init__(self) -> None:
        if self.origins == "*":
            if self.credentials:
                msg = 'CORS(origins="*", credentials=True) would give every web site its visitors\' cookies: list the origins'
                raise ValueError(msg)
            return
        if isinstance(self.origins, str):
            msg = f"CORS(origins={self.origins!r}) is a single text: give a tuple of origins, or '*'"
            raise TypeError(msg)
        for origin in self.origins:
            if origin != OPAQUE and ("*" in origin or parse_origin(origin) is None):
                msg = f"CORS(origins=...) holds {origin!r}: an origin is scheme://host or scheme://host:port, without a path"
                raise ValueError(msg)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie with the session's id, for load balancers that keep a client on one server.

    It is set by the answer to a long-polling handshake; ``secure`` is added by itself when that came over TLS.

    Raises:
        ValueError: a character that would break out of the header.
    """

    name: str = "io"
    path: str = "/"
    domain: str | None = None
    max_age: int | None = None
    http_only: bool = True
    same_site: Literal["strict", "lax", "none"] = "lax"
    secure: bool | None = None

    def __post_init__(self) -> None:
        well_named = _COOKIE_NAME.fullmatch(self.name) is not None
        for value in (self.name, self.path, self.domain or ""):
            separators = set(value) & set(';,"\\')
            if separators or not _COOKIE_ATTRIBUTE.fullmatch(value) or not well_named:
                msg = f"Cookie(...) holds {value!r}: no spaces, quotes, commas, semicolons or control characters"
                raise ValueError(msg)
        if self.same_site not in _SAME_SITE:
            msg = f"Cookie(same_site={self.same_site!r}) must be one of {_SAME_SITE}"
            raise ValueError(msg)

    def header(self, sid: str, *, secure: bool) -> str:
        """Make the value of ``Set-Cookie``."""
        parts = [f"{self.name}={sid}", f"Path={self.path}"]
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.http_only:
            parts.append("HttpOnly")
        if self.secure if self.secure is not None else secure:
            parts.append("Secure")
        parts.append(f"SameSite={self.same_site.capitalize()}")
        return "; ".join(parts)


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
        allow_eio3: serve clients of Engine.IO 3, those of Socket.IO 2, too. Their sockets' ids are secrets.
        allow_request: called before a session is opened; returns ``False`` or raises ``ConnectionRefused`` to refuse
            (HTTP 403). What else it raises refuses with 400, and is logged; so does one that takes longer than
            ``Limits.connect_timeout``. It is cancelled when the client leaves.
        initial_headers: may change the headers of the first answer of a session.
        headers: may change the headers of every successful answer.

    Raises:
        ValueError: a value out of range; the message says which and what to do.
    """

    path: str = "/socket.io"
    add_trailing_slash: bool = True
    transports: tuple[TransportName, ...] = TRANSPORTS
    allow_upgrades: bool = True
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    cors: CORS | None = None
    cookie: Cookie | None = None
    allow_eio3: bool = False
    allow_request: AllowRequest | None = None
    initial_headers: HeadersHook | None = None
    headers: HeadersHook | None = None

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

    def upgrades_from(self, transport: TransportName) -> list[str]:
        """Say what a session that began on ``transport`` may change to."""
        possible = transport == "polling" and self.allow_upgrades and "websocket" in self.transports
        return ["websocket"] if possible else []

    def serves(self, path: str) -> bool:
        """Say whether a request's path is ours: a test of the prefix, as the reference's."""
        return path.startswith(f"{self.path}/") or (not self.add_trailing_slash and path == self.path)
