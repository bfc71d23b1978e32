"""Connection state recovery: sockets whose client is gone, and may come back.

    connected --(its connection is lost)--> lost --(the client is back)--> claimed --(middlewares let it in)--> connected
                                             |  ^                             |
                  (time is up, or disconnected) +--(its connection is lost)---+--(refused)--> over

A client names its socket by the *pid*, a secret that it got with its CONNECT. A lost socket is still in its rooms: it can
be taken out of them and disconnected like any other, and what is sent to it is kept (see ``replay.py``). It can be claimed
once; a client that comes back while its old connection still seems to live ends that first.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import trio

from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.session import Session
from trio_socketio._engine.timers import Timers
from trio_socketio._logging import scope_logger
from trio_socketio._server.tenant import Tenant

_logger = scope_logger("socket")

EPOCH_BYTES = 6
"""Random bytes that tell one life of a namespace from all others: on other servers, before a restart, of another name."""

PID_BYTES = 15
"""Random bytes of a pid: 120 bits, 20 URL-safe characters."""

RECOVERABLE = frozenset(
    {
        CloseReason.TRANSPORT_CLOSE,
        CloseReason.TRANSPORT_ERROR,
        CloseReason.PARSE_ERROR,
        CloseReason.PING_TIMEOUT,
        CloseReason.FORCED_CLOSE,
        CloseReason.FORCED_SERVER_CLOSE,
        CloseReason.SLOW_CONSUMER,
    }
)
"""The ends of a connection after which its sockets may come back: all that neither side has wished."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStateRecovery:
    """Lets a client whose connection was lost come back to its id, its rooms, its data, and what it has missed.

    ``Socket.recovered`` is true on both sides then, and it means that no event was lost and none comes twice. What asks
    for an answer and what is volatile is not repeated. Where that can't be promised, the client gets a new socket.

    Args:
        max_disconnection_duration: seconds for which a lost socket is kept.
        skip_middlewares: let a client that comes back in without asking them again.
        handler: ``"restart"`` ends the handlers of a lost socket, runs ``on_disconnect``, and begins anew with a new
            ``Socket`` for the same id; ``"keep"`` lets them live on in the gap: the same ``Socket`` is connected again, and
            ``on_disconnect`` is only called if the client does not come back.
        max_packets: events that are kept for one socket.
        max_bytes: bytes of those events on the wire.
        max_lost: lost sockets that are kept at a time; the oldest goes first.

    Raises:
        ValueError: a value out of range; the message says which.
    """

    max_disconnection_duration: float = 120.0
    skip_middlewares: bool = False
    handler: Literal["restart", "keep"] = "restart"
    max_packets: int = 1000
    max_bytes: int = 1_048_576
    max_lost: int = 10_000

    def __post_init__(self) -> None:
        for name in ("max_disconnection_duration", "max_packets", "max_bytes", "max_lost"):
            value = getattr(self, name)
            kinds = (int, float) if name == "max_disconnection_duration" else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < 2**53:
                kind = "number" if float in kinds else "whole number"
                msg = f"ConnectionStateRecovery({name}={value!r}) keeps nothing: give a {kind} above 0"
                raise ValueError(msg)
        if not isinstance(self.skip_middlewares, bool):
            msg = f"ConnectionStateRecovery(skip_middlewares={self.skip_middlewares!r}) must be True or False"
            raise ValueError(msg)  # noqa: TRY004 - one kind of error for all settings
        if self.handler not in ("restart", "keep"):
            msg = f'ConnectionStateRecovery(handler={self.handler!r}) must be "restart" or "keep"'
            raise ValueError(msg)


@final
@dataclass(slots=True)
class _Lost:
    worker: Tenant
    until: float
    claimed_by: Session | None = None


@final
class Recovery:
    """The sockets of a server that can come back: connected, lost, or claimed.

    Args:
        settings: how long and how much.
    """

    def __init__(self, settings: ConnectionStateRecovery) -> None:
        self.settings: ConnectionStateRecovery = settings
        self._connected: dict[str, Tenant] = {}
        self._lost: dict[str, _Lost] = {}
        """Those that were lost first come first."""
        self._timers: Timers | None = None
        self._start: Callable[..., None] | None = None

    def __len__(self) -> int:
        return len(self._lost)

    def open(self, new_timers: Callable[[Callable[[Exception], None]], Timers], start: Callable[..., None]) -> None:
        """Begin.

        Args:
            new_timers: makes deadlines by the server's clock.
            start: starts a task of the server's.
        """
        self._timers, self._start = new_timers(self._fail), start

    def close(self) -> None:
        """End: nobody comes back any more."""
        for pid in list(self._lost):
            self.end(pid)
        self._timers = None

    def new_epoch(self) -> str:
        """Make the epoch of a new namespace. One that is made again counts anew: its clients may hold offsets of before."""
        return secrets.token_urlsafe(EPOCH_BYTES)

    def new_pid(self) -> str:
        """Make the secret of a new socket."""
        return secrets.token_urlsafe(PID_BYTES)

    def start_task(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Start a task of the server's: for a socket that outlives its session."""
        assert self._start is not None  # noqa: S101 - a session was there, so somebody runs the server
        self._start(function, *args)

    def connected(self, worker: Tenant) -> None:
        """Note that a socket is connected, for the first time or again."""
        self._lost.pop(worker.pid, None)
        self._connected[worker.pid] = worker

    def may_lose(self, reason: CloseReason) -> bool:
        """Say whether a socket that ends for this reason may come back."""
        return self._timers is not None and reason in RECOVERABLE

    def lost(self, worker: Tenant) -> None:
        """Keep a socket whose client is gone."""
        self.forget(worker)
        if len(self._lost) >= self.settings.max_lost:
            unclaimed = (pid for pid, other in self._lost.items() if other.claimed_by is None)
            self.end(next(unclaimed, worker.pid))
        self._lost[worker.pid] = _Lost(worker, trio.current_time() + self.settings.max_disconnection_duration)
        self._set_timer()

    def give_back(self, worker: Tenant) -> bool:
        """Keep a claimed socket whose client is gone again before it was let in; ``False`` if it is over."""
        entry = self._lost.get(worker.pid)
        if entry is None:
            return False
        entry.claimed_by = None
        self._set_timer()
        return True

    def claim(self, namespace: str, auth: Mapping[str, Any], session: Session) -> Tenant | None:
        """Give a client that comes back its socket, once; ``None`` if it has none, or not all that it has missed.

        Args:
            namespace: where it wants to be.
            auth: what it says, with ``pid`` and ``offset``.
            session: where it has come back to.
        """
        pid = auth.get("pid")
        if not isinstance(pid, str) or self._timers is None:
            return None
        self._end_former_connection(pid, namespace)
        entry = self._lost.get(pid)
        if entry is None or entry.claimed_by is not None or entry.worker.namespace != namespace:
            return None
        if entry.worker.replay is None or entry.worker.replay.missed(auth.get("offset")) is None:
            self.end(pid)
            return None
        entry.claimed_by = session
        return entry.worker

    def _end_former_connection(self, pid: str, namespace: str) -> None:
        # We have not noticed that it is dead: the client knows best.
        connected, lost = self._connected.get(pid), self._lost.get(pid)
        if connected is not None and connected.namespace == namespace:
            connected.session.close(CloseReason.TRANSPORT_CLOSE)
        elif lost is not None and lost.claimed_by is not None:
            lost.claimed_by.close(CloseReason.TRANSPORT_CLOSE)

    def end(self, pid: str) -> None:
        """Keep a lost socket no longer."""
        entry = self._lost.pop(pid, None)
        if entry is not None:
            entry.worker.give_up()

    def forget(self, worker: Tenant) -> None:
        """Note that a socket is connected no more."""
        if self._connected.get(worker.pid) is worker:
            del self._connected[worker.pid]

    def _set_timer(self) -> None:
        # All are kept equally long: the first is due first. One timer for all, since there may be many of them.
        first = next((entry.until for entry in self._lost.values() if entry.claimed_by is None), None)
        if first is not None and self._timers is not None:
            self._timers.set("lost", first, self._expire)

    def _fail(self, error: Exception) -> None:
        # What a timer calls here is ours: a fault of the server. It must not cost the clock of all.
        _logger.error("a lost socket could not be given up", exc_info=error)

    def _expire(self) -> None:
        now = trio.current_time()
        for pid, entry in list(self._lost.items()):
            if entry.until > now:
                break
            if entry.claimed_by is None:
                self.end(pid)
        self._set_timer()
