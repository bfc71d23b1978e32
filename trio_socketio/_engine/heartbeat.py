"""Pings, and how long their answers may take.

    quiet --(interval after the last pong)--> ping sent --(pong)--> quiet
                                                  |
                                                  +--(timeout)--> dead

Only a pong starts the next interval. Any other packet while a pong is due extends the timeout once a ping: a large upload
is a sign of life. What else moves the deadline of a pong, our own slowness, stands in ``SignOfLife``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, final

import trio

from trio_socketio._engine.sign_of_life import SignOfLife
from trio_socketio._engine.timers import Timers
from trio_socketio._wire.engine_packet import PacketType


class Beats(Protocol):
    """What a session needs of its heartbeat, whichever side pings."""

    @property
    def beat_of(self) -> PacketType:
        """The packet that ``beat`` is to be told of."""
        ...

    @property
    def sign(self) -> SignOfLife:
        """The packet that the client must send by a deadline; whoever does not read, or begins anew, tells it so."""
        ...

    @property
    def awaits_sign(self) -> bool:
        """``activity`` is to be told of other packets."""
        ...

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Send and expect nothing any more."""

    def beat(self) -> None:
        """Note the packet that the client must send."""

    def activity(self) -> None:
        """Note any other packet."""


@final
class Heartbeat:
    """The heartbeat of one session, kept by the session's timers. Times are in seconds."""

    __slots__ = ("_due", "_interval", "_ping", "_timeout", "_timers", "awaits_sign", "sign")

    beat_of: PacketType = PacketType.PONG
    """The packet that ``beat`` is to be told of: it is the server that pings."""

    def __init__(
        self,
        timers: Timers,
        *,
        interval: float,
        timeout: float,
        ping: Callable[[], None],
        dead: Callable[[], None],
    ) -> None:
        self._timers = timers
        self._interval = interval
        self._timeout = timeout
        self._ping = ping
        self.sign: SignOfLife = SignOfLife(timers, within=timeout, timeout=timeout, dead=dead)
        """The pong. Only its clock can be paused: pings are still sent."""
        self._due = math.inf
        """When the next ping is, or the last one was."""
        self.awaits_sign: bool = False
        """A ping is out, and nothing has come since."""

    def start(self) -> None:
        """Begin with an interval."""
        self.awaits_sign = False
        self._due = trio.current_time() + self._interval
        self._timers.set("ping", self._due, self._send)

    def stop(self) -> None:
        """Send and expect nothing any more."""
        self.awaits_sign = False
        self._timers.clear("ping")
        self.sign.clear()

    def beat(self) -> None:
        """Note an answer; one that nobody asked for changes nothing."""
        if self.sign.clear():
            self.start()

    def activity(self) -> None:
        """Note any other packet; to be called while ``awaits_sign``, and of no use else."""
        if self.awaits_sign:
            self.awaits_sign = False
            self.sign.renew()

    def _send(self) -> None:
        now = trio.current_time()
        self._ping()
        self.awaits_sign = True
        # The deadline counts from when the ping was due - but a process that stood still must not take it out on clients.
        late = now - self._due > self._timeout / 2
        self.sign.expect(now if late else self._due)
