"""A handful of absolute deadlines behind one cancel scope.

A session has several clocks: the next ping, the pong that is due, a client that joined no namespace, a write that takes
long, ... A task for each would cost 3 kB and a wake-up; here one scope, round the session's own wait, carries the
earliest of them. Deadlines are absolute, and ``fire_due`` is also called when a request arrives, so a session is dead at
its deadline and not when the scheduler finds the time to say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import final

import trio


@final
class Timers:
    """Deadlines by name; each calls its function once, in the task of ``run``."""

    __slots__ = ("_deadlines", "_scope")

    def __init__(self) -> None:
        self._deadlines: dict[Hashable, tuple[float, Callable[[], None]]] = {}
        self._scope: trio.CancelScope | None = None

    def set(self, name: Hashable, at: float, function: Callable[[], None]) -> None:
        """Call ``function`` at the Trio time ``at``; replaces an earlier deadline of that name."""
        self._deadlines[name] = (at, function)
        self._move()

    def clear(self, name: Hashable) -> None:
        """Forget a deadline, if it is still there."""
        if self._deadlines.pop(name, None) is not None:
            self._move()

    def is_set(self, name: Hashable) -> bool:
        """Say whether a deadline of that name is waiting."""
        return name in self._deadlines

    def fire_due(self) -> None:
        """Call what is due, the earliest first; a function may set new deadlines."""
        now = trio.current_time()
        while True:
            due = min(((at, name) for name, (at, _) in self._deadlines.items() if at <= now), default=None, key=_time)
            if due is None:
                break
            _, function = self._deadlines.pop(due[1])
            function()
        self._move()

    async def run(self, until: trio.Event) -> None:
        """Keep the deadlines until the event is set."""
        while not until.is_set():
            with trio.CancelScope(deadline=self._next()) as self._scope:
                await until.wait()
            self._scope = None
            if not until.is_set():
                self.fire_due()

    def _next(self) -> float:
        return min((at for at, _ in self._deadlines.values()), default=math.inf)

    def _move(self) -> None:
        if self._scope is not None:
            deadline = self._next()
            if self._scope.deadline != deadline:
                self._scope.deadline = deadline


def _time(due: tuple[float, Hashable]) -> float:
    return due[0]
