"""What the worker of a socket needs of its namespace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from trio_socketio._server.adapter import Adapter
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.recovery import Recovery
from trio_socketio._server.replay import Replay
from trio_socketio._server.tenant import Tenant
from trio_socketio._socket.contract import NameOf
from trio_socketio._wire.parser import Parser


class Home(Protocol):
    """A namespace."""

    name: str
    parameters: Mapping[str, str]
    behaviour: Behaviour
    adapter: Adapter
    parser: Parser
    ack_ids: Iterator[int]
    names: NameOf
    recovery: Recovery | None

    def new_replay(self) -> Replay | None:
        """Make what keeps a new socket's events, if they are to be kept."""

    def is_socket_id(self, name: str) -> bool:
        """Say whether a connected or a lost socket has this id."""
        ...

    def enter(self, worker: Tenant) -> None:
        """The socket is connected."""

    def leave(self, worker: Tenant) -> None:
        """The socket is connected no more."""

    def park(self, worker: Tenant) -> None:
        """The socket is lost: it stays in its rooms, and what is sent to it is kept."""

    def unpark(self, worker: Tenant) -> None:
        """The socket is lost no more."""

    def is_parked(self, worker: Tenant) -> bool:
        """Say whether the socket is lost."""
        ...

    def watch(self, worker: Tenant) -> None:
        """The socket's own listeners are others than before."""

    def clean_up(self, worker: Tenant) -> None:
        """Take the socket out of its rooms, unless its id lives on."""

    def begin(self) -> None:
        """A worker is about to run."""

    def end(self) -> None:
        """A worker runs no more."""
