"""What is known of a client from the moment it connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

from trio_socketio._engine.http import Request


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A client's first request, and what it said when it joined the namespace.

    Args:
        headers: of the first request; names in lower case.
        query: of the first request.
        url: of the first request: path and query.
        address: the peer's, or ``None`` on a unix socket.
        secure: it came over TLS.
        cross_origin: it had an ``Origin`` header.
        issued: when the namespace was joined, in seconds since 1970.
        auth: the payload of the client's CONNECT packet, ``{}`` if there was none.
        state: what the application noted about the first request, see ``Request.state``; all sockets of a client share it.
    """

    headers: Mapping[str, str]
    query: Mapping[str, str]
    url: str
    address: str | None
    secure: bool
    cross_origin: bool
    issued: float
    auth: Mapping[str, Any]
    state: dict[str, Any]

    @classmethod
    def of(cls, request: Request, auth: Mapping[str, Any] | None, issued: float) -> Handshake:
        """Collect it."""
        return cls(
            headers=MappingProxyType(dict(request.headers)),
            query=MappingProxyType(request.query),
            url=request.url,
            address=request.client,
            secure=request.secure,
            cross_origin="origin" in request.headers,
            issued=issued,
            auth=auth if auth is not None else {},
            state=request.state,
        )
