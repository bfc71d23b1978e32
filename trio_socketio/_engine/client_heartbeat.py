"""The heartbeat of Engine.IO 3: it is the client that pings, and the server that answers.

The session is dead when no ping has come for an interval and a timeout together. Nothing else that comes counts, as for
the reference. While *we* don't read, the clock stands still; and a deadline that is found late is put off once, as in
``Heartbeat``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import trio

from trio_socketio._engine.heartbeat import GRACE, stood_still
from trio_socketio._engine.timers import Timers
from trio_socketio._wire.engine_packet import PacketType


@final
class ClientHeartbeat:
    """The same as ``Heartbeat``, for sessions whose clients ping. Times are in seconds."""

    __slots__ = ("_answer", "_dead", "_due", "_patience", "_paused", "_put_off", "_timeout", "_timers")

    beat_of: PacketType = PacketType.PING
    """The packet that ``beat`` is to be told of; the other one is against the protocol."""
    awaits_sign: bool = False
    """No packet but a ping changes anything."""

    def __init__(
        self,
        timers: Timers,
        *,
        interval: float,
        timeout: float,
        answer: Callable[[], None],
        dead: Callable[[], None],
    ) -> None:
        self._timers = timers
        self._patience = interval + timeout
        self._timeout = timeout
        self._answer = answer
        self._dead = dead
        self._due = math.inf
        """When the next ping must be there."""
        self._put_off = False
        self._paused = 0

    def start(self) -> None:
        """Begin with the whole time."""
        self._put_off = False
        self._expect(trio.current_time() + self._patience)

    def stop(self) -> None:
        """Expect and answer nothing any more."""
        self._timers.clear("ping")

    def beat(self) -> None:
        """Note a ping, and answer it."""
        self.start()
        self._answer()

    def activity(self) -> None:
        """Note any other packet, which changes nothing."""

    def renew(self) -> None:
        """Give the next ping its full time again."""
        if self._timers.is_set("ping"):
            self.start()

    def pause(self) -> None:
        """Stop the clock: from now on we don't read."""
        self._paused += 1
        if self._timers.is_set("ping"):
            self._expect(math.inf)

    def resume(self) -> None:
        """Read again."""
        self._paused -= 1
        self.renew()

    def _expect(self, deadline: float) -> None:
        self._due = math.inf if self._paused else deadline
        self._timers.set("ping", self._due, self._miss)

    def _miss(self) -> None:
        now = trio.current_time()
        if self._put_off or not stood_still(now, self._due, self._timeout):
            self._dead()
        else:
            self._put_off = True
            self._expect(now + min(GRACE, self._timeout))
