"""A server in numbers, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from trio_socketio._engine.server import EngineServer


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatistics:
    """A server in numbers: a snapshot of what is there now, and totals since the ``Server`` was made."""

    sessions: int
    """Clients that are here; in the moments of a handshake a session has no transport yet."""
    polling_sessions: int
    """Those of them on long-polling."""
    websocket_sessions: int
    """Those of them on a WebSocket."""
    sockets: Mapping[str, int]
    """Connected sockets, by namespace."""
    connections: int
    """Connections that ``serve`` has open, without those that it has passed on to ``app``; 0 under an ASGI host."""
    queued_packets: int
    """Packets that wait for clients."""
    queued_bytes: int
    """Bytes of those."""
    oldest_write: float | None
    """Seconds that a client has not taken what is being written to it, of the client that makes us wait longest; ``None`` if
    none does. Near ``Limits.write_deadline`` it is about to be disconnected."""
    packets_received: int
    """Engine.IO packets from clients, in total."""
    packets_sent: int
    """Engine.IO packets to clients, in total, as they are handed to the kernel or the host."""
    bytes_received: int
    """Bytes of those packets, with frames and payloads round them; without HTTP heads and TLS, under an ASGI host also
    without frames."""
    bytes_sent: int
    """Likewise."""
    slow_consumers: int
    """Clients that were disconnected since they read too slowly, in total."""
    event_queues_full: int
    """Sockets that were disconnected since their event queue stayed full, in total."""
    invalid_events: int
    """Events that reached no handler since their arguments were not what it takes, in total."""
    refused: Mapping[str, int]
    """Requests for sessions that were refused, in total, by the protocol's message, such as ``"Session ID unknown"`` or
    ``"Forbidden"``; ``"No place"`` counts the answers with 503, ``"Middleware"`` those that middlewares gave themselves."""
    refused_by_http: Mapping[int, int]
    """Requests that ``serve`` refused before anybody saw them, in total, by HTTP status; nothing under an ASGI host."""


def statistics_of(engine: EngineServer, sockets: Mapping[str, int]) -> ServerStatistics:
    """Take a snapshot; ``sockets`` are counted already."""
    names, packets, size = [], 0, 0
    for session in engine.sessions.values():
        names.append(None if session.transport is None else session.transport.name)
        packets += len(session.outbox)
        size += session.outbox.bytes
    counters = engine.counters
    return ServerStatistics(
        sessions=len(names),
        polling_sessions=names.count("polling"),
        websocket_sessions=names.count("websocket"),
        sockets=sockets,
        connections=counters.connections,
        queued_packets=packets,
        queued_bytes=size,
        oldest_write=counters.oldest_write,
        packets_received=counters.packets_received,
        packets_sent=counters.packets_sent,
        bytes_received=counters.bytes_received,
        bytes_sent=counters.bytes_sent,
        slow_consumers=counters.slow_consumers,
        event_queues_full=counters.event_queues_full,
        invalid_events=counters.invalid_events,
        refused=dict(counters.refused),
        refused_by_http=dict(counters.refused_by_http),
    )
