"""The cookie with a session's id, as a setting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, final

_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_ATTRIBUTE = re.compile(r"[\x21-\x7e]*")
_SAME_SITE = ("strict", "lax", "none")


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
