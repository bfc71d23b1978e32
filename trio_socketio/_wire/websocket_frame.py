"""WebSocket frames, the server's side of RFC 6455: bytes to messages, messages to frames. Extensions are never spoken.

Theory of operation. Nearly all that clients send is whole messages in one frame each. ``FrameReader.feed`` reads those
itself, with local variables and nothing made but the message. Fragments and control frames go the long way, one
*complete* frame at a time.

What must stay true:

* ``feed`` never raises, and its events do not depend on how the bytes were cut.
* ``Close`` or ``Failure`` is the last event ever; after it everything is dropped and nothing is held.
* A header that breaks a rule, or declares more than is allowed, is refused by itself: its payload is never waited for
  and never kept. So at most ``max_message``, a header and one feed's data are in memory.
* ``_parts`` is 0 exactly when no fragmented message is under way: no data frame takes the short way in the middle of a
  message.
* Time is linear in the bytes. What is unfinished is appended to one buffer, and is not looked at again before the
  length that is missing (``_needed``) is there; whole frames are read where they arrive, and only what is left behind
  the last one is copied, once a feed.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from dataclasses import dataclass
from typing import Any, TypeAlias, final

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

_OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_CONTROL = 0x08  # the bit of an opcode
_FINAL = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_WHOLE_TEXT = _FINAL | TEXT
_WHOLE_BINARY = _FINAL | BINARY

PROTOCOL_ERROR = 1002
NOT_UTF8 = 1007
POLICY_VIOLATION = 1008
TOO_BIG = 1009

_NEVER_SENT = frozenset({1004, 1005, 1006, 1015})
_LONGEST_CONTROL = 125
_LONGEST_REASON = _LONGEST_CONTROL - 2

_decoder = getincrementaldecoder("utf-8")


@final
@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks for a pong with the same payload."""

    payload: bytes


@final
@dataclass(frozen=True, slots=True)
class Pong:
    """An answer to a ping, or a sign of life that nobody asked for."""

    payload: bytes


@final
@dataclass(frozen=True, slots=True)
class Close:
    """The client closes the connection; ``code`` is ``None`` if it gave none."""

    code: int | None
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Failure:
    """The client broke the protocol or a limit: close the connection with this code and reason."""

    code: int
    reason: str


Event: TypeAlias = str | bytes | Ping | Pong | Close | Failure
"""A text message, a binary message, or one of the four classes above."""

_HEADS = {opcode: [bytes((_FINAL | opcode, size)) for size in range(126)] for opcode in _OPCODES}


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """Make one final, unmasked frame.

    Raises:
        ValueError: the payload of a control frame is longer than 125 bytes.
    """
    size = len(payload)
    if size < 126:
        return _HEADS[opcode][size] + payload
    if opcode & _CONTROL:
        raise ValueError("a control frame holds at most 125 bytes")
    # 5.2: "the minimal number of bytes MUST be used to encode the length".
    if size < 0x10000:
        return b"%c\x7e%b%b" % (_FINAL | opcode, size.to_bytes(2), payload)
    return b"%c\x7f%b%b" % (_FINAL | opcode, size.to_bytes(8), payload)


def encode_close(code: int, reason: str = "") -> bytes:
    """Make a close frame; a reason that is too long is cut. Without a code it is ``encode_frame(CLOSE, b"")``.

    Raises:
        ValueError: a code that must not be sent.
    """
    if not 1000 <= code <= 4999 or code in _NEVER_SENT:
        msg = f"{code} is no code for a close frame"
        raise ValueError(msg)
    cut = reason.encode(errors="replace")[: 125 - 2]
    # The cut may go through a character, and the reason must be UTF-8.
    return encode_frame(CLOSE, code.to_bytes(2) + cut.decode(errors="ignore").encode())


# 5.3: "octet i of the transformed data is the XOR of octet i of the original data with octet i modulo 4 of the masking
# key". As one big-endian number, the key and the payload behind it are XORed with the key, repeated and cut to their
# length: the key itself becomes zeros in front, and what is left is the payload. So for each length: the bits of the
# payload, the number that repeats a key by multiplication, and the bits to cut. Large payloads go by look-up tables.
_LONG = 1024
_REPEAT = [int.from_bytes(b"\0\0\0\1" * words) for words in range(_LONG // 4 + 2)]
_UNMASK = [(8 * size, _REPEAT[(size + 3) // 4 + 1], 8 * (-size % 4)) for size in range(_LONG)]
_XOR = [bytes(byte ^ key for byte in range(256)) for key in range(256)]


def _unmask(data: bytes | bytearray, start: int, size: int) -> bytes:
    """Unmask a payload that begins at ``start``, behind its key; of any size, but made for large ones."""
    payload = bytearray(size)
    for offset in range(4):
        table = _XOR[data[start - 4 + offset]]
        payload[offset::4] = data[start + offset : start + size : 4].translate(table)
    return bytes(payload)


class _Last(Exception):  # noqa: N818 - also what is no error, a close, ends the reading this way
    """Nothing is to be read any more; ends the reading from any depth, and never leaves ``feed``."""

    def __init__(self, event: Close | Failure) -> None:
        super().__init__()
        self.event = event


@final
class FrameReader:
    """Reads what one client sends.

    Args:
        max_message: the most bytes of a message, over all of its fragments.
        max_parts: the most fragments of a message, empty ones too: each costs more memory than its bytes.
    """

    __slots__ = (
        *("_max_message", "_max_parts", "_short", "_medium"),
        *("_over", "_rest", "_needed", "_decoder", "_parts", "_size", "_pieces"),
    )

    def __init__(self, *, max_message: int, max_parts: int) -> None:
        self._max_message = max_message
        self._max_parts = max_parts
        self._short = min(125, max_message)  # what the hot path reads
        self._medium = min(_LONG - 1, max_message)
        self._over = False
        self._rest: bytearray | None = None  # begins with the first byte of a frame, and is never empty
        self._needed = 0  # bytes that ``_rest`` must have before it is worth a look
        self._decoder: Any = None
        self._parts = 0  # fragments and bytes of the message that is under way
        self._size = 0
        self._pieces: list[Any] = []

    @property
    def unfinished(self) -> bool:
        """Part of a frame or of a fragmented message is held, and the client owes the end of it."""
        return self._rest is not None or self._parts > 0

    def feed(self, data: bytes) -> list[Event]:
        """Take what has arrived, cut anywhere; returns what it completes, in order."""
        if self._rest is not None:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            # A bytearray is read as bytes are; nothing that comes out is a piece of it.
            data, self._rest = self._rest, None  # type: ignore[assignment] # it is one from here on
        elif self._over:
            return []
        events: list[Event] = []
        try:
            self._read(data, events)
        except _Last as last:
            events.append(self._end(last.event))
        except UnicodeDecodeError:
            events.append(self._end(Failure(NOT_UTF8, "text that is not UTF-8")))
        return events

    def _read(self, data: bytes | bytearray, events: list[Event]) -> None:
        # The hot path of the server; the lengths of two bytes are here for JSON of usual size.
        to_int, append = int.from_bytes, events.append
        short, medium = self._short, self._medium
        at, end, size = 0, 2, len(data)
        while end <= size:
            first, length = data[at], data[at + 1] - _MASKED
            whole = _WHOLE_TEXT <= first <= _WHOLE_BINARY and not self._parts
            if whole and 0 <= length <= short:
                key = end
            elif (
                whole and length == 126 and end + 2 <= size and 126 <= (length := to_int(data[end : end + 2])) <= medium
            ):
                key = end + 2
            else:
                end = self._read_other(data, at, events)
                if end > size:
                    break
                at, end = end, end + 2
                continue
            end = key + 4 + length
            if end > size:
                break
            bits, repeat, surplus = _UNMASK[length]
            number = to_int(data[key:end])
            payload = (number ^ ((number >> bits) * repeat >> surplus)).to_bytes(length)
            append(payload.decode() if first == _WHOLE_TEXT else payload)
            at, end = end, end + 2
        if at < size:
            self._rest = bytearray(data[at:])
            self._needed = end - at

    def _read_other(self, data: bytes | bytearray, at: int, events: list[Event]) -> int:
        """Read a frame that is not short and simple, if it is all there.

        Returns:
            Where it ends; if that is behind the data, nothing was read, and it is what another try needs at least.
        """
        first, second = data[at], data[at + 1]
        if fault := self._fault(first, second):
            raise _Last(Failure(PROTOCOL_ERROR, fault))
        whole = _WHOLE_TEXT <= first <= _WHOLE_BINARY
        # Not 1009: the message may be small. 1008 is for what the protocol allows and this server does not.
        if not (first & _CONTROL or whole) and self._parts >= self._max_parts:
            raise _Last(Failure(POLICY_VIOLATION, "too many fragments"))
        start, length = at + 6, second & 0x7F
        if length > 125:
            start += 2 if length == 126 else 8
            if len(data) < start - 4:
                return start - 4
            length = int.from_bytes(data[at + 2 : start - 4])
            # 5.2: "the minimal number of bytes MUST be used to encode the length", "the most significant bit MUST be 0"
            if length < (126 if start == at + 8 else 0x10000) or length >> 63:
                raise _Last(Failure(PROTOCOL_ERROR, "illegal form of a length"))
        if not first & _CONTROL and self._size + length > self._max_message:
            raise _Last(Failure(TOO_BIG, "message too big"))
        end = start + length
        if end > len(data):
            return end
        payload = _unmask(data, start, length)
        if whole:
            events.append(payload.decode() if first == _WHOLE_TEXT else payload)
        elif first & _CONTROL:
            self._read_control(first & 0x0F, payload, events)
        else:
            self._read_fragment(first, payload, events)
        return end

    def _fault(self, first: int, second: int) -> str | None:
        opcode = first & 0x0F
        if first & _RESERVED:  # 5.2: "MUST be 0 unless an extension is negotiated"
            return "reserved bit without an extension"
        if opcode not in _OPCODES:  # 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail"
            return "unknown opcode"
        if not second & _MASKED:  # 5.1: "MUST close the connection upon receiving a frame that is not masked"
            return "frame that is not masked"
        if opcode & _CONTROL:
            # 5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented."
            return None if first & _FINAL and second & 0x7F <= 125 else "long or fragmented control frame"
        if opcode == CONTINUATION:
            return None if self._parts else "continuation of nothing"
        # 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another message"
        return "message inside a fragmented message" if self._parts else None

    def _read_control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        if opcode == PING:
            events.append(Ping(payload))
        elif opcode == PONG:
            events.append(Pong(payload))
        elif not payload:
            raise _Last(Close(None, ""))
        else:
            # 7.4: what may be sent; 5.5.1: "If there is a body, the first two bytes of the body MUST be" a code.
            code = int.from_bytes(payload[:2])
            if len(payload) == 1 or code in _NEVER_SENT or not (1000 <= code <= 1014 or 3000 <= code <= 4999):
                raise _Last(Failure(PROTOCOL_ERROR, "illegal close code"))
            raise _Last(Close(code, payload[2:].decode()))

    def _read_fragment(self, first: int, payload: bytes, events: list[Event]) -> None:
        if not self._parts:
            self._decoder = _decoder() if first == TEXT else None
        final = first & _FINAL > 0
        self._pieces.append(payload if self._decoder is None else self._decoder.decode(payload, final))
        self._parts, self._size = self._parts + 1, self._size + len(payload)
        if final:
            events.append((b"" if self._decoder is None else "").join(self._pieces))
            self._parts, self._size, self._pieces, self._decoder = 0, 0, [], None

    def _end(self, event: Close | Failure) -> Close | Failure:
        self._over = True
        self._rest = self._decoder = None
        self._parts = self._size = 0
        self._pieces = []
        return event
