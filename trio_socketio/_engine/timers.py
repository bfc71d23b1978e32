"""The deadlines of one session: the next ping, the pong that is due, a client that joined no namespace, ...

They share one entry in the server's clock, which is never later than the earliest of them; so to set a later deadline, or
to clear one, is to change a dictionary. Deadlines are absolute, and ``fire_due`` is also called when a request arrives,
so a session is dead at its deadline and not when the scheduler finds the time to say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import final

import trio

from trio_socketio._engine.clock import Clock


@final
class Timers:
    """Deadlines by name; each calls its function once, in the clock's task or in that of who calls ``fire_due``.

    Args:
        clock: fires them.
        on_fault: told of what a function has raised.
    """

    __slots__ = ("_clock", "_deadlines", "_on_fault", "entry", "wakes_at")

    def __init__(self, clock: Clock, on_fault: Callable[[Exception], None]) -> None:
        self._clock: Clock | None = clock
        self._on_fault: Callable[[Exception], None] | None = on_fault
        self._deadlines: dict[Hashable, tuple[float, Callable[[], None]]] = {}
        self.entry: int = 0
        """The clock's; see ``Alarm``."""
        self.wakes_at: float = math.inf
        """The clock's; see ``Alarm``."""

    def set(self, name: Hashable, at: float, function: Callable[[], None]) -> None:
        """Call ``function`` at the Trio time ``at``; replaces an earlier deadline of that name."""
        if self._clock is not None:
            self._deadlines[name] = (at, function)
            if at < self.wakes_at:
                self._clock.wake(self, at)

    def clear(self, name: Hashable) -> bool:
        """Forget a deadline, and say whether it was still there."""
        return self._deadlines.pop(name, None) is not None

    def is_set(self, name: Hashable) -> bool:
        """Say whether a deadline of that name is waiting."""
        return name in self._deadlines

    def end(self) -> None:
        """Forget all deadlines, and take no new ones."""
        if self._clock is not None:
            self._clock.forget(self)
        # The clock may keep a stale entry for some time: with it goes nothing of the session.
        self._clock = self._on_fault = None
        self._deadlines.clear()

    def fire_due(self) -> None:
        """Call what is due, the earliest first; a function may set new deadlines."""
        now = trio.current_time()
        if self.wakes_at <= now:
            self.fire(now)

    def fire(self, now: float) -> None:
        """Call what is due, and ask the clock for the next time."""
        at, name = self._earliest()
        while at <= now:
            self._call(self._deadlines.pop(name)[1])
            at, name = self._earliest()
        if self._clock is not None and at < self.wakes_at:
            self._clock.wake(self, at)

    def _call(self, function: Callable[[], None]) -> None:
        # Taken before the call: the function may end these timers, and fail then.
        on_fault = self._on_fault
        assert on_fault is not None  # noqa: S101 - after the end there are no deadlines
        try:
            function()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is logged there
            on_fault(error)

    def _earliest(self) -> tuple[float, Hashable]:
        earliest, first = math.inf, None
        for name, (at, _) in self._deadlines.items():
            if at < earliest:
                earliest, first = at, name
        return earliest, first
