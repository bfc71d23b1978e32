"""Every bound of a server, in one frozen value that is checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may cost. Times are in seconds, sizes in bytes.

    Raises:
        ValueError: a value out of range; the message says which one and what to do.
        TypeError: a value that is not a number of the right kind.
    """

    max_payload: int = 1_000_000
    """Bytes of one message or of one POST body. The client is told (``maxPayload``); beyond it: 413, or close."""
    max_packets_per_payload: int = 1000
    """Packets in one POST body; beyond it the session is closed with 400."""
    max_attachments: int = 10
    """Binary attachments of one Socket.IO packet; their bytes together are bounded by ``max_payload``."""
    attachments_timeout: float = 30.0
    """Seconds in which all attachments of a packet must have come."""
    max_json_depth: int = 128
    """Nesting of arrays and objects in a packet."""
    max_namespaces: int = 100
    """Namespaces that one client may be in at a time; the next one gets a CONNECT_ERROR."""
    max_name_length: int = 255
    """Characters of a namespace's, an event's or a room's name."""
    max_rooms_per_socket: int = 1024
    """Rooms of one socket, beside its own; ``join`` raises beyond it."""
    connect_timeout: float = 45.0
    """Seconds after which a client that joined no namespace is closed."""
    upgrade_timeout: float = 10.0
    """Seconds in which an upgrade must be finished; then the probing WebSocket is closed, the session lives on."""
    send_queue_bytes: int = 1_048_576
    """Bytes that may wait for one client. One packet is always accepted into an empty queue."""
    send_queue_packets: int = 1024
    """Packets that may wait for one client."""
    write_deadline: float = 10.0
    """Seconds that one write may take; then the client counts as gone."""
    event_queue: int = 100
    """Events of one socket that may wait for its handlers; while it is full we do not read from that client."""
    event_queue_bytes: int = 4_194_304
    """Bytes of those events on the wire. One event is always accepted into an empty queue."""
    event_queue_timeout: float = 10.0
    """Seconds that a full event queue may hold up the client's other namespaces; then that socket is disconnected."""
    max_concurrent_handlers: int = 16
    """``concurrent=True`` handlers of one socket that run at a time."""
    max_pending_acks: int = 1000
    """Answers that one socket may owe us; ``call`` raises beyond it."""
    post_deadline: float = 30.0
    """Seconds that reading one POST body may take at most (less for a small one); then 408, and the session is closed."""
    close_timeout: float = 10.0
    """Seconds in which what waits is still delivered to a client that the server disconnects."""
    disconnect_timeout: float = 5.0
    """Seconds that the ``on_disconnect`` handlers of one socket may take, and its ``on_error`` handlers for one error."""
    max_head: int = 16_384
    """Bytes of a request's head; beyond it 431. Heads and frames are bounded so by ``serve``; hypercorn has its own settings."""
    max_target: int = 8192
    """Bytes of the target in a request line; beyond it 414."""
    max_header_fields: int = 128
    """Header fields of a request; beyond it 431."""
    head_deadline: float = 10.0
    """Seconds in which a request's head, once begun, or a TLS handshake must be there; then 408."""
    max_message_parts: int = 1024
    """Frames of one WebSocket message; beyond it the connection is closed."""
    message_deadline: float = 30.0
    """Seconds in which a WebSocket message, once begun, must be there; then the connection is closed."""
    max_sessions: int = 100_000
    """Sessions of this server; handshakes beyond it get 503."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.type == "int"
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                kind = "a whole number" if whole else "a number of seconds"
                msg = f"Limits({field.name}=...) takes {kind}, not {value!r}"
                raise TypeError(msg)
            if not value > 0:
                msg = f"Limits({field.name}={value!r}) would let nothing through: give a number above 0"
                raise ValueError(msg)
        if self.max_payload < MINIMUM_PAYLOAD:
            msg = f"Limits(max_payload={self.max_payload}) is too small for a handshake: give {MINIMUM_PAYLOAD} bytes or more"
            raise ValueError(msg)


MINIMUM_PAYLOAD = 256
