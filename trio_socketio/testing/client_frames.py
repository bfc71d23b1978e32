"""WebSocket frames, the client's side: what it sends is masked, what it reads is not.

Servers of this package send whole messages in one frame each, without extensions; anything else is refused.
"""

from __future__ import annotations

from typing import final

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.websocket_frame import BINARY, CLOSE, PING, PONG, TEXT

_FINAL = 0x80
_MASKED = 0x80
_MASK = bytes(4)
"""Masking protects proxies from scripts; XOR with zeros is as legal, and readable."""

_KNOWN = frozenset({TEXT, BINARY, CLOSE, PING, PONG})


def encode_masked(opcode: int, payload: bytes) -> bytes:
    """Make one final, masked frame."""
    size = len(payload)
    if size < 126:
        head = bytes((_FINAL | opcode, _MASKED | size))
    elif size < 0x10000:
        head = bytes((_FINAL | opcode, _MASKED | 126)) + size.to_bytes(2)
    else:
        head = bytes((_FINAL | opcode, _MASKED | 127)) + size.to_bytes(8)
    return head + _MASK + payload


@final
class ServerFrames:
    """Reads what a server sends, cut anywhere."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take what has arrived; return the frames that it completes, as (opcode, payload).

        Raises:
            RemoteProtocolError: a fragment, an extension, a mask, or an unknown opcode.
        """
        self._data += data
        frames: list[tuple[int, bytes]] = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        opcode, size, start = data[0] & 0x0F, data[1], 2
        if data[0] & 0xF0 != _FINAL or opcode not in _KNOWN or size & _MASKED:
            msg = f"not a whole frame of a server: {bytes(data[:14])!r}"
            raise RemoteProtocolError(msg)
        if size > 125:
            start = 4 if size == 126 else 10
            if len(data) < start:
                return None
            size = int.from_bytes(data[2:start])
        if len(data) < start + size:
            return None
        payload = bytes(data[start : start + size])
        del data[: start + size]
        return opcode, payload
