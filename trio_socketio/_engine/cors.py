"""Which other web origins may connect, as a setting."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from trio_socketio._engine.hooks import is_async
from trio_socketio._engine.http import Request
from trio_socketio._engine.origin import OPAQUE, parse_origin

OriginCheck: TypeAlias = Callable[[str, Request], bool]
"""Says whether pages of an origin may make a request."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_NOBODY_LISTED = ("https://x0k7w2q9v4.invalid", "http://x0k7w2q9v4.invalid:8080")
"""Names that nobody can have (RFC 2606): what matches one of them matches everybody."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CORS:
    """Which web origins, beside the server's own, may connect, and what their browsers are told.

    Args:
        origins: ``"*"`` for all; or a tuple of origins such as ``("https://app.example", "http://localhost:3000")``, in
            which patterns may stand too; or a pattern; or a function. Origins are compared as scheme, host and port. A
            compiled pattern must match the whole origin, as ``re.fullmatch``: else a pattern for ``https://example.com`` would
            let ``https://example.com.evil.net`` in. ``"null"`` is nobody in particular (sandboxed frames, local files): it
            must be listed as text, no pattern matches it. A function ``check(origin, request) -> bool`` is called for
            every request of another origin, polls too, so it must not wait: look into a set that somebody else keeps.
            What it raises is logged, and refuses; so does what is not ``True``.
        credentials: let browsers of those origins send cookies with long-polling (with a WebSocket they always do); never
            together with ``"*"``, nor with a pattern that matches everybody.
        methods: answered to a preflight request.
        allowed_headers: answered to a preflight request; a fixed list, what the client asks for is not echoed.
        exposed_headers: of the answers, which scripts of other origins may read beside the harmless ones.
        max_age: seconds for which a browser may keep the answer to a preflight request.
        options_status: of the answer to a preflight request: 204, or 200 for old browsers and proxies.

    Raises:
        ValueError: an origin that can't be one, a name that can't be one, or credentials for everybody.
        TypeError: a text where a tuple is meant, or an ``async`` function.
    """

    origins: Literal["*"] | tuple[str | re.Pattern[str], ...] | re.Pattern[str] | OriginCheck
    credentials: bool = False
    methods: tuple[str, ...] = ("GET", "POST")
    allowed_headers: tuple[str, ...] = ("content-type", "authorization")
    exposed_headers: tuple[str, ...] = ()
    max_age: int | None = None
    options_status: Literal[200, 204] = 204

    def __post_init__(self) -> None:
        for name in ("methods", "allowed_headers", "exposed_headers"):
            _check_names(name, getattr(self, name))
        if self.max_age is not None and not (type(self.max_age) is int and self.max_age >= 0):
            msg = f"CORS(max_age={self.max_age!r}) takes a whole number of seconds, from 0"
            raise ValueError(msg)
        if self.options_status not in {200, 204}:
            msg = f"CORS(options_status={self.options_status!r}) must be 200 or 204"
            raise ValueError(msg)
        if self.origins == "*":
            if self.credentials:
                msg = 'CORS(origins="*", credentials=True) would give every web site its visitors\' cookies: list the origins'
                raise ValueError(msg)
        elif callable(self.origins):
            _check_function(self.origins)
        else:
            self._check_each()

    def _check_each(self) -> None:
        if isinstance(self.origins, str):
            msg = f"CORS(origins={self.origins!r}) is a single text: give a tuple of origins, or '*'"
            raise TypeError(msg)
        for origin in self.listed:
            if not isinstance(origin, str) or (origin != OPAQUE and ("*" in origin or parse_origin(origin) is None)):
                msg = f"CORS(origins=...) holds {origin!r}: an origin is scheme://host or scheme://host:port, without a path"
                raise ValueError(msg)
        for pattern in self.patterns:
            if isinstance(pattern.pattern, bytes):
                msg = f"CORS(origins=...) holds {pattern!r}: origins are text, so compile a pattern of text"
                raise TypeError(msg)
            if self.credentials and any(pattern.fullmatch(origin) for origin in _NOBODY_LISTED):
                msg = (
                    f"CORS(origins={pattern!r}, credentials=True) would give every web site its visitors' cookies: "
                    "the pattern matches any host"
                )
                raise ValueError(msg)

    @property
    def listed(self) -> tuple[str, ...]:
        """The origins that are given as text."""
        return tuple(one for one in self._each() if not isinstance(one, re.Pattern))

    @property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """The patterns that are given."""
        return tuple(one for one in self._each() if isinstance(one, re.Pattern))

    def _each(self) -> tuple[str | re.Pattern[str], ...]:
        if isinstance(self.origins, re.Pattern):
            return (self.origins,)
        return () if isinstance(self.origins, str) or callable(self.origins) else self.origins


def _check_names(setting: str, names: tuple[str, ...]) -> None:
    if isinstance(names, str):
        msg = f"CORS({setting}={names!r}) is a single text: give a tuple of names"
        raise TypeError(msg)
    for name in names:
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            msg = f"CORS({setting}=...) holds {name!r}: a name has letters, digits and hyphens"
            raise ValueError(msg)


def _check_function(function: OriginCheck) -> None:
    if is_async(function):
        msg = (
            "CORS(origins=...) takes no async function: each request would wait for it; let allow_request wait instead"
        )
        raise TypeError(msg)
