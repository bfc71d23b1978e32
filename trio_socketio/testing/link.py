"""What lies between one client and the server: its connections, and the faults that happen to them."""

from __future__ import annotations

from typing import final

import trio

from trio_socketio._util import NoPublicConstructor
from trio_socketio.testing.held_poll import HeldPoll
from trio_socketio.testing.memory_stream import MemoryConnection, MemoryStream
from trio_socketio.testing.network import MemoryNetwork
from trio_socketio.testing.patience import Patience


@final
class Link(metaclass=NoPublicConstructor):
    """The way from one client to the server: ``client.link``, or ``server.new_link()`` for several clients.

    A fault is a call that takes effect at once; nothing has to be slept for. Whoever is at an end of a connection learns of
    it when its task runs next.
    """

    def __init__(self, network: MemoryNetwork, patience: Patience) -> None:
        self._network = network
        self._patience = patience
        self._connections: list[MemoryConnection] = []
        self._is_refusing = False
        self._is_paused = False
        self._delay = 0.0
        self._hold: HeldPoll | None = None

    def __repr__(self) -> str:
        return f"<Link with {self.connections} connections>"

    @property
    def connections(self) -> int:
        """How many connections go over it, those that are half open among them."""
        self._forget_those_over()
        return len(self._connections)

    async def connect(self) -> trio.abc.HalfCloseableStream:
        """Open a connection, and return the client's end of it: a Trio stream that the server takes for a socket.

        Raises:
            ConnectionRefusedError: the server was dropped, or the link refuses connections.
            RuntimeError: the block of the server is over.
        """
        return await self._open()

    async def _open(self) -> MemoryStream:
        """Do the same, and return what the kit knows more of."""
        await trio.lowlevel.checkpoint()
        self._network.check_not_left()
        if self._is_refusing:
            msg = "the link refuses connections: call link.accept() to let them through again"
            raise ConnectionRefusedError(msg)
        connection = MemoryConnection()
        connection.delay(self._delay)
        connection.down.pause(paused=self._is_paused)
        self._network.connect(connection)
        self._forget_those_over()
        self._connections.append(connection)
        return connection.client

    def _forget_those_over(self) -> None:
        self._connections = [connection for connection in self._connections if not connection.is_over]

    # Faults

    def cut(self) -> None:
        """End all connections cleanly: what is on its way arrives, then both sides come to the end (TCP's FIN).

        The server notices that a client on long-polling has gone while it holds a poll of it, else by its heartbeat.
        """
        for connection in self._connections:
            connection.cut()

    def abort(self) -> None:
        """Break all connections: what is on its way is lost, and both sides fail (TCP's RST)."""
        for connection in self._connections:
            connection.abort()

    def half_open(self) -> None:
        """Let nothing pass over the connections that are open, in either direction, and tell nobody.

        What is sent fills a buffer of 64 KiB, and then waits. New connections work.
        """
        for connection in self._connections:
            connection.silence()

    def refuse(self) -> None:
        """Refuse new connections, as without a network, until ``accept``; those that are open go on."""
        self._is_refusing = True

    def accept(self) -> None:
        """Let new connections through again."""
        self._is_refusing = False

    def stop_reading(self) -> None:
        """Let the client take nothing from its connections: when 64 KiB wait, the server's writes do too."""
        self._pause(paused=True)

    def resume_reading(self) -> None:
        """Let the client take again what comes."""
        self._pause(paused=False)

    def _pause(self, *, paused: bool) -> None:
        self._is_paused = paused
        for connection in self._connections:
            connection.down.pause(paused=paused)

    def delay(self, seconds: float) -> None:
        """Let everything that is sent from now on travel for so many seconds, each way; 0 ends that.

        Raises:
            ValueError: below 0, or not finite.
        """
        if not 0 <= seconds < 2**53:
            msg = f"link.delay({seconds!r}) takes the seconds that bytes travel, 0 for none"
            raise ValueError(msg)
        self._delay = seconds
        for connection in self._connections:
            connection.delay(seconds)

    def hold_poll(self) -> HeldPoll:
        """Hold the next answer to a poll of the client, which polls again meanwhile: so later answers overtake it.

        ``held = client.link.hold_poll()``, and later ``held.release()``.

        Raises:
            RuntimeError: one is held already, and not released.
        """
        if self._hold is not None and not self._hold.is_released:
            msg = "this link holds a poll's answer already: release() it before you hold another one"
            raise RuntimeError(msg)
        self._hold = HeldPoll._create(self._patience)
        return self._hold

    def _take_hold(self) -> HeldPoll | None:
        """Return what the answer that has just come is to be held by, if it is."""
        hold = self._hold
        return hold if hold is not None and hold._is_waiting else None
