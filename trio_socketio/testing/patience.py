"""How long the kit waits for what a test waits for: by the test's clock, and never for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar, final

import trio
from trio.testing import MockClock

from trio_socketio.testing.failures import ExpectationFailed

T = TypeVar("T")

VIRTUAL = 600.0
"""Seconds of a mock clock: more than all time-outs of the protocol, and no time at all."""

REAL = 5.0
"""Seconds, when the clock is a real one."""


def is_virtual_time() -> bool:
    """Say whether this run has a mock clock."""
    return isinstance(trio.lowlevel.current_clock(), MockClock)


@final
@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that each wait of the kit may take at the most."""

    seconds: float

    @staticmethod
    def of(seconds: float | None) -> Patience:
        """Make it; ``None`` for the default of the clock.

        Raises:
            ValueError: not above 0.
        """
        if seconds is None:
            return Patience(VIRTUAL if is_virtual_time() else REAL)
        if not 0 < seconds < 2**53:
            msg = f"patience={seconds!r} would wait for nothing, or for ever: give seconds above 0"
            raise ValueError(msg)
        return Patience(seconds)

    async def wait(self, waiting: Callable[[], Awaitable[T]], complaint: Callable[[], str]) -> T:
        """Wait for something.

        Raises:
            ExpectationFailed: it took too long; the message is the time and ``complaint``.
        """
        with trio.move_on_after(self.seconds):
            return await waiting()
        clock = "virtual seconds" if is_virtual_time() else "seconds"
        msg = f"{complaint()} (waited {self.seconds:g} {clock})"
        raise ExpectationFailed(msg)
