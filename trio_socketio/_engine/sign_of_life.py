"""The packet that a client must send by a deadline, or its session is dead.

While *we* are the ones who don't read, because the client's handlers are slow, the sign may be waiting behind what we
don't read: the clock stands still then, and starts anew when we read on.

A process that stood still finds both in the same moment, that the time is over and that the kernel has a sign for it. So
a deadline that is found late is put off once a sign, for as long as it takes to read what has come.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import trio

from trio_socketio._engine.timers import Timers

GRACE = 1.0
"""Seconds to read what came while the process stood still; the timeout, if that is shorter."""

LATE = 0.5
"""Seconds after a deadline from which on the process has stood still; half the timeout, if that is shorter."""


@final
class SignOfLife:
    """One sign at a time, kept by the session's timers under the name ``sign``. Times are in seconds.

    Args:
        timers: of the session.
        within: how long a sign may take from when it is expected.
        timeout: the configured one, which bounds what counts as late and how long a deadline is put off.
        dead: called when the time is over.
    """

    __slots__ = ("_dead", "_due", "_paused", "_put_off", "_timeout", "_timers", "_within")

    def __init__(self, timers: Timers, *, within: float, timeout: float, dead: Callable[[], None]) -> None:
        self._timers = timers
        self._within = within
        self._timeout = timeout
        self._dead = dead
        self._due = math.inf
        self._put_off = False
        self._paused = 0

    def expect(self, since: float) -> None:
        """Expect a new sign, whose time counts from ``since``."""
        self._put_off = False
        self._set(since + self._within)

    def clear(self) -> bool:
        """Expect none any more, because it came or nobody waits; say whether one was expected."""
        return self._timers.clear("sign")

    def renew(self) -> None:
        """Give a sign that is expected its full time again."""
        if self._timers.is_set("sign"):
            self._set(trio.current_time() + self._within)

    def pause(self) -> None:
        """Stop the clock: from now on we don't read. As many times ``resume`` starts it."""
        self._paused += 1
        if self._timers.is_set("sign"):
            self._set(math.inf)

    def resume(self) -> None:
        """Read again."""
        self._paused -= 1
        self.renew()

    def _set(self, deadline: float) -> None:
        self._due = math.inf if self._paused else deadline
        self._timers.set("sign", self._due, self._miss)

    def _miss(self) -> None:
        now = trio.current_time()
        stood_still = now - self._due > min(LATE, self._timeout / 2)
        if stood_still and not self._put_off:
            self._put_off = True
            self._set(now + min(GRACE, self._timeout))
        else:
            self._dead()
