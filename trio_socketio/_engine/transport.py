"""What a session knows of the way its bytes travel, and what the transports know of who serves them.

A session's outbox is the only queue in front of a client. Putting something there is synchronous; ``wake`` tells the
transport, and must not block either: it sets an event for a writer task, or puts the transport on a list of those that
have something to write. So whoever owns the socket may write at once, and share the packet objects (and with them their
encoded forms) among all recipients of a broadcast.
"""

from __future__ import annotations

from typing import Protocol

from trio_socketio._engine.config import TransportName
from trio_socketio._exceptions import RemoteProtocolError


class MessageTooBig(RemoteProtocolError):  # noqa: N818 - caught by the reader of a session; users never see it
    """A message is larger than ``Limits.max_payload``."""


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


class MessageStream(Protocol):
    """A WebSocket after its handshake, whoever serves it.

    One task may receive while another one sends.
    """

    async def receive(self) -> str | bytes:
        """Receive a whole message.

        Raises:
            trio.EndOfChannel: the peer closed, or its connection was cut.
            MessageTooBig: it is larger than it may be; ``aclose`` tells the peer so.
        """
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a whole message.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """

    async def aclose(self) -> None:
        """Close, with a close frame if there is still somebody to read it."""
