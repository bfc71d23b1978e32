"""Which web origins may connect, and what their browsers are told.

Browsers attach cookies to WebSocket requests and never ask first: ``Origin`` is the only defence against other sites
that connect in a visitor's name. So one function decides, for both transports and every method, before anything else
is looked at. Origins are compared as (scheme, host, port), never as pieces of text.
"""

from __future__ import annotations

from urllib.parse import urlsplit

Origin = tuple[str, str, int | None]

OPAQUE = "null"
"""What browsers send for sandboxed frames, local files and the like: nobody in particular."""

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def parse_origin(origin: str) -> Origin | None:
    """Take an origin apart; ``None`` if it isn't one (such as ``null``, or one with a path)."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if (
        not parts.scheme
        or not parts.hostname
        or parts.path
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        return None
    return parts.scheme, parts.hostname, _DEFAULT_PORTS.get(parts.scheme) if port is None else port


def is_same_origin(origin: str, *, host: str | None, secure: bool) -> bool:
    """Say whether a browser's ``Origin`` is the very server that it asks."""
    scheme = "https" if secure else "http"
    ours = parse_origin(f"{scheme}://{host}") if host else None
    return ours is not None and parse_origin(origin) == ours
