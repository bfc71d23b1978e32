"""Clients of Socket.IO 2, whose packets are those of protocol 4 (on Engine.IO 3); ``EngineConfig(allow_eio3=True)``.

What is different, and all of it is here:

* The server lets the client join ``/`` by itself, as soon as the session is open. Its CONNECT packets carry no data.
* A client's CONNECT has its credentials in the namespace's name, as a query: ``0/chat?token=abc,``. They become ``auth``.
* A refusal is an ERROR packet (type 4 too) whose data is the message itself, or what the application has added to it.
* The ids of sockets. These clients are not told any: they work it out from the session's id, as ``<sid>`` for ``/`` and
  ``/chat#<sid>`` else, and call that ``socket.id``. Whoever uses ids (to send to one client, to leave out a sender)
  needs both sides to agree, so here it is the same, as it is for the reference. But a session's id is a secret: who
  knows it can speak for that client as long as it polls. So it is only these clients that pay for it, and
  ``docs/topics/old-clients.md`` says so to those who allow them.

The id also comes again when a client leaves a namespace and joins it again. Then the second socket waits until the
first is cleaned up after, lest it be taken out of the rooms that it has just entered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, final
from urllib.parse import parse_qsl

import trio

from trio_socketio._engine.http import MAX_QUERY_FIELDS
from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._limits import Limits
from trio_socketio._server.worker import SocketWorker
from trio_socketio._wire.parser import Decoder, Parser
from trio_socketio._wire.socket_packet import Ack, Connect, ConnectError, Event, SocketPacket


@final
class OldParser:
    """A parser for these clients.

    Args:
        parser: the server's own, which knows all that is not different.
    """

    __slots__ = ("_parser",)

    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    def encode(self, packet: SocketPacket) -> list[str | bytes]:
        """Encode a packet; see ``Parser``."""
        match packet:
            case Connect(namespace, _):
                packet = Connect(namespace)
            case ConnectError(namespace, data):
                packet = ConnectError(namespace, _reason(data))
        return self._parser.encode(packet)

    def decoder(self, limits: Limits) -> Decoder:
        """Make a decoder for one connection."""
        # A query counts to the name: it may be as long as in a request line. The names are measured without it.
        longest = max(limits.max_target, limits.max_name_length)
        return OldDecoder(self._parser.decoder(replace(limits, max_name_length=longest)), limits.max_name_length)


def _reason(data: Any) -> Any:
    details = data.get("data")
    return data["message"] if details is None else details


@final
class OldDecoder:
    """Decodes the messages of one connection.

    Args:
        decoder: the server's own.
        max_name: characters of a namespace's or an event's name.
    """

    __slots__ = ("_decoder", "_max_name")

    def __init__(self, decoder: Decoder, max_name: int) -> None:
        self._decoder = decoder
        self._max_name = max_name

    @property
    def unfinished(self) -> Event | Ack | None:
        """See ``Decoder``."""
        return self._decoder.unfinished

    def feed(self, message: str | bytes) -> SocketPacket | None:
        """Take one Engine.IO message; see ``Decoder``."""
        packet = self._decoder.feed(message)
        if packet is None:
            return None
        if type(packet) is Connect:
            packet = _with_auth(packet)
        is_long = type(packet) is Event and len(packet.args) > 0 and len(packet.args[0]) > self._max_name
        if is_long or len(packet.namespace) > self._max_name:
            msg = "name that is too long"
            raise RemoteProtocolError(msg)
        return packet


def _with_auth(packet: Connect) -> Connect:
    name, _, query = packet.namespace.partition("?")
    try:
        return Connect(name, dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)))
    except ValueError as error:
        msg = "query of too many fields in a namespace's name"
        raise RemoteProtocolError(msg) from error


@final
class OldClient:
    """The sockets of one such client.

    Args:
        sid: of its session.
    """

    __slots__ = ("_last", "_sid")

    def __init__(self, sid: str) -> None:
        self._sid = sid
        self._last: dict[str, trio.Event] = {}
        """Set when the last socket of a namespace is gone, with all that its end takes."""

    def socket_id(self, namespace: str) -> str:
        """Return the id that the client works out for itself."""
        return self._sid if namespace == "/" else f"{namespace}#{self._sid}"

    def in_turn(self, worker: SocketWorker) -> Callable[[], Awaitable[None]]:
        """Return what runs a new socket behind all those of its namespace that had the same id."""
        name = worker.socket.namespace
        former = self._last.get(name)
        gone = self._last[name] = trio.Event()
        return partial(self._run, worker, former, gone)

    async def _run(self, worker: SocketWorker, former: trio.Event | None, gone: trio.Event) -> None:
        try:
            if former is not None:
                await former.wait()
            await worker.run()
        finally:
            gone.set()
            if self._last[worker.socket.namespace] is gone:
                del self._last[worker.socket.namespace]
