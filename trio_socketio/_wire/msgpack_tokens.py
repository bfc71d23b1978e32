"""MessagePack read token by token: for the messages that msgspec must not, or can't, be given as they are.

msgspec reads nested values by recursion, so what may be too deep has to be measured first. It takes any value for a
map's key, and numbers can be chosen so that a ``dict`` of them is slow: so keys have to be looked at first. And it tells
an extension's code and length, but not how it was written; notepack.io, which the official client writes with, has

    d4 00 00            undefined
    d7 00 <8 bytes>     a Date, signed milliseconds since 1970
    c7 <length> 00 ...  an ArrayBuffer (also c8, c9), of 1 or 8 bytes too

which only the first byte keeps apart. So the first two are given codes of our own.

One pass in a loop, with a stack of at most ``deepest`` entries: linear, whatever the message holds.
"""

from __future__ import annotations

from trio_socketio._exceptions import RemoteProtocolError

UNDEFINED = 0x7E
DATE = 0x7F
"""The codes of our own. A peer that sends them itself gets what they stand for: no harm."""

# Bytes of a whole token that holds no others, by its first byte; 0: it has to be looked at.
_LENGTHS = bytearray(256)
_LENGTHS[0x00:0x80] = bytes([1]) * 0x80
_LENGTHS[0xA0:0xC0] = bytes(range(1, 0x21))
_LENGTHS[0xE0:0x100] = bytes([1]) * 0x20
_LENGTHS[0xC0] = _LENGTHS[0xC2] = _LENGTHS[0xC3] = 1
_LENGTHS[0xCA:0xD4] = bytes([5, 9, 2, 3, 5, 9, 2, 3, 5, 9])
_LENGTHS[0xD5], _LENGTHS[0xD6], _LENGTHS[0xD8] = 4, 6, 18
_TEXT = frozenset({*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB})
# First byte: bytes of the whole token, and the code that stands for it.
_OWN = {0xD4: (3, UNDEFINED), 0xD7: (10, DATE)}
# First byte: bytes of the number that follows, and of a code after it.
_BLOBS = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1), 0xD9: (1, 0)}
_BLOBS |= {0xDA: (2, 0), 0xDB: (4, 0)}
# First byte: bytes of the number that follows, and tokens for each that it counts.
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def recoded(message: bytes, deepest: int) -> bytes:
    """Check a message's form, and give the extensions that msgspec can't tell apart codes of our own.

    Args:
        message: what should be one MessagePack value.
        deepest: arrays and maps that may stand in each other.

    Raises:
        RemoteProtocolError: it is not one whole value, is nested more deeply, or a map's key is not text.
    """
    codes: list[tuple[int, int]] = []
    try:
        end = _walk(message, deepest, codes)
    except IndexError as error:
        raise RemoteProtocolError("MessagePack ends too early") from error
    if end != len(message):
        raise RemoteProtocolError("MessagePack ends too early, or not where the message does")
    if not codes:
        return message
    changed = bytearray(message)
    for place, code in codes:
        changed[place] = code
    return bytes(changed)


def _walk(message: bytes, deepest: int, codes: list[tuple[int, int]]) -> int:
    """Return where the value ends; ``codes`` gets the places that are to be changed."""
    lengths, at, wanted, keyed = _LENGTHS, 0, 1, False
    outer: list[tuple[int, bool]] = []  # for each open container: what is still to come around it, and if that is a map
    while True:
        first = message[at]
        # In a map a key is next when an even number of tokens is still to come.
        if keyed and not wanted & 1 and first not in _TEXT:
            raise RemoteProtocolError("key of a map that is not text")
        wanted -= 1
        if length := lengths[first]:
            at += length
        else:
            at, inside = _look(message, at, codes)
            if inside is not None:
                if len(outer) == deepest:
                    raise RemoteProtocolError("MessagePack is nested too deeply")
                outer.append((wanted, keyed))
                wanted, keyed = inside, first < 0x90 or first >= 0xDE
        while not wanted:
            if not outer:
                return at
            wanted, keyed = outer.pop()


def _look(message: bytes, at: int, codes: list[tuple[int, int]]) -> tuple[int, int | None]:
    """Return where the next token begins, and how many are inside if this one is a container."""
    first = message[at]
    if first < 0x90:
        return at + 1, (first & 0x0F) * 2
    if first < 0xA0:
        return at + 1, first & 0x0F
    if first in _OWN:
        length, code = _OWN[first]
        if message[at + 1] == 0:
            codes.append((at + 1, code))
        return at + length, None
    if first in _BLOBS:
        width, code = _BLOBS[first]
        at += 1 + width
        return at + code + int.from_bytes(message[at - width : at]), None
    if first in _CONTAINERS:
        width, each = _CONTAINERS[first]
        at += 1 + width
        return at, each * int.from_bytes(message[at - width : at])
    raise RemoteProtocolError("not MessagePack")
