"""Where a client's requests go: path, query and headers, over one link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final
from urllib.parse import urlencode

from trio_socketio._wire.engine_handshake import PROTOCOL_REVISION
from trio_socketio.testing.client_websocket import ClientWebSocket, open_websocket
from trio_socketio.testing.http_connection import HTTPConnection
from trio_socketio.testing.link import Link


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """Makes a client's requests.

    Args:
        link: the way to the server.
        path: the server's, such as ``/socket.io/``.
        query: fields of each request's query, beside the protocol's own.
        headers: of each request.
    """

    link: Link
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def target(self, transport: str, sid: str | None = None) -> str:
        """Return path and query of a request."""
        fields = {"EIO": PROTOCOL_REVISION, "transport": transport, **self.query}
        if sid is not None:
            fields["sid"] = sid
        return f"{self.path}?{urlencode(fields)}"

    async def connect(self) -> HTTPConnection:
        """Open a connection for requests; raises as ``Link.connect``."""
        return HTTPConnection(await self.link._open())

    async def open_websocket(self, sid: str | None = None) -> ClientWebSocket:
        """Open a WebSocket for a new session, or for the one that is there; raises as ``open_websocket``."""
        return await open_websocket(self.link, self.target("websocket", sid), self.headers)
