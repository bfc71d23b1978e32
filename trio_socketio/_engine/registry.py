"""The sessions of a server: one way in (``open``), one way out (``Session.close``), and the nurseries that own them.

Between a look at the registry and an entry into it there may be an ``await`` (an application's ``allow_request``, a
host's 101). So ``open`` looks again, and it is the only one whose word counts.
"""

from __future__ import annotations

import contextvars
import math
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import final

import trio

from trio_socketio._engine.clock import Clock
from trio_socketio._engine.config import EngineConfig
from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.http import Request
from trio_socketio._engine.session import Handler, Session, SessionState
from trio_socketio._engine.statistics import Counters
from trio_socketio._engine.timers import Timers
from trio_socketio._engine.transport import FAREWELL
from trio_socketio._limits import Limits
from trio_socketio._logging import masked, scope_logger, show_error
from trio_socketio._wire.engine_handshake import PROTOCOL_REVISION

_logger = scope_logger("engine")

SID_BYTES = 15
"""Random bytes of a session id: 120 bits, 20 URL-safe characters."""

DRAIN_BATCH = 500
"""So many clients are told at once that the server drains: they come back in about one second, as their back-off says."""

DRAIN_PAUSE = 0.25
"""Seconds between two such batches in the mean."""


@final
class SessionRegistry:
    """Owns the sessions while it runs.

    Args:
        config: settings.
        limits: limits.
        accept: makes the handler of a new session.
        counters: the server's.
    """

    def __init__(
        self, config: EngineConfig, limits: Limits, accept: Callable[[Session], Handler], counters: Counters
    ) -> None:
        self._config = config
        self._limits = limits
        self._accept = accept
        self._counters = counters
        self._sessions: dict[str, Session] = {}
        self._nursery: trio.Nursery | None = None
        self._background: trio.Nursery | None = None
        self._clock = Clock()
        self._context = contextvars.Context()
        self._draining = False
        self.random: random.Random = random.Random()  # noqa: S311 - no secret is made of it
        """Orders and spaces the batches of a drain."""

    @property
    def sessions(self) -> MappingProxyType[str, Session]:
        """The open sessions by sid."""
        return MappingProxyType(self._sessions)

    @property
    def is_running(self) -> bool:
        """Somebody runs it."""
        return self._nursery is not None

    @property
    def tasks(self) -> frozenset[trio.lowlevel.Task]:
        """The tasks of the sessions, and those that end with them."""
        return frozenset() if self._nursery is None else self._nursery.child_tasks

    @property
    def takes_new(self) -> bool:
        """A session could be opened now."""
        return self.is_running and not self._draining and len(self._sessions) < self._limits.max_sessions

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own all sessions while the block runs; leaving it closes them at once.

        Raises:
            RuntimeError: it runs already.
        """
        if self._nursery is not None:
            msg = "this server is running already: enter running() once, round everything that serves it"
            raise RuntimeError(msg)
        self._clock = Clock()
        self._context = contextvars.copy_context()
        self._draining = False
        failure: Exception | KeyboardInterrupt | SystemExit | None = None
        try:
            async with self._nurseries():
                try:
                    yield
                except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - raised below
                    # Kept out of the nursery, which would put it into a group, and raised as it is.
                    failure = error
        finally:
            if failure is not None:
                raise failure

    @asynccontextmanager
    async def _nurseries(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as background:
            self._background = background
            background.start_soon(self._clock.run)
            try:
                async with trio.open_nursery() as self._nursery:
                    try:
                        yield
                    finally:
                        self._end_sessions(self._nursery)
            finally:
                # First unknown, then closed: nobody may start a task in a nursery that ends.
                self._nursery = self._background = None
                background.cancel_scope.cancel()

    def _end_sessions(self, nursery: trio.Nursery) -> None:
        self.end_sessions()
        nursery.cancel_scope.deadline = trio.current_time() + self._limits.disconnect_timeout + FAREWELL

    def end_sessions(self) -> None:
        """Refuse new sessions, and close those that are there at once: what waits for their clients is dropped."""
        self._draining = True
        for session in list(self._sessions.values()):
            session.close(CloseReason.SERVER_SHUTTING_DOWN)

    async def drain(self, spread: float) -> None:
        """Refuse new sessions, deliver to each client what waits for it, and close it so that it comes back later.

        The clients are told in batches of random order, with random pauses, so that they don't come back in one moment.
        Cancelling this stops the waiting; sessions that are still there then end with ``running``.

        Args:
            spread: seconds between the first batch and the last at the most; as few as it takes, none for one batch.

        Raises:
            ValueError: a spread below 0.
        """
        if not spread >= 0:
            msg = f"drain(spread={spread!r}): give the seconds over which clients are told to go, 0 for all at once"
            raise ValueError(msg)
        await trio.lowlevel.checkpoint()
        self._draining = True
        sessions = list(self._sessions.values())
        self.random.shuffle(sessions)
        began, last = trio.current_time(), math.ceil(len(sessions) / DRAIN_BATCH) - 1
        pause = min(DRAIN_PAUSE, spread / max(last, 1))
        for number in range(last + 1):
            if number and pause:
                # Somewhere in a slice of time of its own: so the last one is never later than ``spread``.
                await trio.sleep_until(began + (number - self.random.random()) * pause)
            for session in sessions[number * DRAIN_BATCH : (number + 1) * DRAIN_BATCH]:
                _let_go(session)
        for session in sessions:
            await session.closed.wait()

    async def open(self, request: Request, revision: str = PROTOCOL_REVISION) -> Session | None:
        """Begin a session; ``None`` if there is no place for it (any more), or it has ended as soon as it began."""
        if not self.takes_new:
            return None
        sid = self._config.sid_prefix + secrets.token_urlsafe(SID_BYTES)
        session = Session(
            sid,
            request,
            self._config,
            self._limits,
            clock=self._clock,
            counters=self._counters,
            forget=self._forget,
            revision=revision,
        )
        self._sessions[session.sid] = session
        self.start_with_sessions(self._run, session)
        try:
            await session.started.wait()
        except trio.Cancelled:
            session.close(CloseReason.TRANSPORT_ERROR)
            raise
        if session.state is SessionState.CLOSED:
            return None
        _logger.debug("%s: opened for %s", masked(session.sid), request.client)
        return session

    def find(self, sid: str) -> Session | None:
        """Return the open session of a sid; one whose deadline is over is closed on the way."""
        session = self._sessions.get(sid)
        if session is None:
            return None
        session.timers.fire_due()
        return None if session.state is SessionState.CLOSED else session

    def new_timers(self, on_fault: Callable[[Exception], None]) -> Timers:
        """Make deadlines that the clock of this server fires."""
        return Timers(self._clock, on_fault)

    def start_with_sessions(self, function: Callable[..., Awaitable[None]], /, *args: object) -> None:
        """Start a task of a session's: it outlives the request that it comes from, and must not inherit its context."""
        assert self._nursery is not None  # noqa: S101 - a session is there, so somebody runs it
        self._context.copy().run(self._nursery.start_soon, function, *args)

    def start_soon(self, function: Callable[[], Awaitable[None]]) -> bool:
        """Run what a connection leaves behind (a send that is stuck, a queue to be emptied) beside it, not in it.

        Such tasks are cancelled when the last session has ended. ``False`` if nobody runs the server.
        """
        if self._background is None:
            return False
        self._background.start_soon(function)
        return True

    # Ctrl-C in our own code would be lost among other errors: there it waits for Trio's main task.
    @trio.lowlevel.enable_ki_protection
    async def _run(self, session: Session) -> None:
        try:
            await session.run(self._accept(session))
        except* Exception as group:
            # Handlers contain the application's errors: this is a fault of ours. It may cost one client, not all.
            _logger.exception("session %s ended by a fault of the server", masked(session.sid))
            show_error(group, "a session of the server")
        finally:
            session.close(CloseReason.FORCED_CLOSE)
            session.started.set()

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.sid, None)


def _let_go(session: Session) -> None:
    """Close a session as its client can be told: one that has ended by itself meanwhile stays as it is."""
    transport = session.transport
    # Between two polls, and with nothing to be told: the next one gets 400, and the client comes back.
    absent = transport is None or (transport.name == "polling" and not transport.writable)
    if absent and not session.outbox:
        session.close(CloseReason.SERVER_SHUTTING_DOWN)
    else:
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
