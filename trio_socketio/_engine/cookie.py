"""The cookie with a session's id, as a setting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal, final

_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_ATTRIBUTE = re.compile(r"[\x21-\x7e]*")
_SAME_SITE = ("strict", "lax", "none")
_PRIORITY = ("low", "medium", "high")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie with the session's id, for load balancers that keep a client on one server.

    It is set by the answer to a long-polling handshake, and by no other one. Browsers drop a cookie whose attributes
    contradict each other without a word; such a one is an error here.

    Args:
        name: with the prefix ``__Secure-`` or ``__Host-`` browsers demand what that promises; so do we.
        path: for which requests it is sent back.
        domain: for which hosts beside the one that set it; ``None`` for that one only.
        expires: when browsers forget it, a time with a time zone; without it and ``max_age``, when they are closed.
        max_age: the same, as seconds from the moment in which it is set; it wins over ``expires``.
        http_only: scripts of the page don't see it.
        same_site: ``"strict"``, ``"lax"``, or ``"none"`` for pages of other sites too, which needs ``secure=True``.
        secure: it is sent back over TLS only; ``None``: if it was set over TLS.
        partitioned: a page of another site has a cookie of its own for each site that embeds it; needs ``secure=True``.
        priority: which cookies Chromium drops first when a site has too many.

    Raises:
        ValueError: a character that would break out of the header, or attributes that contradict each other.
        TypeError: ``max_age`` that is no whole number, ``expires`` that is no time.
    """

    name: str = "io"
    path: str = "/"
    domain: str | None = None
    expires: datetime | None = None
    max_age: int | None = None
    http_only: bool = True
    same_site: Literal["strict", "lax", "none"] = "lax"
    secure: bool | None = None
    partitioned: bool = False
    priority: Literal["low", "medium", "high"] | None = None

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
        if self.priority is not None and self.priority not in _PRIORITY:
            msg = f"Cookie(priority={self.priority!r}) must be one of {_PRIORITY}, or None"
            raise ValueError(msg)
        self._check_times()
        self._check_security()

    def _check_times(self) -> None:
        if self.max_age is not None and (isinstance(self.max_age, bool) or not isinstance(self.max_age, int)):
            msg = f"Cookie(max_age={self.max_age!r}) takes a whole number of seconds"
            raise TypeError(msg)
        if self.expires is None:
            return
        if not isinstance(self.expires, datetime):
            msg = f"Cookie(expires={self.expires!r}) takes a datetime.datetime"
            raise TypeError(msg)
        if self.expires.utcoffset() is None:
            msg = f"Cookie(expires={self.expires!r}) has no time zone: give datetime(..., tzinfo=UTC)"
            raise ValueError(msg)

    def _check_security(self) -> None:
        # RFC 6265bis: a browser ignores the whole cookie otherwise.
        is_whole_host = self.name.lower().startswith("__host-")
        wants_tls = {
            "same_site='none'": self.same_site == "none",
            "partitioned=True": self.partitioned,
            f"name={self.name!r}": is_whole_host or self.name.lower().startswith("__secure-"),
        }
        wants = next((setting for setting, given in wants_tls.items() if given), None)
        if wants is not None and self.secure is not True:
            msg = f"Cookie({wants}) is dropped by browsers unless it is secure: add secure=True, and serve over TLS"
            raise ValueError(msg)
        if is_whole_host and (self.path != "/" or self.domain is not None):
            msg = f"Cookie(name={self.name!r}) is dropped by browsers if it has a domain or a path other than '/'"
            raise ValueError(msg)

    def header(self, sid: str, *, secure: bool) -> str:
        """Make the value of ``Set-Cookie``."""
        parts = [f"{self.name}={sid}", f"Path={self.path}"]
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        if self.expires is not None:
            parts.append(f"Expires={format_datetime(self.expires.astimezone(UTC), usegmt=True)}")
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.http_only:
            parts.append("HttpOnly")
        if self.secure if self.secure is not None else secure:
            parts.append("Secure")
        if self.partitioned:
            parts.append("Partitioned")
        if self.priority is not None:
            parts.append(f"Priority={self.priority.capitalize()}")
        parts.append(f"SameSite={self.same_site.capitalize()}")
        return "; ".join(parts)
