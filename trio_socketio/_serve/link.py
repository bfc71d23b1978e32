"""The bytes of one connection: a socket of our own, or any Trio stream (TLS, memory).

A socket is written to without waiting, by ``send_nowait``, and only what the kernel does not take needs a task. A stream
takes nothing that way: all that goes to it goes by ``send_all``. Whoever uses a link writes the same code for both.

However a peer has gone, ``receive`` gives an empty chunk and sending raises ``trio.BrokenResourceError``.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import trio

CHUNK = 16_384
"""Bytes that are received at once: so many small frames are handled before others have their turn."""

Sink: TypeAlias = Callable[[bytes], None]
"""Takes bytes as they come; none at the end."""

LINGER = 1.0
LINGER_BYTES = 4_194_304
"""How long, and for how much, a connection is read after its last word; see ``Link.aclose_after_last_word``."""


class Link(ABC):
    """One connection. One task receives; one at a time sends.

    Args:
        client: the peer's address, if it has one.
        secure: it came over TLS.
    """

    __slots__ = ("client", "secure")

    def __init__(self, client: str | None, *, secure: bool) -> None:
        self.client: str | None = client
        self.secure: bool = secure

    def port(self) -> int:
        """Return the peer's port; 0 if it has none, or has gone."""
        return 0

    async def begin(self) -> str:
        """Do what comes before the first byte, and return the protocol that was agreed on for what follows.

        Raises:
            trio.BrokenResourceError: it failed.
        """
        await trio.lowlevel.checkpoint()
        return ""

    @abstractmethod
    async def receive(self) -> bytes:
        """Wait for bytes; none if no more will come. Cancelled, it has lost nothing."""

    @abstractmethod
    async def receive_unless_interrupted(self) -> bytes | None:
        """Do the same; ``None`` once ``interrupt`` is called."""

    @abstractmethod
    def interrupt(self) -> None:
        """Let who waits in ``receive_unless_interrupted`` go on."""

    def receive_nowait(self) -> bytes:
        """Receive what was read ahead."""
        return b""

    def divert(self, sink: Sink) -> bool:  # noqa: ARG002 - it is what others make of it
        """Give what comes to ``sink``, as it comes, until ``restore``; ``False`` if this link can only be awaited."""
        return False

    def restore(self) -> None:  # noqa: B027 - there is nothing to end where nothing is diverted
        """End what ``divert`` began."""

    @abstractmethod
    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent at once, and return how much that was.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """

    @abstractmethod
    async def send_rest(self, data: memoryview) -> None:
        """Send what ``send_nowait`` left. Cancelled in between, the connection is of no more use.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """

    @abstractmethod
    async def send_eof(self) -> None:
        """Say that nothing more comes, if that can be said."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close, whatever is still on its way."""

    @abstractmethod
    def as_stream(self) -> trio.abc.Stream:
        """Give the connection away as a Trio stream; the link is of no more use."""

    async def send_all(self, data: bytes) -> None:
        """Send all of it; no checkpoint if that can be done at once.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """
        sent = self.send_nowait(data)
        if sent < len(data):
            await self.send_rest(memoryview(data)[sent:])

    async def aclose_after_last_word(self) -> None:
        """Close so that the peer can still read what it was told.

        A socket that is closed with bytes unread resets the connection, and the reset may overtake the last answer
        (RFC 9112, 9.6). So the peer is read for a little while, and what it says is dropped.
        """
        with trio.move_on_after(LINGER):
            await self.send_eof()
            unread = LINGER_BYTES
            while unread > 0 and (data := await self.receive()):
                unread -= len(data)
        await self.aclose()


def port_of(sock: socket.socket | trio.socket.SocketType) -> int:
    """Return the port of a socket's peer, if it has one."""
    try:
        return int(sock.getpeername()[1])
    except OSError:
        return 0
