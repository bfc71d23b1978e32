"""Requests to change the protocol."""

from __future__ import annotations

from tests.hostile.case import (
    CHUNKED,
    OPENED,
    POLLING,
    SESSION,
    WEBSOCKET,
    Act,
    Case,
    Ends,
    Expected,
    Lives,
    Until,
    answered,
    closes,
    dropped,
    frame,
    get,
    refused,
    upgrade,
)

FINE = answered(101, lacks=b"Sec-WebSocket-Extensions")
FINE_OR_REFUSED = answered(101, 400, lacks=b"Sec-WebSocket-Extensions")
BAD = answered(400)
ON_SESSION = SESSION.replace(b"polling", b"websocket")
NOBODY = WEBSOCKET + b"&sid=nobody"


def extension(name: str, offer: bytes, expected: Expected = FINE_OR_REFUSED) -> Case:
    """A request that offers an extension; none is supported, so none is ever accepted."""
    return Case(f"extension {name}", (upgrade(b"Sec-WebSocket-Extensions: " + offer),), expected)


def protocol(name: str, offer: bytes, expected: Expected = FINE_OR_REFUSED) -> Case:
    """A request that offers subprotocols."""
    return Case(f"subprotocol {name}", (upgrade(b"Sec-WebSocket-Protocol: " + offer),), expected)


KEYS = [
    Case("no key", (upgrade(key=None),), BAD),
    Case("empty key", (upgrade(key=b""),), BAD),
    Case("short key", (upgrade(key=b"AAAA"),), BAD),
    Case("long key", (upgrade(key=b"A" * 43 + b"="),), BAD),
    Case("key of 7 kB", (upgrade(key=b"A" * 7_000),), BAD),
    Case("key that is not base64", (upgrade(key=b"!" * 22 + b"=="),), BAD),
    Case("key in 8 bits", (upgrade(key=b"\xff" * 22 + b"=="),), BAD),
    Case("two keys", (upgrade(b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),), BAD),
]

VERSIONS = [
    Case("version 8", (upgrade(version=b"8"),), answered(426, holds=b"13")),
    Case("version 0", (upgrade(version=b"0"),), answered(426, 400)),
    Case("version 14", (upgrade(version=b"14"),), answered(426, 400)),
    Case("version 013", (upgrade(version=b"013"),), answered(426, 400)),
    Case("version 13, 8", (upgrade(version=b"13, 8"),), answered(426, 400)),
    Case("version of words", (upgrade(version=b"\xff"),), answered(426, 400)),
    Case("no version", (upgrade(version=None),), answered(426, 400)),
    Case("two versions", (upgrade(b"Sec-WebSocket-Version: 8"),), answered(426, 400)),
]

REQUESTS = [
    Case("by POST", (upgrade(line=b"POST " + WEBSOCKET + b" HTTP/1.1"),), answered(400, 405)),
    Case("by HEAD", (upgrade(line=b"HEAD " + WEBSOCKET + b" HTTP/1.1"),), answered(400, 405, bodiless=True)),
    # RFC 9110, 7.8: Upgrade in HTTP/1.0 must be ignored.
    Case("in HTTP/1.0", (upgrade(line=b"GET " + WEBSOCKET + b" HTTP/1.0"),), answered(400, 426, 505)),
    Case("without Connection", (upgrade(connection=None),), BAD),
    Case("Connection close", (upgrade(connection=b"close"),), BAD),
    Case("Connection in 8 bits", (upgrade(connection=b"upgr\xe4de"),), BAD),
    Case("without Upgrade", (upgrade(upgrade=None),), BAD),
    Case("Upgrade in 8 bits", (upgrade(upgrade=b"webs\xf6cket"),), BAD),
    Case("Upgrade websockets", (upgrade(upgrade=b"websockets"),), BAD),
    Case("Upgrade of a list", (upgrade(upgrade=b"h2c, websocket, foo/2"),), answered(101, 400)),
    Case("in capitals", (upgrade(upgrade=b"WEBSOCKET", connection=b"KEEP-ALIVE,UPGRADE"),), FINE),
    Case("with a body", (upgrade(b"Content-Length: 4") + b"test",), dropped(400)),
    Case(
        "with a body, on a session",
        (Act.OPEN_POLLING, upgrade(b"Content-Length: 4", target=ON_SESSION) + b"test"),
        dropped(400),
    ),
    Case("with a body of frames", (upgrade(b"Content-Length: 8") + frame(b"40"),), dropped(400)),
    Case("with a body to come", (upgrade(b"Content-Length: 4"), Act.FIN), dropped(400, 408)),
    Case("with a body of length 0", (upgrade(b"Content-Length: 0"),), FINE_OR_REFUSED),
    Case("with a bad length", (upgrade(b"Content-Length: x"),), refused(400)),
    Case("with chunks", (upgrade(CHUNKED) + b"4\r\ntest\r\n0\r\n\r\n",), dropped(400)),
    Case("with no chunks", (upgrade(CHUNKED) + b"0\r\n\r\n",), dropped(400)),
    Case("with noise behind", (upgrade() + b"test",), answered(101, 400)),
    Case("with a frame behind", (upgrade() + frame(b"40"),), answered(101, 400)),
    Case(
        "with frames behind, then an end", (upgrade() + frame(b"40") * 50 + frame(b"\x03\xe8", 8),), answered(101, 400)
    ),
    Case("with a request behind", (upgrade() + get(),), answered(101, 400)),
    Case("with Expect", (upgrade(b"Expect: 100-continue"),), answered(101, 400)),
    Case("with FIN behind", (upgrade(), Act.FIN), answered(101)),
    Case("with RST behind", (upgrade(), Act.RST), Ends()),
    Case("200 fields", (upgrade(*[b"X-A: 1"] * 200),), refused(431)),
    Case("of a field of 17 kB", (upgrade(b"X-A: " + b"a" * 17_000),), refused(431)),
    Case("a cookie in 8 bits", (upgrade(b"Cookie: \xff"),), answered(101, 400)),
    Case("any field in 8 bits", (upgrade(b"X-A: \xff\xfe"),), answered(101, 400)),
    Case("a name in 8 bits", (upgrade(b"X-\xff: 1"),), refused(400)),
    Case("Origin in 8 bits", (upgrade(b"Origin: http://\xff"),), answered(400, 403)),
    Case("Origin of elsewhere", (upgrade(b"Origin: http://evil.example"),), answered(403)),
    Case("Host in 8 bits", (upgrade(b"Host: \xff"),), refused(400)),
]

PROTOCOLS = [
    Case(
        "h2c",
        (get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),),
        answered(200),
    ),
    Case(
        "h2c with bad settings",
        (get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: \xff!"),),
        answered(200),
    ),
    Case(
        "h2c elsewhere, RST",
        (
            get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", target=b"/other"),
            Act.RST,
        ),
        Ends(),
    ),
    Case("Upgrade foo", (get(b"Connection: Upgrade", b"Upgrade: foo"),), answered(200)),
    Case("Upgrade foo elsewhere", (get(b"Connection: Upgrade", b"Upgrade: foo", target=b"/other"),), answered(404)),
    Case(
        "Upgrade foo elsewhere, RST", (get(b"Connection: Upgrade", b"Upgrade: foo", target=b"/other"), Act.RST), Ends()
    ),
    Case("Upgrade TLS", (get(b"Connection: Upgrade", b"Upgrade: TLS/1.2, HTTP/1.1"),), answered(200)),
    Case("Upgrade of 8 kB of commas", (get(b"Connection: Upgrade", b"Upgrade: " + b"," * 8_000),), answered(200, 400)),
    Case("WebSocket elsewhere", (upgrade(target=b"/other"),), answered(403, 404, 400)),
    Case("WebSocket elsewhere, RST", (upgrade(target=b"/other"), Act.RST), Ends()),
    Case(
        "WebSocket elsewhere, subprotocol in 8 bits",
        (upgrade(b"Sec-WebSocket-Protocol: \xff", target=b"/other"),),
        answered(403, 404, 400),
    ),
    Case(
        "two upgrades in a row",
        (upgrade(target=b"/other") + upgrade(target=b"/other"),),
        dropped(403, 404, 400, perhaps=frozenset({400, 403, 404})),
    ),
    protocol("in 8 bits", b"\xff"),
    protocol("of UTF-8", "käse".encode()),
    protocol("of nothing", b""),
    protocol("of commas", b",,,, ,"),
    protocol("of 7 kB of spaces", b"a" + b" " * 7_000 + b"b"),
    protocol("of 7 kB of commas", b"a" + b"," * 7_000 + b"b"),
    protocol("of 2000", b"a," * 2_000 + b"b"),
    protocol("with quotes", b'"a, b'),
    protocol("constructor", b"constructor"),
    extension("in 8 bits", b"\xff"),
    extension("of nothing", b""),
    extension("constructor", b"constructor, __proto__"),
    extension("deflate", b"permessage-deflate; client_max_window_bits", FINE),
    extension("deflate with bits of words", b"permessage-deflate; server_max_window_bits=abc"),
    extension("deflate with client bits of words", b"permessage-deflate; client_max_window_bits=\xff"),
    extension("deflate with bits without a value", b"permessage-deflate; server_max_window_bits"),
    extension("deflate with 7 bits", b"permessage-deflate; client_max_window_bits=7"),
    extension("deflate with 99 bits", b"permessage-deflate; server_max_window_bits=99"),
    extension("deflate with -15 bits", b"permessage-deflate; server_max_window_bits=-15"),
    extension("deflate with 10^5000 bits", b"permessage-deflate; server_max_window_bits=1" + b"0" * 5_000),
    extension("deflate with bits twice", b"permessage-deflate; server_max_window_bits=9; server_max_window_bits=10"),
    extension("deflate with nonsense", b'permessage-deflate; =; ; nonsense="; ,;,'),
    extension("deflate 400 times", b", ".join([b"permessage-deflate; x=1"] * 400)),
    extension("of quotes", b'a; b="c\\"; d, e'),
    extension("of 7 kB of semicolons", b"a" + b";" * 7_000),
]

QUERIES = [
    Case("unknown sid", (upgrade(target=NOBODY),), BAD),
    Case("sid __proto__", (upgrade(target=WEBSOCKET + b"&sid=__proto__"),), BAD),
    Case("transport __proto__", (upgrade(target=WEBSOCKET.replace(b"websocket", b"__proto__")),), BAD),
    Case("transport polling", (upgrade(target=POLLING),), answered(101, 400)),
    Case("EIO 5", (upgrade(target=WEBSOCKET.replace(b"4", b"5")),), BAD),
    Case("no EIO", (upgrade(target=b"/socket.io/?transport=websocket"),), BAD),
    Case("EIO 3 on a session", (Act.OPEN_POLLING, upgrade(target=ON_SESSION.replace(b"EIO=4", b"EIO=3"))), BAD),
    Case(
        "a probe that is none",
        (Act.OPEN_POLLING, upgrade(target=ON_SESSION), Until(b"\r\n\r\n"), frame(b"2nonsense")),
        closes(bare=True),
    ),
    Case(
        "a message for a probe",
        (Act.OPEN_POLLING, upgrade(target=ON_SESSION), Until(b"\r\n\r\n"), frame(b"40")),
        closes(bare=True),
    ),
    Case(
        "bytes for a probe",
        (Act.OPEN_POLLING, upgrade(target=ON_SESSION), Until(b"\r\n\r\n"), frame(b"\0", 2)),
        closes(bare=True),
    ),
    Case(
        "a probe and RST",
        (Act.OPEN_POLLING, upgrade(target=ON_SESSION), Until(b"\r\n\r\n"), frame(b"2probe"), Until(b"3probe"), Act.RST),
        Ends(),
    ),
    Case(
        "a probe and noise",
        (
            Act.OPEN_POLLING,
            upgrade(target=ON_SESSION),
            Until(b"\r\n\r\n"),
            frame(b"2probe"),
            Until(b"3probe"),
            b"\xff" * 99,
        ),
        closes(1002),
    ),
    Case(
        "a probe and no upgrade",
        (
            Act.OPEN_POLLING,
            upgrade(target=ON_SESSION),
            Until(b"\r\n\r\n"),
            frame(b"2probe"),
            Until(b"3probe"),
            frame(b"40"),
        ),
        closes(bare=True),
    ),
    Case(
        "a good upgrade",
        (
            Act.OPEN_POLLING,
            upgrade(target=ON_SESSION),
            Until(b"\r\n\r\n"),
            frame(b"2probe"),
            Until(b"3probe"),
            frame(b"5"),
            frame(b"40"),
            Until(b'40{"sid"'),
        ),
        Lives(),
    ),
    Case("a session that closes at once", (*OPENED, frame(b"1")), closes(bare=True)),
    Case("a WebSocket in a WebSocket", (*OPENED, upgrade()), closes(1002)),
]

CASES = [*KEYS, *VERSIONS, *REQUESTS, *PROTOCOLS, *QUERIES]
