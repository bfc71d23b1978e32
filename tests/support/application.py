"""An application that writes down what it is told; its sockets; and a server's settings in which time stands still."""

from __future__ import annotations

import logging

import pytest
import trio

from trio_socketio import EngineConfig, Server, Socket
from trio_socketio._server.namespace import Namespace

CALM = EngineConfig(ping_interval=10_000)
"""No pings in the way."""


async def forever(socket: Socket, *args: object) -> None:
    """Handle an event without ever coming to an end."""
    await trio.sleep_forever()


def errors_of(namespace: Server | Namespace) -> list[tuple[str, Exception]]:
    """What on_error is told from now on, as (event, error)."""
    errors: list[tuple[str, Exception]] = []

    @namespace.on_error
    async def note(socket: Socket, error: Exception, event: str) -> None:
        errors.append((event, error))

    return errors


def reasons_of(namespace: Server | Namespace) -> list[str]:
    """What on_disconnect is told from now on."""
    reasons: list[str] = []

    @namespace.on_disconnect
    async def note(socket: Socket, reason: str) -> None:
        assert type(reason) is str
        assert reason == socket.disconnect_reason
        reasons.append(reason)

    return reasons


def records_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, type[BaseException] | None]]:
    """What was logged as an error, as (scope, the exception's type)."""
    return [
        (record.name, record.exc_info[0] if record.exc_info else None)
        for record in caplog.records
        if record.levelno >= logging.ERROR
    ]


def socket_of(sio: Server, namespace: str = "/") -> Socket:
    """The only socket of a namespace."""
    (socket,) = sio.namespace(namespace).sockets.values()
    return socket
