"""Logging by scope: the standard loggers ``trio_socketio.engine``, ``.socket``, ``.namespace`` and ``.serve``.

Silent by default (a NullHandler on ``trio_socketio`` alone; nobody else's logger is touched). ``DEBUG=trio_socketio:*``
or ``DEBUG=trio_socketio:engine,trio_socketio:socket`` in the environment prints a scope to standard error.

On the hot path nobody asks a logger anything: sessions and sockets read ``tracing(logger)`` once, when they are made,
and then test a plain attribute.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextvars import ContextVar

ROOT = "trio_socketio"
SCOPES = ("engine", "socket", "namespace", "serve")
SHOWN = 200
"""Characters of a payload that a trace shows."""

error_witness: ContextVar[Callable[[str, str, BaseException], None] | None] = ContextVar("error_witness", default=None)
"""Hears of each error of the application that is contained and logged, with the id of the socket (or nothing) and the
event: the test kit's. The tasks of a server inherit it from whoever runs the server, so that each has its own."""

logging.getLogger(ROOT).addHandler(logging.NullHandler())


def scope_logger(scope: str) -> logging.Logger:
    """Return the logger of one of the ``SCOPES``."""
    return logging.getLogger(f"{ROOT}.{scope}")


def tracing(logger: logging.Logger) -> bool:
    """Say whether packets of this scope are to be printed; read once an object, not once a packet."""
    return logger.isEnabledFor(logging.DEBUG)


def show_error(error: BaseException, event: str, socket_id: str = "") -> None:
    """Show an error of the application's, which is logged beside this, to whoever wants to see it."""
    witness = error_witness.get()
    if witness is not None:
        witness(socket_id, event, error)


def shortened(value: object) -> str:
    """Show a payload in one line, escaped and cut short: client data must not be able to forge log lines."""
    text = repr(value[: SHOWN + 1] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def masked(sid: str) -> str:
    """Show enough of a session id to tell sessions apart, and too little to take one over: a sid is a secret."""
    return f"{sid[:4]}..."


def enable_debug(scopes: str) -> None:
    """Print scopes to standard error.

    Args:
        scopes: comma-separated ``trio_socketio:engine`` or ``engine``; ``*`` or ``trio_socketio:*`` for all. Names of
            other libraries are ignored, since the DEBUG variable is shared by many programs.

    Raises:
        ValueError: a scope of ours that doesn't exist.
    """
    wanted: set[str] = set()
    for entry in filter(None, (part.strip() for part in scopes.split(","))):
        library, _, scope = entry.rpartition(":")
        if library not in {"", ROOT} or entry == "":
            continue
        if scope in {"*", ROOT}:
            wanted.update(SCOPES)
        elif scope in SCOPES:
            wanted.add(scope)
        elif library == ROOT:
            msg = f"no debug scope {scope!r}: choose from {', '.join(SCOPES)}, or *"
            raise ValueError(msg)
    for scope in wanted:
        logger = scope_logger(scope)
        if not logger.handlers:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
            logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)


def enable_debug_from_environment() -> None:
    """Honour ``DEBUG``; called once, when the package is imported."""
    scopes = os.environ.get("DEBUG", "")
    if ROOT in scopes:
        enable_debug(scopes)
