"""Engine.IO 3 and Socket.IO 2: payloads of both kinds, and messages that only clients of these send."""

from __future__ import annotations

from tests.hostile.case import (
    OLD_POLLING,
    OLD_SESSION,
    OLD_WEBSOCKET,
    Act,
    Aside,
    Case,
    Ends,
    Expected,
    Lives,
    Step,
    Until,
    answered,
    closes,
    dropped,
    frame,
    get,
    post,
    posted,
    upgrade,
)

CLOSED = closes()
LIVES = Lives()
OCTETS = b"Content-Type: application/octet-stream"
FACE = "\U0001f600".encode()
PLACEHOLDER = b'{"_placeholder":true,"num":0}'

JOINED: tuple[Step, ...] = (upgrade(target=OLD_WEBSOCKET), Until(b"\x81\x0240"))
"""A WebSocket whose client has been told that it has joined."""


def says(name: str, *messages: bytes | tuple[bytes], expected: Expected = CLOSED) -> Case:
    """A client sends these texts; what stands in a tuple is binary."""
    frames = [frame(*message, 2) if isinstance(message, tuple) else frame(message) for message in messages]
    return Case(name, (*JOINED, *frames), expected)


def payload(name: str, body: bytes, *statuses: int) -> Case:
    """A POST of text."""
    return Case(name, (Act.OPEN_OLD_POLLING, posted(body, target=OLD_SESSION)), answered(*statuses or (400,)))


def octets(name: str, body: bytes, *statuses: int) -> Case:
    """A POST of bytes."""
    return Case(name, (Act.OPEN_OLD_POLLING, posted(body, OCTETS, target=OLD_SESSION)), answered(*statuses or (400,)))


TEXT = [
    payload("an empty text", b""),
    payload("a text without lengths", b"4hello"),
    payload("a text of revision 4", b"4hello\x1e4hello"),
    payload("a length of nothing", b":4hello"),
    payload("a length of 0", b"0:" * 1_000),
    payload("a length of -1", b"-1:4hello"),
    payload("a length of 1e3", b"1e3:4hello"),
    payload("a length in Arabic digits", "\u0666:4hello".encode()),
    payload("a length with zeros in front", b"0" * 900_000 + b"6:4hello"),
    payload("a length of 900,000 digits", b"9" * 900_000 + b":4"),
    payload("a length beyond all", b"9999999999:4hello"),
    payload("a length that is too long by one", b"7:4hello"),
    payload("a length that is too short by one", b"5:4hello"),
    payload("a length in bytes", b"8:4\xe2\x82\xac\xe2\x82\xac"),
    payload("a length that cuts a surrogate pair", b"2:4" + FACE),
    payload("faces by the hundred thousand", b'240016:42["unknown","' + FACE * 120_000 + b'"]', 200),
    payload("a length of them that is too long", b"999999:4" + FACE * 120_000),
    payload("a text in 8 bits", b"2:4\xff"),
    payload("1000 packets of 3", b"1:2" * 1_000, 200),
    payload("1001 packets of 3", b"1:2" * 1_001),
    payload("330,000 packets of 3", b"1:2" * 330_000),
    payload("a PONG of the client", b"1:3"),
    payload("base64 without its type", b"7:bAQIDBA"),
    payload("base64 of a PING", b"6:b2AQID"),
    payload("base64 with noise of 3", b"6:b4!!!!"),
    payload("bytes in a text", b"\0\6\xff4hello"),
    payload("an event for nowhere", b"14:42/nowhere,[1]"),
    payload("a payload that closes and goes on, of 3", b"1:11:2", 200, 400),
]

BYTES = [
    octets("an empty body of bytes", b""),
    octets("a text as bytes", b"6:4hello"),
    octets("bytes without a length", b"\0\xff4"),
    octets("bytes with a length of 0", b"\0\0\xff" * 1_000),
    octets("bytes with zeros in front", b"\0" * 900_000),
    octets("a length of 900,000 bytes", b"\0" + b"\x09" * 900_000),
    octets("a length of 11 bytes", b"\0" + b"\x09" * 11 + b"\xff4"),
    octets("a length without its end", b"\0\x06"),
    octets("a digit that is 10", b"\0\x0a\xff4hellohell"),
    octets("a kind of 2", b"\2\6\xff4hello"),
    octets("bytes that are too few", b"\1\7\xff\4\1\2\3"),
    octets("bytes of a PING", b"\1\1\xff\2"),
    octets("bytes of no type", b"\1\1\xff\7"),
    octets("bytes as text in 8 bits", b"\0\2\xff4\xff"),
    octets("1001 packets of bytes", b"\0\1\xff2" * 1_001),
    octets("1000 packets of bytes", b"\0\1\xff2" * 1_000, 200),
    octets("bytes that belong to nothing, of 3", b"\1\2\xff\4\1"),
    Case(
        "2 GB of bytes to come, of 3",
        (Act.OPEN_OLD_POLLING, post(OCTETS, b"Content-Length: 2000000000", target=OLD_SESSION)),
        dropped(413),
    ),
]

MESSAGES = [
    says("an empty binary message of 3", (b"",)),
    says("bytes without their type", (b"\1\2\3",)),
    says("bytes of a PING on a WebSocket", (b"\2",)),
    says("a PONG on a WebSocket", b"3"),
    says("base64 without its type on a WebSocket", b"bAQID"),
    says("base64 that is none, of 3", b"b4???"),
    says("2000 PINGs", *[b"2"] * 2_000, expected=LIVES),
    says("attachments in base64", b'451-["unknown",' + PLACEHOLDER + b"]", b"b4AQID", expected=LIVES),
    says("CONNECT to / once more", b"40"),
    says("CONNECT to / with a query", b"40/?token=1,"),
    says("CONNECT to nowhere with a query", b"40/nowhere?a=%ff%&&&=,", expected=LIVES),
    says("CONNECT with 900,000 fields", b"40/nowhere?" + b"a&" * 450_000 + b","),
    says("CONNECT with a query without an end", b"40/nowhere?" + b"a" * 900_000),
    says("CONNECT to a name of 300 with a query", b"40/" + b"n" * 300 + b"?a=1,"),
    says("500 CONNECTs with queries", *[b"40/n%d?a=1," % number for number in range(500)], expected=LIVES),
    says("an ERROR of the client", b'44"no"'),
    says("an event whose name has 300 characters, of 3", b'42["' + b"n" * 300 + b'"]'),
    says("DISCONNECT and CONNECT, again and again", *[b"41", b"40"] * 50),
    Case(
        "attachments that don't come, RST, of 3",
        (*JOINED, frame(b'451-["echo",' + PLACEHOLDER + b"]"), Act.RST),
        Ends(),
    ),
]

REQUESTS = [
    Case(
        "EIO 4 on a session of 3", (Act.OPEN_OLD_POLLING, get(target=OLD_SESSION.replace(b"3", b"4", 1))), answered(400)
    ),
    Case(
        "an upgrade of 4 to a session of 3",
        (Act.OPEN_OLD_POLLING, upgrade(target=OLD_SESSION.replace(b"3", b"4", 1).replace(b"polling", b"websocket"))),
        dropped(400),
    ),
    Case(
        "an upgrade of 3 to a session of 4",
        (Act.OPEN_POLLING, upgrade(target=OLD_SESSION.replace(b"polling", b"websocket"))),
        dropped(400),
    ),
    *[
        Case(
            f"EIO {revision.decode()}",
            (get(target=OLD_POLLING.replace(b"3", revision)),),
            answered(400, holds=b'"code":5'),
        )
        for revision in (b"", b"2", b"5", b"34", b"3.0", b"%203", b"0x3", b"%D9%A3")
    ],
    Case("b64 of nonsense", (get(target=OLD_POLLING + b"&b64=%00%ff"),), answered(200)),
    Case("JSONP of 3", (get(target=OLD_POLLING + b"&j=0%22)%3Balert(1)"),), answered(200, lacks=b"alert")),
    Case(
        "a poll of a session of 3 that is closed",
        (Act.OPEN_OLD_POLLING, Aside(posted(b"1:1", target=OLD_SESSION)), get(target=OLD_SESSION)),
        answered(400),
    ),
]

CASES = [*TEXT, *BYTES, *MESSAGES, *REQUESTS]
