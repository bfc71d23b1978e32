"""Pings, and how long their answers may take.

    quiet --(interval after the last pong)--> ping sent --(pong)--> quiet
                                                  |
                                                  +--(timeout)--> dead

Only a pong starts the next interval. Any other packet while a pong is due extends the timeout once a ping: a large upload
is a sign of life. And while *we* are the ones who don't read, because the client's handlers are slow, its pong may be
waiting behind what we don't read: the clock stands still then, and starts anew when we read on.

A process that stood still finds both in the same moment, that the time is over and that the kernel has a pong for it. So
a deadline that is found late is put off once a ping, for as long as it takes to read what has come.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, final

import trio

from trio_socketio._engine.timers import Timers
from trio_socketio._wire.engine_packet import PacketType

GRACE = 1.0
"""Seconds to read what came while the process stood still; the timeout, if that is shorter."""

LATE = 0.5
"""Seconds after a deadline from which on the process has stood still; half the timeout, if that is shorter."""


def stood_still(now: float, due: float, timeout: float) -> bool:
    """Say whether a deadline is found so late that the process must have stood still."""
    return now - due > min(LATE, timeout / 2)


class Beats(Protocol):
    """What a session needs of its heartbeat, whichever side pings."""

    @property
    def beat_of(self) -> PacketType:
        """The packet that ``beat`` is to be told of."""
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

    def renew(self) -> None:
        """Give what is due its full time again."""

    def pause(self) -> None:
        """Stop the clock."""

    def resume(self) -> None:
        """Read again."""


@final
class Heartbeat:
    """The heartbeat of one session, kept by the session's timers. Times are in seconds."""

    __slots__ = ("_dead", "_due", "_interval", "_paused", "_ping", "_put_off", "_timeout", "_timers", "awaits_sign")

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
        self._dead = dead
        self._due = math.inf
        """When the next ping is, or the pong."""
        self.awaits_sign: bool = False
        """A ping is out, and nothing has come since."""
        self._put_off = False
        self._paused = 0

    def start(self) -> None:
        """Begin with an interval."""
        self.awaits_sign = False
        self._due = trio.current_time() + self._interval
        self._timers.set("ping", self._due, self._send)

    def stop(self) -> None:
        """Send and expect nothing any more."""
        self.awaits_sign = False
        self._timers.clear("ping")
        self._timers.clear("pong")

    def beat(self) -> None:
        """Note an answer; one that nobody asked for changes nothing."""
        if self._timers.is_set("pong"):
            self._timers.clear("pong")
            self.start()

    def activity(self) -> None:
        """Note any other packet; to be called while ``awaits_sign``, and of no use else."""
        if self.awaits_sign:
            self.awaits_sign = False
            self.renew()

    def renew(self) -> None:
        """Give a pong that is due its full time again."""
        if self._timers.is_set("pong"):
            self._expect(trio.current_time() + self._timeout)

    def pause(self) -> None:
        """Stop the clock: from now on we don't read. Pings are still sent."""
        self._paused += 1
        if self._timers.is_set("pong"):
            self._expect(math.inf)

    def resume(self) -> None:
        """Read again."""
        self._paused -= 1
        self.renew()

    def _send(self) -> None:
        now = trio.current_time()
        self._ping()
        self.awaits_sign, self._put_off = True, False
        # The deadline counts from when the ping was due - but a process that stood still must not take it out on clients.
        late = now - self._due > self._timeout / 2
        self._expect((now if late else self._due) + self._timeout)

    def _expect(self, deadline: float) -> None:
        self._due = math.inf if self._paused else deadline
        self._timers.set("pong", self._due, self._miss)

    def _miss(self) -> None:
        now = trio.current_time()
        if self._put_off or not stood_still(now, self._due, self._timeout):
            self._dead()
        else:
            self._put_off = True
            self._expect(now + min(GRACE, self._timeout))
