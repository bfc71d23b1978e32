"""What a session knows of the way its bytes travel, and what the transports know of who serves them.

A session's outbox is the only queue in front of a client. Putting something there is synchronous; ``wake`` tells the
transport, and must not block either: it sets an event for a writer task, or puts the transport on a list of those that
have something to write. So whoever owns the socket may write at once, and share the packet objects (and with them their
encoded forms) among all recipients of a broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._exceptions import RemoteProtocolError

FAREWELL = 1.0
"""Seconds that the connection of a closed session is kept for its writer to finish."""


class StreamFailure(RemoteProtocolError):  # noqa: N818 - caught by the reader of a session; users never see it
    """The peer broke the WebSocket's own rules, or sent a message larger than ``Limits.max_payload``."""


Take: TypeAlias = Callable[[str | bytes], Coroutine[Any, Any, None] | None]
"""Takes a message."""


class Transport(Protocol):
    """One session's way to its client."""

    @property
    def name(self) -> TransportName:
        """``"polling"`` or ``"websocket"``."""
        ...

    @property
    def writable(self) -> bool:
        """What is sent now goes out now; volatile packets are dropped otherwise."""
        ...

    def wake(self) -> None:
        """Look at the session again: its outbox, its state, or its transport has changed. Never blocks."""

    def flush(self) -> None:
        """Do now what ``wake`` would do a moment later, if that is cheap: the caller has nothing more to send."""

    def end(self) -> None:
        """Look at the session for the last time: it is closed."""


class Writer(Protocol):
    """What writes a session to its WebSocket: takes from the outbox, closes the stream behind a closed session."""

    @property
    def writable(self) -> bool:
        """No write is on its way."""
        ...

    @property
    def finished(self) -> trio.Event:
        """Set when the session is closed and all has been written that will ever be."""
        ...

    def wake(self) -> None:
        """Look at the session again, soon. Never blocks."""

    def flush(self) -> None:
        """Look at it now, if that is cheap."""


class MessageStream(Protocol):
    """A WebSocket after its handshake, whoever serves it.

    One task may receive while another one sends.
    """

    async def pump(self, take: Take) -> None:
        """Hand on each message that comes, until cancelled.

        Args:
            take: what it returns, if anything, is awaited before the next message is handed on, or read.

        Raises:
            trio.EndOfChannel: as ``receive``.
            StreamFailure: as ``receive``; not before what came in front of it was handed on.
            RemoteProtocolError: what ``take`` has raised.
        """

    async def receive(self) -> str | bytes:
        """Receive a whole message.

        Raises:
            trio.EndOfChannel: the peer closed, or its connection was cut.
            StreamFailure: it broke the WebSocket's rules; ``aclose`` tells the peer so.
        """
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a whole message.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """

    async def aclose(self) -> None:
        """Close, with a close frame if there is still somebody to read it."""
