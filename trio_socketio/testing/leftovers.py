"""What a server still holds when its clients are gone, as a report that can be read."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

import trio
from trio.testing import wait_all_tasks_blocked

from trio_socketio._server.server import Server

SLACK = 5.0
"""Seconds that a server gets beyond its own time-outs."""

STEP = 0.05
"""Seconds between two looks."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What is still there: false if nothing is; ``str`` of it is a report.

    Args:
        sessions: Engine.IO sessions, with their transports and how much waits for them.
        sockets: sockets, with their namespaces and rooms.
        lost_sockets: those whose clients may come back (``ConnectionStateRecovery``).
        rooms: rooms with somebody in them who is no socket any more.
        pending_acknowledgements: questions that wait for their answers.
        tasks: tasks of sessions and sockets, handlers above all, and where they wait.
        connections: connections that the server serves.
    """

    sessions: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    lost_sockets: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    pending_acknowledgements: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        if not self:
            return "nothing is left"
        lines = [
            f"  {field.name.removesuffix('s').replace('_', ' ')}: {each}"
            for field in fields(self)
            for each in getattr(self, field.name)
        ]
        return "\n".join(["the server still holds:", *lines])


def time_outs_of(server: Server) -> float:
    """Return the seconds after which a server has noticed that a client is gone, and keeps nothing for it any more."""
    recovery = server._recovery
    kept = 0.0 if recovery is None else recovery.settings.max_disconnection_duration
    config = server.config
    return config.ping_interval + config.ping_timeout + server.limits.disconnect_timeout + kept + SLACK


async def leftovers_of(server: Server, within: float) -> Leftovers:
    """Look at a server, when it has had the time to end what its clients have left.

    Args:
        server: it may have ended.
        within: seconds that it gets at the most.
    """
    await wait_all_tasks_blocked()
    with trio.move_on_after(within):
        while look_at(server):  # noqa: ASYNC110 - nobody tells when a task or a connection has ended
            await trio.sleep(STEP)
    return look_at(server)


def look_at(server: Server) -> Leftovers:
    """Say what a server holds now."""
    sockets: list[str] = []
    lost: list[str] = []
    rooms: list[str] = []
    questions: list[str] = []
    for members in server._namespaces:
        name = members.name
        for worker in members.workers():
            socket = worker.socket
            inside = ", ".join(sorted(socket.rooms - {socket.id}))
            shown = f"{socket.id} of {name}" + (f" in {inside}" if inside else "")
            (lost if members.is_parked(worker) else sockets).append(shown)
            if len(worker.peer.acks):
                questions.append(f"{len(worker.peer.acks)} of {socket.id} of {name}")
        known = {worker.socket.id for worker in members.workers()}
        for room, inside_it in members.adapter.rooms().items():
            rooms += [f"{room!r} of {name} with {socket_id}" for socket_id in inside_it - known]
    engine = server.engine
    sessions = [
        f"{session.sid[:4]}... by {'no transport' if session.transport is None else session.transport.name},"
        f" {len(session.outbox)} packets wait"
        for session in engine.sessions.values()
    ]
    return Leftovers(
        sessions=tuple(sessions),
        sockets=tuple(sockets),
        lost_sockets=tuple(lost),
        rooms=tuple(rooms),
        pending_acknowledgements=tuple(questions),
        tasks=tuple(_shown(task) for task in _all_tasks(engine.session_tasks)),
        connections=tuple(f"number {number}" for number in range(1, engine.counters.connections + 1)),
    )


def _all_tasks(tasks: frozenset[trio.lowlevel.Task]) -> Iterator[trio.lowlevel.Task]:
    for task in tasks:
        yield task
        for nursery in task.child_nurseries:
            yield from _all_tasks(nursery.child_tasks)


def _shown(task: trio.lowlevel.Task) -> str:
    """Show a task by its name, and by where it waits in code that is neither ours nor Trio's."""
    place = ""
    awaited: Any = task.coro
    while isinstance(awaited, (types.CoroutineType, types.AsyncGeneratorType)):
        frame = awaited.cr_frame if isinstance(awaited, types.CoroutineType) else awaited.ag_frame
        if frame is not None and frame.f_globals.get("__name__", "").split(".")[0] not in {"trio", "trio_socketio"}:
            code = frame.f_code
            place = f" in {code.co_qualname}, {Path(code.co_filename).name}:{frame.f_lineno}"
        awaited = awaited.cr_await if isinstance(awaited, types.CoroutineType) else awaited.ag_await
    return f"{task.name}{place}"
