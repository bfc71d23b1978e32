"""Which socket is in which room: two dictionaries that are kept in step, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from trio_socketio._server.target import Target


@final
class Rooms:
    """The rooms of one namespace on this server. A room exists while somebody is in it."""

    __slots__ = ("_members", "_rooms")

    def __init__(self) -> None:
        self._members: dict[str, dict[str, None]] = {}
        self._rooms: dict[str, dict[str, None]] = {}

    def add(self, socket_id: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""
        own = self._rooms.setdefault(socket_id, {})
        for room in rooms:
            own[room] = None
            self._members.setdefault(room, {})[socket_id] = None

    def remove(self, socket_id: str, room: str) -> None:
        """Take a socket out of a room, if it is there."""
        own = self._rooms.get(socket_id, {})
        if room in own:
            del own[room]
            self._leave(socket_id, room)

    def remove_all(self, socket_id: str) -> None:
        """Take a socket out of all its rooms."""
        for room in self._rooms.pop(socket_id, {}):
            self._leave(socket_id, room)

    def rooms_of(self, socket_id: str) -> frozenset[str]:
        """Return the rooms of a socket."""
        return frozenset(self._rooms.get(socket_id, ()))

    def members(self) -> dict[str, frozenset[str]]:
        """Return all rooms with the ids of their sockets: a snapshot."""
        return {room: frozenset(members) for room, members in self._members.items()}

    def select(self, target: Target) -> list[str]:
        """Return the ids that a target means, each once: a snapshot.

        Those of one room (or of the namespace) come in the order in which they joined it; rooms have no order.
        """
        members = self._members
        if not target.rooms:
            chosen = dict.fromkeys(self._rooms)
        elif len(target.rooms) == 1:
            (room,) = target.rooms
            chosen = members.get(room, {})
        else:
            chosen = {}
            for room in target.rooms:
                chosen |= members.get(room, {})
        if not target.excluded:
            return list(chosen)
        excluded = {socket_id for room in target.excluded for socket_id in members.get(room, ())}
        return [socket_id for socket_id in chosen if socket_id not in excluded]

    def _leave(self, socket_id: str, room: str) -> None:
        members = self._members[room]
        del members[socket_id]
        if not members:
            del self._members[room]
