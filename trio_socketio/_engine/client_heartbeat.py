"""The heartbeat of Engine.IO 3: it is the client that pings, and the server that answers.

The session is dead when no ping has come for an interval and a timeout together. Nothing else that comes counts, as for
the reference; what else moves the deadline of a ping stands in ``SignOfLife``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import trio

from trio_socketio._engine.sign_of_life import SignOfLife
from trio_socketio._engine.timers import Timers
from trio_socketio._wire.engine_packet import PacketType


@final
class ClientHeartbeat:
    """The same as ``Heartbeat``, for sessions whose clients ping. Times are in seconds."""

    __slots__ = ("_answer", "sign")

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
        self._answer = answer
        self.sign: SignOfLife = SignOfLife(timers, within=interval + timeout, timeout=timeout, dead=dead)
        """The next ping."""

    def start(self) -> None:
        """Begin with the whole time."""
        self.sign.expect(trio.current_time())

    def stop(self) -> None:
        """Expect and answer nothing any more."""
        self.sign.clear()

    def beat(self) -> None:
        """Note a ping, and answer it."""
        self.sign.expect(trio.current_time())
        self._answer()

    def activity(self) -> None:
        """Note any other packet, which changes nothing."""
