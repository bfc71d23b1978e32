"""Every way in which a server is served: over real loopback sockets on a free port, and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import hypercorn.trio
import trio
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tests.support.memory import MemoryListener, named
from trio_socketio import ASGIApp, Server, serve

Way = Callable[[Server], AbstractAsyncContextManager[str]]
"""Serves a server while the block runs; gives its URL, without a path."""


@asynccontextmanager
async def by_serve(server: Server) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        serving = await nursery.start(serve, server, "127.0.0.1:0")
        yield serving.urls[0]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def in_memory(server: Server) -> AsyncIterator[str]:
    """The very same front, over streams of memory: only our clients find the URL; see ``tests.support.memory``."""
    listener = MemoryListener()
    async with trio.open_nursery() as nursery, named(listener) as url:
        await nursery.start(partial(serve, server, listeners=[listener]))
        yield url
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def stock_hypercorn(app: object) -> AsyncIterator[str]:
    """What ``hypercorn -k trio`` does in its worker."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.graceful_timeout = 0.1
    config.keep_alive_timeout = 60
    config.accesslog = None
    stop = trio.Event()

    async def run(task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
        await hypercorn.trio.serve(app, config, shutdown_trigger=stop.wait, task_status=task_status)

    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(run)
        yield url
        stop.set()


@asynccontextmanager
async def by_hypercorn(server: Server) -> AsyncIterator[str]:
    async with stock_hypercorn(ASGIApp(server)) as url:
        yield url


@asynccontextmanager
async def mounted(server: Server) -> AsyncIterator[str]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with server.running():
            yield

    async def home(request: object) -> PlainTextResponse:
        return PlainTextResponse("the other application")

    routes = [Route("/", home), Mount(server.config.path, ASGIApp(server))]
    async with stock_hypercorn(Starlette(routes=routes, lifespan=lifespan)) as url:
        yield url


SOCKET_WAYS: dict[str, Way] = {"serve": by_serve, "hypercorn": by_hypercorn, "mounted": mounted}
"""Those that clients of other processes can reach."""

WAYS: dict[str, Way] = SOCKET_WAYS | {"memory": in_memory}
