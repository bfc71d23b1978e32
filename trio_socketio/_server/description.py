"""A socket described: what one server of a cluster tells another of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from trio_socketio._server.handshake import Handshake


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SocketDescription:
    """A socket at one moment: plain data.

    Args:
        id: its public id.
        namespace: the namespace's name.
        handshake: the client's first request and its ``auth``.
        rooms: the rooms that it is in.
        data: what the application keeps with it.
    """

    id: str
    namespace: str
    handshake: Handshake
    rooms: frozenset[str]
    data: Mapping[str, Any]
