"""Which other web origins may connect, as a setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from trio_socketio._engine.origin import OPAQUE, parse_origin


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
