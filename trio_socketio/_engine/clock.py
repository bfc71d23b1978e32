"""One clock for all deadlines of a server: a heap, and one task that sleeps until the earliest.

A scope or a task for each session would cost a wake-up of its own for every ping. Here a deadline that moves later costs
nothing: its entry stays where it is, and when that comes up, the alarm finds nothing due and asks for its next time. One
that moves earlier gets a second entry, and the first is stale: only the entry that an alarm has last been given counts.

Wake-ups are ``TICK`` apart at the least. So a clock of a few sessions is exact, and one of many does in one wake-up what
has come together meanwhile.
"""

from __future__ import annotations

import heapq
import math
from typing import Protocol, final

import trio

from trio_socketio._logging import scope_logger

_logger = scope_logger("engine")

TICK = 0.05
"""Seconds between two wake-ups at the least: what ten thousand pings in 25 seconds cost is above all the waking up."""

ENTRIES_PER_CHECKPOINT = 100
"""Ten thousand pings that are due together don't hold up the clients that have something to say."""

STALE_ENTRIES = 1000
"""So many stale entries are kept, and two for each that counts, before the heap is built anew."""


class Alarm(Protocol):
    """What a clock wakes."""

    entry: int
    """Its entry that counts; written by the clock. 0 for none."""
    wakes_at: float
    """The time of that entry; written by the clock. Infinite for none."""

    def fire(self, now: float) -> None:
        """Do what is due, and ask the clock for the next time."""


@final
class Clock:
    """Wakes alarms at their times while ``run`` runs, once."""

    __slots__ = ("_entries", "_heap", "_number", "_scope", "_sleeps_until", "_woke_at")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._number = 0
        self._entries = 0
        """How many in the heap count."""
        self._scope = trio.CancelScope()
        self._sleeps_until = -math.inf
        self._woke_at = -math.inf

    def wake(self, alarm: Alarm, at: float) -> None:
        """Fire ``alarm`` at the Trio time ``at``, instead of at the time that it was given before."""
        if not alarm.entry:
            self._entries += 1
        self._number += 1
        alarm.entry = self._number
        alarm.wakes_at = at
        heapq.heappush(self._heap, (at, self._number, alarm))
        self._prune()
        if at < self._sleeps_until:
            self._sleep_until(at)

    def forget(self, alarm: Alarm) -> None:
        """Do not fire ``alarm``, unless it asks anew."""
        if alarm.entry:
            self._take_from(alarm)
            self._prune()

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            # A new scope for each sleep: one whose deadline has come can't be slept in again.
            with trio.CancelScope() as self._scope:
                self._sleeps_until = math.inf
                if self._heap:
                    self._sleep_until(self._heap[0][0])
                await trio.sleep_forever()
            self._sleeps_until = -math.inf
            self._woke_at = trio.current_time()
            await self._fire_due(self._woke_at)

    def _sleep_until(self, at: float) -> None:
        at = max(at, self._woke_at + TICK)
        if at < self._sleeps_until:
            self._sleeps_until = self._scope.deadline = at

    async def _fire_due(self, now: float) -> None:
        taken = 0
        while self._heap and self._heap[0][0] <= now:
            _, number, alarm = heapq.heappop(self._heap)
            if alarm.entry == number:
                self._take_from(alarm)
                try:
                    alarm.fire(now)
                except Exception:
                    # Alarms see to their own faults: this is one in that. It must not stop the clock of all others.
                    _logger.exception("the end of a session that had failed has failed")
            taken += 1
            if taken % ENTRIES_PER_CHECKPOINT == 0:
                await trio.lowlevel.checkpoint()

    def _take_from(self, alarm: Alarm) -> None:
        self._entries -= 1
        alarm.entry = 0
        alarm.wakes_at = math.inf

    def _prune(self) -> None:
        if len(self._heap) > 3 * self._entries + STALE_ENTRIES:
            self._heap = [entry for entry in self._heap if entry[2].entry == entry[1]]
            heapq.heapify(self._heap)
