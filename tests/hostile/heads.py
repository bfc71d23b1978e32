"""Header fields."""

from __future__ import annotations

from tests.hostile.case import (
    CHUNKED,
    HOST,
    POLLING,
    Act,
    Case,
    Endless,
    Expected,
    answered,
    dropped,
    get,
    head,
    post,
    refused,
)

GET = b"GET " + POLLING + b" HTTP/1.1"
SYNTAX = refused(400)


def field(name: str, text: bytes, expected: Expected = SYNTAX) -> Case:
    """A GET with this as a field."""
    return Case(name, (get(text),), expected)


def length(name: str, *fields: bytes, expected: Expected = SYNTAX, body: bytes = b"40") -> Case:
    """A POST whose length is told so."""
    return Case(name, (Act.OPEN_POLLING, post(*fields) + body), expected)


CASES = [
    # RFC 9112, 5.2: reject it, or take it for a space.
    field("obs-fold", b"X-A: 1\r\n 2", answered(200, 400)),
    field("obs-fold of nothing", b"X-A:\r\n\t\r\n \r\n x", answered(200, 400)),
    Case("obs-fold in front", (head(GET, b" X-A: 1", HOST),), SYNTAX),
    field("bare CR in a value", b"X-A: 1\r2"),
    field("bare CR and a field", b"X-A: 1\rX-B: 2"),
    field("bare LF behind a value", b"X-A: 1\nX-B: 2", answered(200, 400)),
    field("NUL in a value", b"X-A: 1\x002"),
    field("control characters in a value", b"X-A: \x01\x02\x1b[31m\x7f", refused(400)),
    field("NUL in a name", b"X\0A: 1"),
    field("space before the colon", b"X-A : 1"),
    field("tab before the colon", b"X-A\t: 1"),
    field("space before the colon of a length", b"Content-Length : 5"),
    field("no colon", b"nonsense"),
    field("no name", b": 1"),
    field("only a colon", b":"),
    field("parentheses in a name", b"X(A): 1"),
    field("space in a name", b"X A: 1"),
    field("quotes in a name", b'"X": 1'),
    field("8-bit name", b"X-\xc4: 1"),
    # RFC 9110, 5.5: obs-text, to be treated as opaque.
    field("8-bit value", b"X-A: \xff\xfe", answered(200, 400)),
    field("8-bit cookie", b"Cookie: io=\xff; \xc3\x28", answered(200, 400)),
    field("no value", b"X-A:", answered(200)),
    field("names of objects", b"__proto__: 1\r\nconstructor: 2", answered(200)),
    field("128 fields in all", b"\r\n".join(b"X-%d: 1" % number for number in range(127)), answered(200)),
    field("200 fields", b"\r\n".join(b"X-%d: 1" % number for number in range(200)), refused(431)),
    field("2000 fields", b"\r\n".join(b"X: 1" for _ in range(2000)), refused(431)),
    field("field of 17 kB", b"X-A: " + b"a" * 17_000, refused(431)),
    field("field of 40 kB", b"X-A: " + b"a" * 40_000, refused(431)),
    field("name of 40 kB", b"X" * 40_000 + b": 1", refused(431, 400)),
    field("two fields of 10 kB", b"X-A: " + b"a" * 10_000 + b"\r\nX-B: " + b"b" * 10_000, refused(431)),
    field("folds of 40 kB", b"X-A: a" + b"\r\n a" * 10_000, refused(400, 431)),
    Case("a field without an end", (GET + b"\r\nHost: x\r\nX-A: ", Endless(b"a" * 4096)), refused(431)),
    Case("fields without an end", (GET + b"\r\nHost: x\r\n", Endless(b"X-A: 1\r\n" * 512)), refused(431)),
    Case("spaces without an end", (GET + b"\r\nHost: x\r\nX-A:", Endless(b" " * 4096)), refused(431)),
    Case("no Host", (head(GET),), SYNTAX),
    Case("two Hosts", (head(GET, HOST, b"Host: y"),), SYNTAX),
    Case("the same Host twice", (head(GET, HOST, HOST),), SYNTAX),
    Case("empty Host", (head(GET, b"Host:"),), answered(200, 400)),
    Case("Host with a space", (head(GET, b"Host: x y"),), answered(200, 400)),
    Case("Host with a path", (head(GET, b"Host: x/../y"),), answered(200, 400)),
    Case("8-bit Host", (head(GET, b"Host: \xff"),), answered(200, 400)),
    Case("Host of 8 kB", (head(GET, b"Host: " + b"x" * 8_000),), answered(200, 400)),
    Case("Host with an origin beside it", (head(GET, b"Host: [::1", b"Origin: http://[::1"),), answered(400, 403)),
    field("Origin of elsewhere", b"Origin: http://evil.example", answered(403)),
    field("Origin with a prefix of ours", b"Origin: http://x.evil.example", answered(403)),
    field("Origin with user information", b"Origin: http://x@evil.example", answered(400, 403)),
    field("Origin null", b"Origin: null", answered(403)),
    field("8-bit Origin", b"Origin: http://\xff", answered(400, 403)),
    field("two Origins", b"Origin: http://x\r\nOrigin: http://evil.example", answered(400, 403)),
    field("Origin with a port that is none", b"Origin: http://x:99999999999999999999", answered(400, 403)),
    field("Connection of nonsense", b"Connection: ,, ,\xff,close,,keep-alive", answered(200, 400)),
    field("Connection of 8 kB of commas", b"Connection: " + b"," * 8_000, answered(200, 400)),
    field(
        "Accept-Encoding of nonsense", b"Accept-Encoding: ;q=\xff,,;;q=-1, gzip;q=99999999999999999999", answered(200)
    ),
    field("Accept-Encoding of 16 kB", b"Accept-Encoding: " + b"gzip;q=0.001," * 1_200, answered(200)),
    field("Accept-Encoding of spaces", b"Accept-Encoding: gzip" + b" " * 15_000 + b";q=x", answered(200)),
    field("X-Forwarded-For of 15 kB of commas", b"X-Forwarded-For: " + b"," * 15_000, answered(200)),
    field("X-Forwarded-For of 1000 hops", b"X-Forwarded-For: " + b"127.0.0.1, " * 1_000 + b"x", answered(200)),
    field("X-Forwarded-For of digits", b"X-Forwarded-For: " + b"9" * 15_000, answered(200)),
    field("X-Forwarded-For with a zone", b"X-Forwarded-For: fe80::1%" + b"z" * 1_000, answered(200)),
    field("X-Forwarded-Host of something else", b"X-Forwarded-Host: x@evil.example/?\xff", answered(200)),
    field("X-Forwarded-Proto of something else", b"X-Forwarded-Proto: javascript", answered(200)),
    field("Forwarded of quotes", b'Forwarded: for="' + b'\\"' * 5_000, answered(200)),
    field("X-Forwarded of nonsense", b'X-Forwarded-For: \xff\r\nForwarded: for=";;', answered(200, 400)),
    length("length and chunks", b"Content-Length: 2", CHUNKED, expected=SYNTAX, body=b"0\r\n\r\n"),
    length("chunks and length", CHUNKED, b"Content-Length: 2", expected=SYNTAX, body=b"0\r\n\r\n"),
    length("two lengths", b"Content-Length: 2", b"Content-Length: 3"),
    # RFC 9110, 8.6: the same number again may be taken for one.
    length("the same length twice", b"Content-Length: 2", b"Content-Length: 2", expected=answered(200, 400)),
    length("a list of the same length", b"Content-Length: 2, 2", expected=answered(200, 400)),
    length("a list of lengths", b"Content-Length: 2, 3"),
    length("length with a plus", b"Content-Length: +2"),
    length("negative length", b"Content-Length: -1"),
    length("hexadecimal length", b"Content-Length: 0x2"),
    length("length with an underscore", b"Content-Length: 1_0"),
    length("length with a point", b"Content-Length: 2.0"),
    length("length with an exponent", b"Content-Length: 2e0"),
    length("length with a space inside", b"Content-Length: 1 2"),
    length("length of words", b"Content-Length: two"),
    length("no length in the field", b"Content-Length:"),
    length("length in Arabic digits", "Content-Length: \u0662".encode()),
    length("length of 10^30", b"Content-Length: 1" + b"0" * 30, expected=refused(400, 413)),
    length("length of 2^64 + 2", b"Content-Length: 18446744073709551618", expected=refused(400, 413)),
    length("length of 5000 digits", b"Content-Length: " + b"9" * 5_000, expected=refused(400, 413)),
    length("length with 200 zeros in front", b"Content-Length: " + b"0" * 200 + b"2", expected=answered(200, 400, 413)),
    length("coding identity", b"Transfer-Encoding: identity", expected=refused(400, 501)),
    length("coding chunked, identity", b"Transfer-Encoding: chunked, identity", expected=refused(400, 501)),
    length("coding gzip, chunked", b"Transfer-Encoding: gzip, chunked", expected=refused(400, 501)),
    length("coding xchunked", b"Transfer-Encoding: xchunked", expected=refused(400, 501)),
    length("coding chunked twice", CHUNKED, b"Transfer-Encoding:  chunked", expected=refused(400, 501)),
    length("coding chunked, chunked", b"Transfer-Encoding: chunked, chunked", expected=refused(400, 501)),
    length("coding with a vertical tab", b"Transfer-Encoding: \x0bchunked", expected=refused(400, 501)),
    length("coding in quotes", b'Transfer-Encoding: "chunked"', expected=refused(400, 501)),
    length("coding with a parameter", b"Transfer-Encoding: chunked; q=1", expected=refused(400, 501)),
    length("coding of nothing", b"Transfer-Encoding:", expected=refused(400, 501)),
    length("coding with a space before the colon", b"Transfer-Encoding : chunked"),
    length("coding in capitals", b"TRANSFER-ENCODING: CHUNKED", expected=answered(200), body=b"2\r\n40\r\n0\r\n\r\n"),
    Case(
        "chunks in HTTP/1.0",
        (head(b"POST /other HTTP/1.0", HOST, CHUNKED) + b"0\r\n\r\n",),
        refused(400, 404, 501),
    ),
    Case("a GET with a body", (get(b"Content-Length: 5") + b"hello",), answered(200, 400)),
    Case("a GET with a body to come", (get(b"Content-Length: 5"), Act.FIN), dropped(200, 400)),
    Case("a GET with chunks", (get(CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n",), answered(200, 400)),
]
