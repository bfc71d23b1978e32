"""The sockets that a front listens on."""

from __future__ import annotations

import errno
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeAlias, final

import trio
from hypercorn.config import Config
from hypercorn.utils import repr_socket_addr

from trio_socketio._logging import scope_logger
from trio_socketio._serve.stream_link import socket_of

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment] # Windows has no such limit

_logger = scope_logger("serve")

Accepted: TypeAlias = Callable[[socket.socket, str | None], None]
"""Takes a new connection's socket, and its client's address."""

ACCEPTS_PER_CHECKPOINT = 64

PAUSE = 0.1
"""Seconds that nothing is accepted while the process has no room for another connection."""

SHARE_OF_DESCRIPTORS = 0.9
"""So much of what the process may open is for connections; beyond that they get 503."""

_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


@final
class ListeningSockets:
    """The sockets of a hypercorn configuration: TCP, unix, or such that are open already.

    QUIC is not spoken here: the sockets of ``quic_bind`` are closed.

    Args:
        config: its binds, backlog and certificate.

    Raises:
        OSError: an address can't be bound, or listened on; then none of them stays open.
    """

    def __init__(self, config: Config) -> None:
        self.ssl_context: ssl.SSLContext | None = config.create_ssl_context()
        sockets = config.create_sockets()
        self.secure: Sequence[socket.socket] = sockets.secure_sockets
        self.insecure: Sequence[socket.socket] = sockets.insecure_sockets
        if sockets.quic_sockets:
            _logger.warning("quic_bind is left out: serve speaks HTTP/1.1, HTTP/2 and WebSocket")
        for sock in sockets.quic_sockets:
            sock.close()
        try:
            for sock in (*self.secure, *self.insecure):
                sock.setblocking(False)
                sock.listen(config.backlog)
        except OSError:
            for sock in (*self.secure, *self.insecure):
                sock.close()
            raise

    @property
    def urls(self) -> list[str]:
        """Where they listen."""
        return [
            f"{scheme}://{repr_socket_addr(sock.family, sock.getsockname())}"
            for scheme, group in (("https", self.secure), ("http", self.insecure))
            for sock in group
        ]

    def close(self) -> None:
        """Close them, also those that were never accepted from."""
        for sock in (*self.secure, *self.insecure):
            if sock.fileno() != -1:
                trio.lowlevel.notify_closing(sock)
                sock.close()


async def accept_from(sock: socket.socket, accepted: Accepted) -> None:
    """Accept connections until the socket is closed."""
    is_tcp = sock.family in {socket.AF_INET, socket.AF_INET6}
    while True:
        try:
            await trio.lowlevel.wait_readable(sock)
            _accept_some(sock, accepted, is_tcp=is_tcp)
        except trio.ClosedResourceError:
            return
        except (OSError, ValueError) as error:
            if sock.fileno() == -1:
                return  # Closed while this task was about to run, or in the pause.
            if not isinstance(error, OSError) or error.errno not in _NO_ROOM:
                raise
            await _pause(error)


def _accept_some(sock: socket.socket, accepted: Accepted, *, is_tcp: bool) -> None:
    for _ in range(ACCEPTS_PER_CHECKPOINT):
        try:
            connection, address = sock.accept()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in _NO_ROOM or sock.fileno() == -1:
                raise
            continue  # That client has gone already; accept(2) tells of errors of the network this way.
        connection.setblocking(False)
        if is_tcp:
            # What we write is whole: to wait for more to send with it would only be late.
            with suppress(OSError):  # Some systems refuse it for a client that has gone.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted(connection, address[0] if is_tcp else None)


async def accept_streams_from(
    listener: trio.abc.Listener[trio.abc.Stream], accepted: Callable[[trio.abc.Stream, str | None], Awaitable[None]]
) -> None:
    """Accept connections until the listener is closed; it is, in the end.

    ``trio.serve_listeners`` would close a stream when its handler returns; ours may pass it on.
    """
    async with listener:
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                await _pause(error)
            else:
                await accepted(stream, _client_of(stream))


async def _pause(error: OSError) -> None:
    _logger.error("no room for another connection (%s): none is accepted for %g s", error.strerror, PAUSE)
    await trio.sleep(PAUSE)


def _client_of(stream: trio.abc.Stream) -> str | None:
    """Return the address of a stream's peer, if it is one of TCP, or of TLS over that."""
    sock = socket_of(stream)
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return None
    try:
        return str(sock.getpeername()[0])
    except OSError:
        return None  # It has gone already.


def most_connections() -> float:
    """Return how many connections there may be at a time."""
    if resource is None:
        return math.inf
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft * SHARE_OF_DESCRIPTORS
