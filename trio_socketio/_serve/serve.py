"""``serve``: the server in a nursery of the caller's, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

import trio
from hypercorn.config import Config

from trio_socketio._asgi.app import ASGIApp
from trio_socketio._asgi.scope import ASGIApplication
from trio_socketio._engine.transport import FAREWELL
from trio_socketio._logging import scope_logger
from trio_socketio._serve.front import Front
from trio_socketio._serve.hypercorn import AccessLog, Hypercorn
from trio_socketio._serve.listening import ListeningSockets
from trio_socketio._serve.serving import Serving
from trio_socketio._serve.site import Site
from trio_socketio._server.server import Server
from trio_socketio._util import plain_exceptions

_logger = scope_logger("serve")

DEFAULT_BIND = "127.0.0.1:8000"
BACKLOG = 2048
KEEP_ALIVE = 60.0
"""Seconds; hypercorn's 5 would make long-polling clients reconnect between two polls."""

LAST_ANSWERS = 1.0
"""Seconds that requests to the other application get in any case, when the drain has taken all of its time."""


async def serve(
    server: Server,
    bind: str | Sequence[str] | None = None,
    *,
    app: ASGIApplication | None = None,
    config: Config | None = None,
    listeners: Sequence[trio.abc.Listener[trio.abc.Stream]] | None = None,
    drain_timeout: float = 10.0,
    signals: bool | None = None,
    task_status: trio.TaskStatus[Serving] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until SIGTERM, SIGINT or ``Serving.aclose``; then drain, and return.

    ``trio.run(serve, sio, "127.0.0.1:8000")`` is a whole program. ``serving = await nursery.start(serve, sio,
    "127.0.0.1:0")`` embeds it, on a free port: ``serving.port``. Cancelled, it ends all clients at once.

    Args:
        server: the server.
        bind: ``"host:port"``, ``"unix:path"`` or ``"fd://3"``, or several; ``config.bind`` if it is left out.
        app: an ASGI application for all other paths; its lifespan runs inside.
        config: hypercorn's settings, for TLS and the like.
        listeners: Trio listeners to accept from, such as in-memory ones, instead of any address; they are closed in the
            end. What they give is taken as it is: TLS must be theirs. It is served as by sockets of its own, only slower.
        drain_timeout: seconds in which clients are still sent what waits for them, and ``app`` answers what it has begun.
        signals: whether SIGTERM and SIGINT begin the drain (a second one ends everything at once). Left out: only if
            this is the whole program, that is, in the main thread and not started with ``nursery.start``.
        task_status: reports a ``Serving`` once it listens and ``app`` has started.

    Raises:
        OSError: an address can't be bound.
        RuntimeError: the server is being run already.
        ValueError: both ``bind`` and ``listeners``.
    """
    if bind is not None and listeners is not None:
        msg = "serve takes bind or listeners, not both: trio.open_tcp_listeners makes listeners of addresses"
        raise ValueError(msg)
    if signals is None:
        alone = task_status is trio.TASK_STATUS_IGNORED
        signals = alone and threading.current_thread() is threading.main_thread()
    config = _settings(server, bind, config)
    sockets = None if listeners is not None else ListeningSockets(config)
    hypercorn = Hypercorn(ASGIApp(server, app), config, server.limits.write_deadline)
    front = Front(_site(server, hypercorn, config, has_app=app is not None), sockets, listeners or ())
    stop, stopped = trio.Event(), trio.Event()
    serving = Serving._create(() if sockets is None else sockets.urls, server, stop, stopped)
    try:
        with plain_exceptions():
            async with server.running(), trio.open_nursery() as nursery:
                await nursery.start(hypercorn.run)
                await nursery.start(front.run)
                if signals:
                    await nursery.start(_stop_on_signals, stop, nursery.cancel_scope)
                _logger.info("serving on %s", ", ".join(serving.urls) or "listeners of the caller's")
                task_status.started(serving)
                await stop.wait()
                # While it drains it still accepts: long-polling clients may need a connection to be told. New ones get 503.
                with trio.move_on_after(drain_timeout) as draining:
                    await server.drain(spread=max(drain_timeout, 0) / 2)
                server.engine.end_sessions()  # Who did not take in time what waited. Writers have one second more.
                front.stop_accepting()
                if sockets is not None:
                    sockets.close()
                end_by = max(draining.deadline, trio.current_time() + LAST_ANSWERS)
                front.close(end_by)
                hypercorn.close(end_by)
                await front.ended.wait()
                await hypercorn.ended.wait()
                nursery.cancel_scope.cancel()  # What is left is the signals' task.
    finally:
        if sockets is not None:
            sockets.close()
        await _close(listeners or ())  # noqa: ASYNC102 - it is shielded, with a deadline
        stopped.set()


async def _close(listeners: Sequence[trio.abc.Listener[trio.abc.Stream]]) -> None:
    with trio.move_on_after(FAREWELL, shield=True):
        for listener in listeners:
            await trio.aclose_forcefully(listener)


def _site(server: Server, hypercorn: Hypercorn, config: Config, *, has_app: bool) -> Site:
    access_log = AccessLog(config)
    return Site(
        server.engine,
        pass_on=hypercorn.adopt,
        has_app=has_app,
        log_access=access_log.write if access_log.is_wanted else None,
        root_path=config.root_path,
        keep_alive=config.keep_alive_timeout,
        date=config.include_date_header,
    )


def _settings(server: Server, bind: str | Sequence[str] | None, config: Config | None) -> Config:
    if config is None:
        config = Config()
        config.bind = [DEFAULT_BIND]
        config.backlog = BACKLOG
        config.keep_alive_timeout = KEEP_ALIVE
        config.websocket_max_message_size = server.limits.max_payload
    if bind is not None:
        config.bind = [bind] if isinstance(bind, str) else list(bind)
    return config


async def _stop_on_signals(
    stop: trio.Event, everything: trio.CancelScope, *, task_status: trio.TaskStatus[None]
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        task_status.started()
        async for number in received:
            if stop.is_set():
                _logger.info("signal %d again: ending at once", number)
                everything.cancel()
            else:
                _logger.info("signal %d: draining", number)
                stop.set()
