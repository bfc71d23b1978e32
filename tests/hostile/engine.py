"""Engine.IO and Socket.IO packets, on a WebSocket and in long-polling."""

from __future__ import annotations

from tests.hostile.case import (
    JOINED,
    OPENED,
    POLLING,
    SESSION,
    WEBSOCKET,
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
    head,
    post,
    posted,
    series,
)

CLOSED = closes()
LIVES = Lives()
CONTINUE = Until(b"HTTP/1.1 100")
PLACEHOLDER = b'{"_placeholder":true,"num":0}'


def says(
    name: str, *messages: bytes | tuple[bytes], expected: Expected = CLOSED, steps: tuple[Step, ...] = JOINED
) -> Case:
    """A client that has joined sends these texts; what stands in a tuple is binary."""
    frames = [frame(*message, 2) if isinstance(message, tuple) else frame(message) for message in messages]
    return Case(name, (*steps, *frames), expected)


def opened(name: str, *messages: bytes | tuple[bytes], expected: Expected = CLOSED) -> Case:
    """A client that has not joined says this."""
    return says(name, *messages, expected=expected, steps=OPENED)


def payload(name: str, body: bytes, expected: Expected, *fields: bytes) -> Case:
    """A POST with this body."""
    return Case(name, (Act.OPEN_POLLING, posted(body, *fields)), expected)


def asks(name: str, request: bytes, expected: Expected) -> Case:
    """A request on a session."""
    return Case(name, (Act.OPEN_POLLING, request), expected)


ENGINE = [
    says("an empty message", b""),
    says("an empty binary message", (b"",)),
    says("packet type 9", b"9"),
    says("packet type x", b"x"),
    says("packet type of an Arabic digit", "\u0664".encode()),
    says("packet type NUL", b"\0"),
    says("a PING of the client", b"2"),
    says("a probe without an upgrade", b"2probe"),
    says("base64 that is none", b"b???"),
    says("CLOSE", b"1"),
    says("OPEN of the client", b'0{"sid":"x"}', expected=LIVES),
    says("PONG, PONG, PONG", *[b"3"] * 100, expected=LIVES),
    says("2000 PONGs", *[b"3"] * 2_000, expected=LIVES),
    says("NOOP and UPGRADE", b"6", b"5", expected=LIVES),
    says("bytes that belong to nothing", (b"\0\1\2",)),
    opened("bytes before CONNECT", (b"\0\1\2",)),
    opened("an event before CONNECT", b'42["echo",1]'),
    opened("an acknowledgement before CONNECT", b"431[]"),
    opened("attachments before CONNECT", b'451-["echo",' + PLACEHOLDER + b"]"),
    opened("DISCONNECT before CONNECT", b"41"),
]

PACKETS = [
    says("a MESSAGE of nothing", b"4"),
    says("packet type 7", b'47["x"]'),
    says("packet type of an Arabic digit in Socket.IO", '4\u0662["x"]'.encode()),
    says("CONNECT twice", b"40"),
    says("CONNECT with a list", b"40/x,[1]"),
    says("CONNECT with a text", b'40/x,"a"'),
    says("CONNECT with half of JSON", b'40/x,{"a"'),
    says("CONNECT to nowhere", b"40/nowhere,", expected=LIVES),
    says("CONNECT to __proto__", b"40/__proto__,", expected=LIVES),
    says("CONNECT to NUL", b"40/\\x00\0,"),
    says("CONNECT to a name of 300", b"40/" + b"n" * 300 + b","),
    says("CONNECT to a name without an end", b"40/" + b"n" * 900_000),
    says("500 CONNECTs to nowhere", *[b"40/n%d," % number for number in range(500)], expected=LIVES),
    says("CONNECT_ERROR of the client", b'44{"message":"x"}'),
    says("DISCONNECT with more", b"41[1]"),
    says("an event to where it is not", b'42/nowhere,["echo",1]'),
    says("DISCONNECT and an event", b"41", b'42["echo",1]'),
    says("an event of nothing", b"42", expected=LIVES),
    says("an event of an empty list", b"42[]"),
    says("an event of an object", b"42{}"),
    says("an event of null", b"42null"),
    says("an event whose name is true", b"42[true]"),
    says("an event whose name is null", b'42[null,"bar"]'),
    says("an event whose name is an object", b'42[{"toString":"foo"}]'),
    says("an event whose name is a list", b'42[["echo"]]'),
    says("an event whose name is a number", b"42[1]", expected=LIVES),
    says("an event whose name has 300 characters", b'42["' + b"n" * 300 + b'"]'),
    says("an event whose name is empty", b'42[""]', expected=LIVES),
    says("an event error", b'42["error"]', expected=LIVES),
    says("an event __proto__", b'42["__proto__",{"__proto__":{"a":1}}]', expected=LIVES),
    *[
        says(f"the reserved event {name.decode()}", b'42["%s",{"REMOTE_USER":"admin"}]' % name)
        for name in (b"connect", b"connect_error", b"disconnect", b"disconnecting", b"newListener", b"removeListener")
    ],
    says("an acknowledgement without an id", b"43[1]"),
    says("an acknowledgement of id -1", b"43-1[1]"),
    says("an acknowledgement nobody waits for", b"4312345[1]", expected=LIVES),
    says("an acknowledgement of an object", b"431{}"),
    says("an id of 2^53", b'429007199254740992["echo",1]'),
    says("an id of 17 digits", b'4212345678901234567["echo",1]'),
    says("an id of 900,000 digits", b"42" + b"9" * 900_000 + b'["echo",1]'),
    says("an id in Arabic digits", '42\u0661["echo",1]'.encode()),
    says("half of JSON", b'42["echo",'),
    says("more than JSON", b'42["echo",1]x'),
    says("NaN", b'42["echo",NaN]'),
    says("Infinity", b'42["echo",-Infinity]'),
    says("text in single quotes", b"42['echo']"),
    says("a comment in JSON", b'42["echo"/**/]'),
    says("a comma too much", b'42["echo",]'),
    says("a control character in a text", b'42["echo","\x01"]'),
    says("129 deep", b'42["echo",' + b"[" * 128 + b"]" * 128 + b"]"),
    says("100,000 deep", b'42["echo",' + b"[" * 100_000 + b"]" * 100_000 + b"]"),
    says("400,000 deep and no end", b'42["echo",' + b'{"a":' * 150_000),
    says("900,000 brackets in a text", b'42["unknown","' + b"[" * 900_000 + b'"]', expected=LIVES),
    says("900,000 quotes", b"42[" + b'\\"' * 450_000),
    says("100,000 members of one name", b'42["unknown",{' + b'"a":1,' * 100_000 + b'"a":1}]', expected=LIVES),
    says("100,000 empty lists", b'42["unknown",' + b"[]," * 100_000 + b"0]", expected=LIVES),
]

ATTACHMENTS = [
    says("0 attachments", b'450-["echo"]'),
    says("11 attachments", b'4511-["echo",' + PLACEHOLDER + b"]"),
    says("9,999,999,999 attachments", b'459999999999-["echo",' + PLACEHOLDER + b"]"),
    says("10^20 attachments", b"451" + b"0" * 20 + b'-["echo",' + PLACEHOLDER + b"]"),
    says("-1 attachments", b'45-1-["echo"]'),
    says("attachments in Arabic digits", '45\u0661-["echo"]'.encode()),
    says("no number of attachments", b'45["echo"]'),
    says("attachments of a plain event", b'421-["echo"]'),
    says("attachments of nothing", b"451-"),
    says("a number that is a name", b'451-["echo",{"_placeholder":true,"num":"splice"}]', (b"x",)),
    says("a number that is true", b'451-["echo",{"_placeholder":true,"num":true}]', (b"x",)),
    says("a number that is -1", b'451-["echo",{"_placeholder":true,"num":-1}]', (b"x",)),
    says("a number that is 0.0", b'451-["echo",{"_placeholder":true,"num":0.5}]', (b"x",)),
    says("a number out of range", b'451-["echo",{"_placeholder":true,"num":1}]', (b"x",)),
    says("no number", b'451-["echo",{"_placeholder":true}]', (b"x",)),
    says("one attachment in two places", b'451-["echo",' + PLACEHOLDER + b"," + PLACEHOLDER + b"]", (b"x",)),
    says("an attachment without a place", b'451-["echo"]', (b"x",)),
    says("a text amid attachments", b'451-["echo",' + PLACEHOLDER + b"]", b'42["echo",1]'),
    says("an event amid attachments", b'451-["echo",' + PLACEHOLDER + b"]", b'451-["echo",' + PLACEHOLDER + b"]"),
    says("attachments that are too big", b'452-["echo",' + PLACEHOLDER + b"]", (bytes(600_000),), (bytes(600_000),)),
    says("a reserved event with attachments", b'451-["connect",' + PLACEHOLDER + b"]", (b"x",)),
    Case("attachments that don't come, RST", (*JOINED, frame(b'451-["echo",' + PLACEHOLDER + b"]"), Act.RST), Ends()),
]

PAYLOADS = [
    payload("an empty payload", b"", answered(400)),
    payload("a payload of type 9", b"9", answered(400)),
    payload("a payload in 8 bits", b"4\xff", answered(400)),
    payload("a payload of separators", b"\x1e" * 500, answered(400)),
    payload("a payload with an empty packet", b"3\x1e\x1e3", answered(400)),
    payload("10,000 packets", b"\x1e".join([b"3"] * 10_000), answered(400)),
    payload("1000 packets", b"\x1e".join([b"3"] * 1_000), answered(200)),
    payload("1001 packets", b"\x1e".join([b"3"] * 1_001), answered(400)),
    payload("a PING in a payload", b"2", answered(400)),
    payload("a payload of revision 3", b"2:40", answered(400)),
    payload("base64 with noise in a payload", b"b!!!!", answered(400)),
    payload("base64 without its end in a payload", b"bAAA", answered(400)),
    payload("an event before CONNECT in a payload", b'42["echo",1]', answered(400)),
    payload("a payload that closes and goes on", b"1\x1e40", answered(200, 400)),
    payload("a form", b"d=40", answered(400), b"Content-Type: application/x-www-form-urlencoded"),
    payload("bytes", b"\0\1", answered(400), b"Content-Type: application/octet-stream"),
    payload("bytes in capitals", b"40", answered(400), b"Content-Type: APPLICATION/OCTET-STREAM; x=y"),
    Case(
        "events by the thousand",
        (
            Act.OPEN_POLLING,
            Aside(posted(b"40")),
            Aside(get(target=SESSION)),
            posted(b"\x1e".join([b'42["unknown"]'] * 1_000)),
        ),
        answered(200),
    ),
]

REQUESTS = [
    Case(
        "transport __proto__",
        (get(target=POLLING.replace(b"polling", b"__proto__")),),
        answered(400, holds=b'"code":0'),
    ),
    Case("transport websocket without an upgrade", (get(target=WEBSOCKET),), answered(400)),
    Case("no transport", (get(target=b"/socket.io/?EIO=4"),), answered(400)),
    Case("no query", (get(target=b"/socket.io/"),), answered(400)),
    Case("two transports", (get(target=b"/socket.io/?EIO=4&transport=x&transport=polling"),), answered(400)),
    Case("EIO in Arabic digits", (get(target=POLLING.replace(b"4", b"%D9%A4")),), answered(400)),
    Case("JSONP", (get(target=POLLING + b"&j=0%22)%3Balert(1)"),), answered(200, lacks=b"alert")),
    *[
        Case(f"sid {sid[:20].decode()}", (get(target=POLLING + b"&sid=" + sid),), answered(400, holds=b'"code":1'))
        for sid in (b"x", b"__proto__", b"constructor", b"%00", b"%ff", b"..%2f..", b"y" * 7_000)
    ],
    Case("a handshake by POST", (posted(b"40", target=POLLING),), answered(400)),
    Case("a handshake by HEAD", (head(b"HEAD " + POLLING + b" HTTP/1.1", b"Host: x"),), answered(400, bodiless=True)),
    asks("EIO 3 on a session", get(target=SESSION.replace(b"EIO=4", b"EIO=3")), answered(400)),
    asks("no EIO on a session", get(target=SESSION.replace(b"EIO=4&", b"")), answered(400)),
    asks("transport websocket on a session", get(target=SESSION.replace(b"polling", b"websocket")), answered(400)),
    asks("DELETE of a session", head(b"DELETE " + SESSION + b" HTTP/1.1", b"Host: x"), answered(400, 405, 500, 501)),
    asks(
        "TRACE of a session",
        head(b"TRACE " + SESSION + b" HTTP/1.1", b"Host: x", b"Cookie: a=secret"),
        answered(400, 405, 500, 501, lacks=b"secret"),
    ),
    asks(
        "HEAD of a session",
        head(b"HEAD " + SESSION + b" HTTP/1.1", b"Host: x"),
        answered(400, 405, 500, 501, bodiless=True),
    ),
    asks("a session of elsewhere", get(b"Origin: http://evil.example", target=SESSION), answered(403)),
    asks(
        "a preflight of elsewhere",
        head(
            b"OPTIONS " + SESSION + b" HTTP/1.1",
            b"Host: x",
            b"Origin: http://evil.example",
            b"Access-Control-Request-Method: POST",
        ),
        answered(403, 400, 204, lacks=b"evil"),
    ),
    Case(
        "a poll of a session that is closed",
        (Act.OPEN_POLLING, Aside(posted(b"1")), get(target=SESSION)),
        answered(400),
    ),
    Case("a poll behind bad packets", (Act.OPEN_POLLING, posted(b"9") + get(target=SESSION)), series(400, 400)),
    Case(
        "a POST begun and another",
        (Act.OPEN_POLLING, post(b"Content-Length: 5", b"Expect: 100-continue"), CONTINUE, b"4", Aside(posted(b"3"))),
        dropped(400),
    ),
    Case(
        "bytes, and the next request behind",
        (Act.OPEN_POLLING, posted(b"\0", b"Content-Type: application/octet-stream") + get(target=b"/other")),
        series(400, 404),
    ),
    Case("the client's own files, upwards", (get(target=b"/socket.io/../../../../etc/passwd"),), answered(400, 404)),
    Case("the client's own files, NUL", (get(target=b"/socket.io/socket.io.js%00"),), answered(400, 404)),
]

CASES = [*ENGINE, *PACKETS, *ATTACHMENTS, *PAYLOADS, *REQUESTS]
