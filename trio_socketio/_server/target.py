"""Whom a broadcast is for: plain data, so that another node of a cluster can read it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Target:
    """The sockets of ``rooms`` (of the whole namespace if there are none), without those of ``excluded``.

    Args:
        rooms: their union; each socket counts once.
        excluded: rooms, and ids of sockets, since each socket is in the room of its own id.
        local: only sockets of this server.
        volatile: dropped for whom it can't be sent to at once.
        compress: worth being compressed, where the transport does that.
    """

    rooms: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    local: bool = False
    volatile: bool = False
    compress: bool = True

    def to(self, rooms: frozenset[str]) -> Target:
        """Add rooms."""
        return replace(self, rooms=self.rooms | rooms)

    def without(self, rooms: frozenset[str]) -> Target:
        """Exclude more rooms."""
        return replace(self, excluded=self.excluded | rooms)
