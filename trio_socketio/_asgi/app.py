"""The server as an ASGI application, alone or in front of another one."""

from __future__ import annotations

from functools import partial
from typing import Protocol, final

from trio_socketio._asgi.http import send_response, serve_http
from trio_socketio._asgi.lifespan import serve_lifespan
from trio_socketio._asgi.scope import ASGIApplication, Receive, Scope, Send, drain, request_of
from trio_socketio._asgi.websocket import serve_websocket
from trio_socketio._engine.http import Response
from trio_socketio._engine.server import EngineServer


class HasEngine(Protocol):
    """A Socket.IO server."""

    @property
    def engine(self) -> EngineServer:
        """What requests are handed to."""
        ...


@final
class ASGIApp:
    """Serves a Socket.IO server under any ASGI host that runs Trio: ``hypercorn -k trio module:app``.

    Requests under the server's path are answered, all others go to ``other_app`` (or get 404). The lifespan of the host
    runs the server, and then ``other_app``'s lifespan inside. An application that *mounts* this one keeps the lifespan
    to itself: it must enter ``Server.running()`` in its own; until then clients get 503.

    Args:
        server: the server.
        other_app: an ASGI application for all other paths.
    """

    def __init__(self, server: HasEngine, other_app: ASGIApplication | None = None) -> None:
        self._engine = server.engine
        self._other = other_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI 3 says."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self._engine, self._other, scope, receive, send)
            return
        path = self._own_path(scope)
        if path is None:
            await self._pass_on(scope, receive, send)
        elif scope["type"] == "websocket":
            await serve_websocket(self._engine, request_of(scope, path), scope, receive, send)
        else:
            await serve_http(self._engine, request_of(scope, path), receive, send)

    def _own_path(self, scope: Scope) -> str | None:
        """Return the path if it is the engine's: as it came, or without the prefix that we are mounted under.

        Whoever mounts us under our own path may have taken that out of the path: then it is in the prefix.
        """
        path: str = scope["path"]
        prefix: str = scope.get("root_path", "")
        possible = (path, path.removeprefix(prefix), prefix + path)
        return next(filter(self._engine.config.serves, possible), None)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._other is not None:
            await self._other(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            self._engine.start_soon(partial(drain, receive))
            not_found = Response(404, b"Not Found", "text/plain; charset=utf-8")
            await send_response(self._engine, send, not_found, scope.get("method", "GET"))
