"""WebSocket frames."""

from __future__ import annotations

from tests.hostile.case import (
    JOINED,
    OPENED,
    Act,
    Case,
    Dribble,
    Endless,
    Ends,
    Expected,
    Lives,
    Step,
    Until,
    closes,
    frame,
    get,
    upgrade,
)

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
WRONG = closes(1002)
NOT_TEXT = closes(1007)
TOO_BIG = closes(1009)
LIVES = Lives()

EVENT = b'42["echo",1]'
MIDDLE = frame(b"", CONTINUATION, fin=False)


def joined(name: str, *steps: Step, expected: Expected = WRONG) -> Case:
    """A client that has joined says this."""
    return Case(name, (*JOINED, *steps), expected)


def closing(name: str, payload: bytes, *codes: int) -> Case:
    """A client that has joined closes with this payload."""
    return joined(name, frame(payload, CLOSE), expected=closes(*codes))


def code(number: int) -> bytes:
    """Make the payload of a close frame."""
    return number.to_bytes(2, "big")


FORM = [
    joined("unmasked text", frame(EVENT, masked=False)),
    joined("unmasked ping", frame(b"", PING, masked=False)),
    joined("unmasked close", frame(code(1000), CLOSE, masked=False)),
    joined("RSV 1", frame(EVENT, rsv=4)),
    joined("RSV 2", frame(EVENT, rsv=2)),
    joined("RSV 3", frame(EVENT, rsv=1)),
    joined("all RSV", frame(EVENT, rsv=7)),
    joined("RSV in a ping", frame(b"", PING, rsv=4)),
    joined("RSV in a continuation", frame(b"4", fin=False), frame(b"2", CONTINUATION, rsv=4)),
    *[joined(f"opcode {number}", frame(EVENT, number)) for number in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    joined("nothing but ones", b"\xff" * 64),
    joined("zeros", bytes(64)),
    joined("HTTP", get()),
    joined("CRLF", b"\r\n\r\n"),
    joined("length of 5 in 2 bytes", frame(b"4hell", form=2)),
    joined("length of 5 in 8 bytes", frame(b"4hell", form=8)),
    joined("length of 300 in 8 bytes", frame(b"4" * 300, form=8)),
    joined("ping of 126", frame(b"p" * 126, PING)),
    joined("ping of 64 kB", frame(b"p" * 65_536, PING)),
    joined("close of 126", frame(code(1000) + b"r" * 124, CLOSE)),
    joined("ping in fragments", frame(b"a", PING, fin=False), frame(b"b", CONTINUATION)),
    joined("close in fragments", frame(code(1000), CLOSE, fin=False)),
    joined("continuation of nothing", frame(EVENT, CONTINUATION)),
    joined("continuation of nothing, not the last", frame(EVENT, CONTINUATION, fin=False)),
    joined("text in fragments of text", frame(b"4", fin=False), frame(EVENT)),
    joined("bytes in fragments of text", frame(b"4", fin=False), frame(b"x", BINARY)),
    joined(
        "continuation behind the last", frame(b"42", fin=False), frame(b'["x"]', CONTINUATION), frame(b"", CONTINUATION)
    ),
    Case(
        "a deflated frame although none was agreed",
        (
            upgrade(b"Sec-WebSocket-Extensions: permessage-deflate"),
            Until(b"\r\n\r\n"),
            frame(bytes.fromhex("32310100"), rsv=4),
        ),
        WRONG,
    ),
]

SIZES = [
    joined("length 2^63", frame(b"x", length=2**63), expected=closes(1002, 1009)),
    joined("length 2^64 - 1", frame(b"x", length=2**64 - 1), expected=closes(1002, 1009)),
    joined("length 2^63 - 1", frame(b"x", length=2**63 - 1), expected=TOO_BIG),
    joined("length 2^62, bytes", frame(b"x", BINARY, length=2**62), expected=TOO_BIG),
    joined("length 2 GB", frame(b"x", length=2**31), expected=TOO_BIG),
    joined("length 1,000,001", frame(b"x", length=1_000_001), expected=TOO_BIG),
    joined("1,000,001 of them", frame(b"4" * 1_000_001), expected=TOO_BIG),
    joined(
        "length 2 GB, and more and more",
        frame(b"x", length=2**31),
        Endless(b"x" * 65_536, 50_000_000),
        expected=TOO_BIG,
    ),
    joined("length 2 GB of a ping", frame(b"x", PING, length=2**31), expected=closes(1002, 1009)),
    joined("length 2 GB of an unknown opcode", frame(b"x", 5, length=2**31), expected=closes(1002, 1009)),
    joined(
        "two halves that are too big",
        frame(b"4" * 600_000, fin=False),
        frame(b"x" * 600_000, CONTINUATION),
        expected=TOO_BIG,
    ),
    joined(
        "a small one and 2^63 - 1",
        frame(b"4", fin=False),
        frame(b"x", CONTINUATION, length=2**63 - 1),
        expected=TOO_BIG,
    ),
    joined(
        "fragments without an end",
        frame(b"4", fin=False),
        Endless(frame(b"x" * 65_536, CONTINUATION, fin=False), 50_000_000),
        expected=TOO_BIG,
    ),
    joined(
        "bytes in fragments without an end",
        frame(b"4", BINARY, fin=False),
        Endless(frame(b"x" * 65_536, CONTINUATION, fin=False), 50_000_000),
        expected=TOO_BIG,
    ),
    # They cost nothing but time; a server may put an end to it, or read on.
    joined(
        "1000 empty fragments", frame(b"427", fin=False), MIDDLE * 1_000, frame(b'["x"]', CONTINUATION), expected=LIVES
    ),
    joined(
        "empty fragments without an end",
        frame(b"4", fin=False),
        Endless(MIDDLE * 4_096),
        expected=closes(1002, 1008, 1009),
    ),
    joined("an event byte by byte", Dribble(frame(EVENT)), expected=LIVES),
    joined("2000 events in one segment", frame(b'42["unknown"]') * 2_000, expected=LIVES),
]

CHARACTERS = {
    "a lone continuation byte": b"\x80",
    "a character cut short": b"\xe2\x82",
    "overlong": b"\xc0\xaf",
    "overlong NUL": b"\xe0\x80\x80",
    "a surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "FF": b"\xff",
}

UNICODE = [
    *[joined(f"text with {name}", frame(b'42["' + wrong), expected=NOT_TEXT) for name, wrong in CHARACTERS.items()],
    joined("wrong text in fragments", frame(b'42["\xe2', fin=False), frame(b'\x28"]', CONTINUATION), expected=NOT_TEXT),
    joined(
        "text cut short in the last fragment",
        frame(b'42["x"]', fin=False),
        frame(b"\xe2\x82", CONTINUATION),
        expected=NOT_TEXT,
    ),
    joined(
        "a character in three fragments",
        frame(b'42["\xe2', fin=False),
        frame(b"\x82", CONTINUATION, fin=False),
        frame(b'\xac"]', CONTINUATION),
        expected=LIVES,
    ),
    joined("wrong text before it is whole", frame(b"4\xff", length=100) + b"x" * 98, expected=NOT_TEXT),
    joined("a megabyte of wrong text", frame(b"4" + b"\xff" * 900_000), expected=NOT_TEXT),
]

ENDS = [
    *[
        closing(f"close code {number}", code(number), 1002)
        for number in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
    ],
    closing("close with one byte", b"\x03", 1002),
    closing("close with a reason in 8 bits", code(1000) + b"\xff", 1002, 1007),
    joined("close with nothing", frame(b"", CLOSE), expected=closes(1000, 1005)),
    closing("close code 1000", code(1000), 1000),
    closing("close code 4001", code(4001) + b"bye", 4001),
    closing("close with a reason of 123", code(1000) + b"r" * 123, 1000),
    joined("data behind a close", frame(code(1000), CLOSE), frame(EVENT), frame(b"2"), expected=closes(1000)),
    joined("noise behind a close", frame(code(1000), CLOSE) + b"\xff" * 10_000, expected=closes(1000)),
    joined("close twice", frame(code(1000), CLOSE) * 2, expected=closes(1000)),
    joined("close amid fragments", frame(b"4", fin=False), frame(code(1000), CLOSE), expected=closes(1000)),
    joined("a megabyte behind a close", frame(code(1000), CLOSE), Endless(b"x" * 65_536), expected=closes(1000)),
    joined("half a head, FIN", frame(EVENT)[:1], Act.FIN, expected=closes(bare=True)),
    joined("half a length, FIN", frame(b"x", length=70_000)[:5], Act.FIN, expected=closes(bare=True)),
    joined("half a mask, FIN", frame(EVENT)[:4], Act.FIN, expected=closes(bare=True)),
    joined("half a frame, FIN", frame(EVENT)[:10], Act.FIN, expected=closes(bare=True)),
    joined("half a frame, RST", frame(EVENT)[:10], Act.RST, expected=Ends()),
    joined("half a message, FIN", frame(EVENT, fin=False), Act.FIN, expected=closes(bare=True)),
    joined("half a message, RST", frame(EVENT, fin=False), Act.RST, expected=Ends()),
    joined("an event, RST", frame(EVENT), Act.RST, expected=Ends()),
    joined("2000 events and RST", frame(EVENT) * 2_000, Act.RST, expected=Ends()),
    joined("nothing, FIN", Act.FIN, expected=closes(bare=True)),
    joined("nothing, RST", Act.RST, expected=Ends()),
    Case("opened, RST", (*OPENED, Act.RST), Ends()),
    Case("opened, FIN", (*OPENED, Act.FIN), closes(bare=True)),
]

FLOODS = [
    joined("10,000 pings", frame(b"", PING) * 10_000, expected=LIVES),
    joined("10,000 pings of 125", frame(b"p" * 125, PING) * 10_000, expected=LIVES),
    joined("5000 pongs", frame(b"p", PONG) * 5_000, expected=LIVES),
    joined(
        "pings amid fragments",
        frame(b"42", fin=False),
        frame(b"", PING) * 100,
        frame(b'["x"]', CONTINUATION),
        expected=LIVES,
    ),
    joined("10,000 pings, RST", frame(b"p" * 125, PING) * 10_000, Act.RST, expected=Ends()),
    joined(
        "2000 messages in fragments",
        (frame(b"42", fin=False) + frame(b'["x"]', CONTINUATION)) * 2_000,
        expected=LIVES,
    ),
]

CASES = [*FORM, *SIZES, *UNICODE, *ENDS, *FLOODS]
