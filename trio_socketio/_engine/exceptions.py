"""Why sessions end, and the exceptions that are Trio's too."""

from __future__ import annotations

from enum import StrEnum
from typing import final

import trio

from trio_socketio._exceptions import SocketIOError


@final
class CloseReason(StrEnum):
    """Why a session or a socket ended; equal to the reference's text for it."""

    TRANSPORT_CLOSE = "transport close"
    """The client closed, or its connection was cut."""
    TRANSPORT_ERROR = "transport error"
    """The client misused its transport, or gave up a held poll."""
    PARSE_ERROR = "parse error"
    """Not an Engine.IO packet."""
    PING_TIMEOUT = "ping timeout"
    """A ping was not answered in time."""
    FORCED_CLOSE = "forced close"
    """Not a Socket.IO packet, or one that may not come now."""
    FORCED_SERVER_CLOSE = "forced server close"
    """No namespace was joined in time."""
    CLIENT_NAMESPACE_DISCONNECT = "client namespace disconnect"
    """The client left the namespace."""
    SERVER_NAMESPACE_DISCONNECT = "server namespace disconnect"
    """The application called ``disconnect``."""
    SERVER_SHUTTING_DOWN = "server shutting down"
    """The server drains."""
    SLOW_CONSUMER = "slow consumer"
    """The client reads too slowly: its queue was full, or a write took too long."""
    EVENT_QUEUE_FULL = "event queue full"
    """The client sent faster than its handlers work, for longer than ``Limits.event_queue_timeout``."""


class Disconnected(SocketIOError, trio.BrokenResourceError):  # noqa: N818 - a state, as trio's EndOfChannel
    """The peer is gone; raised by ``emit`` and ``call`` at once, also while they wait.

    Args:
        reason: why, as ``Socket.disconnect_reason``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"disconnected: {reason}")
        self.reason = reason
        """Why, as ``Socket.disconnect_reason``."""
