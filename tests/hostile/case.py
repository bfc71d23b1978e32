"""What a case is: steps that a client takes on one connection, and what a correct server does about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import TypeAlias

SID = b"@SID@"
"""Stands in a step for the sid of the session that OPEN_POLLING opened."""

SYNTAX = (400,)


class Act(Enum):
    """What a client does without saying anything."""

    FIN = auto()
    """Ends its direction; reads on."""
    RST = auto()
    """Resets the connection."""
    DEAF = auto()
    """Reads nothing any more, until all steps are taken."""
    OPEN_POLLING = auto()
    """Opens a long-polling session, by a connection of its own."""
    OPEN_OLD_POLLING = auto()
    """The same, of Engine.IO 3."""


@dataclass(frozen=True)
class Until:
    """Waits until the server has sent these bytes."""

    sent: bytes


@dataclass(frozen=True)
class Aside:
    """Sends a request by a connection of its own, and waits for its answer."""

    request: bytes


@dataclass(frozen=True)
class Endless:
    """Sends a chunk again and again, until the server answers or ends the connection; that must come within ``most`` bytes."""

    chunk: bytes
    most: int = 4_000_000


@dataclass(frozen=True)
class Dribble:
    """Sends bytes one by one."""

    sent: bytes


Step: TypeAlias = bytes | Act | Until | Aside | Endless | Dribble


@dataclass(frozen=True)
class Answers:
    """HTTP responses, no less and no more.

    Args:
        each: of each response in order, the statuses that are right.
        ends: the server then ends the connection by itself.
        or_none: it may also end the connection without an answer.
        bodiless: it answers HEAD.
        holds: what stands in the responses.
        lacks: what doesn't.
        perhaps: of one more response at the end, the statuses that are right.
    """

    each: tuple[frozenset[int], ...]
    ends: bool = False
    or_none: bool = False
    bodiless: bool = False
    holds: bytes = b""
    lacks: bytes | None = None
    perhaps: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Closes:
    """The server closes the WebSocket: a close frame with one of these codes (``None``: with any), then the end of TCP.

    Args:
        codes: the codes that are right.
        bare: TCP may end without a close frame.
    """

    codes: frozenset[int] | None = None
    bare: bool = False


@dataclass(frozen=True)
class Lives:
    """The WebSocket and its session go on: an event is echoed."""


@dataclass(frozen=True)
class Ends:
    """The client is gone: nothing is owed to it but the end."""


Expected: TypeAlias = Answers | Closes | Lives | Ends


@dataclass(frozen=True)
class Case:
    """One nasty client."""

    name: str
    steps: tuple[Step, ...]
    expected: Expected


# How to expect


def answered(*statuses: int, **options) -> Answers:
    """One response."""
    return Answers((frozenset(statuses),), **options)


refused = partial(answered, ends=True)
"""One response, and then the end of the connection: nothing behind it is read as a request."""

dropped = partial(answered, ends=True, or_none=True)
"""As ``refused``; the connection may also just end."""


def series(*statuses: int, **options) -> Answers:
    """Several responses in order."""
    return Answers(tuple(frozenset({status}) for status in statuses), **options)


def closes(*codes: int, bare: bool = False) -> Closes:
    """A close frame with one of these codes; without codes: any."""
    return Closes(frozenset(codes) if codes else None, bare)


# How to say HTTP

POLLING = b"/socket.io/?EIO=4&transport=polling"
SESSION = POLLING + b"&sid=" + SID
WEBSOCKET = b"/socket.io/?EIO=4&transport=websocket"
OLD_POLLING, OLD_SESSION, OLD_WEBSOCKET = (target.replace(b"4", b"3") for target in (POLLING, SESSION, WEBSOCKET))
HOST = b"Host: x"
CHUNKED = b"Transfer-Encoding: chunked"


def head(*lines: bytes) -> bytes:
    """A head of these lines, the request line first."""
    return b"\r\n".join([*lines, b"", b""])


def get(*fields: bytes, target: bytes = POLLING) -> bytes:
    """A GET with a Host and these fields."""
    return head(b"GET " + target + b" HTTP/1.1", HOST, *fields)


def post(*fields: bytes, target: bytes = SESSION) -> bytes:
    """The head of a POST with a Host and these fields."""
    return head(b"POST " + target + b" HTTP/1.1", HOST, *fields)


def posted(body: bytes, *fields: bytes, target: bytes = SESSION) -> bytes:
    """A POST as it should be."""
    return post(b"Content-Length: %d" % len(body), *fields, target=target) + body


def upgrade(*fields: bytes, target: bytes = WEBSOCKET, **standard: bytes | None) -> bytes:
    """A request for a WebSocket; the standard fields can be changed, and left out with ``None``.

    Args:
        fields: more fields.
        target: of the request.
        standard: ``connection``, ``upgrade``, ``version``, ``key``, ``line`` (the request line).
    """
    names = {
        "connection": b"Connection",
        "upgrade": b"Upgrade",
        "version": b"Sec-WebSocket-Version",
        "key": b"Sec-WebSocket-Key",
    }
    values: dict[str, bytes | None] = {
        "connection": b"Upgrade",
        "upgrade": b"websocket",
        "version": b"13",
        "key": b"dGhlIHNhbXBsZSBub25jZQ==",
    }
    line = standard.pop("line", None) or b"GET " + target + b" HTTP/1.1"
    values |= standard
    given = [names[name] + b": " + value for name, value in values.items() if value is not None]
    return head(line, HOST, *given, *fields)


# How to say WebSocket

MASK = b"\x1d\x2e\x3f\x40"


def frame(
    payload: bytes = b"",
    opcode: int = 1,
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    length: int | None = None,
    form: int | None = None,
) -> bytes:
    """A client's frame.

    Args:
        payload: what is sent, masked.
        opcode: 1 for text.
        fin: it is the last of its message.
        rsv: the three reserved bits.
        masked: as a client's must be.
        length: what is announced instead of the payload's own length.
        form: bytes that the length takes in any case: 0, 2 or 8.
    """
    length = len(payload) if length is None else length
    if form is None:
        form = 0 if length < 126 else 2 if length < 2**16 else 8
    short = {0: length, 2: 126, 8: 127}[form]
    start = bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | short])
    start += length.to_bytes(form, "big") if form else b""
    if not masked:
        return start + payload
    repeated = MASK * (len(payload) // 4 + 1)
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[: len(payload)], "big")
    return start + MASK + mixed.to_bytes(len(payload), "big")


ALIVE = frame(b'427["echo","alive"]')
ALIVE_ANSWER = '437["alive"]'

OPENED: tuple[Step, ...] = (upgrade(), Until(b'"maxPayload"'))
"""A WebSocket that has been told of its session."""

JOINED: tuple[Step, ...] = (*OPENED, frame(b"40"), Until(b'40{"sid"'))
"""A WebSocket whose client has joined the namespace."""
