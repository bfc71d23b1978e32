"""What all connections of a front share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, final

import trio

from trio_socketio._engine.http import Headers
from trio_socketio._engine.server import EngineServer
from trio_socketio._serve.flusher import Flusher
from trio_socketio._serve.http1 import Head
from trio_socketio._serve.link import Link

PassOn: TypeAlias = Callable[[trio.abc.Stream, bytes], None]
"""Takes a connection over, of which these bytes have been read."""

LogAccess: TypeAlias = Callable[[Head, Link, int | None, Headers, float], None]
"""Notes a request, where it came from, the status and the headers of its answer, and the seconds that it took.

The status is ``None`` if the client did not wait for the answer.
"""


class Closable(Protocol):
    """A connection."""

    def close_when_idle(self) -> None:
        """Take no further request."""


@final
@dataclass(slots=True)
class Site:
    """What all connections of a front share.

    Args:
        engine: answers what is under its path.
        pass_on: takes connections over: all of HTTP/2, and those with requests for others.
        has_app: there are others; else their requests are answered with 404.
        log_access: the access log, if there is one.
        root_path: a prefix that a proxy in front may leave on.
        keep_alive: seconds that a connection may be without a request.
        date: whether answers have a ``Date``.
    """

    engine: EngineServer
    pass_on: PassOn
    has_app: bool = False
    log_access: LogAccess | None = None
    root_path: str = ""
    keep_alive: float = 60.0
    date: bool = True
    flusher: Flusher = field(default_factory=Flusher)
    connections: set[Closable] = field(default_factory=set)
    is_closing: bool = False

    def own_path(self, path: str) -> str | None:
        """Return the engine's path of a request's; ``None`` if it is not the engine's."""
        serves = self.engine.config.serves
        if serves(path):
            return path
        rest = path.removeprefix(self.root_path)
        return rest if self.root_path and serves(rest) else None

    def close(self) -> None:
        """Let each connection end what it is at."""
        self.is_closing = True
        for connection in list(self.connections):
            connection.close_when_idle()
