"""Bodies: chunks, and ``Expect``."""

from __future__ import annotations

from tests.hostile.case import (
    CHUNKED,
    SESSION,
    Act,
    Case,
    Dribble,
    Endless,
    Expected,
    Until,
    answered,
    dropped,
    get,
    head,
    post,
    posted,
    refused,
    series,
)

BEGUN = post(CHUNKED)
END = b"0\r\n\r\n"
CONTINUE = Until(b"HTTP/1.1 100")
EXPECTING = b"Expect: 100-continue"


def chunks(name: str, body: bytes, expected: Expected) -> Case:
    """A POST with this chunked body."""
    return Case(name, (Act.OPEN_POLLING, BEGUN + body), expected)


SYNTAX = refused(400)
OK = answered(200, holds=b"ok")

CASES = [
    chunks("size of words", b"zz\r\n40\r\n" + END, SYNTAX),
    chunks("no size", b"\r\n40\r\n" + END, SYNTAX),
    chunks("negative size", b"-2\r\n40\r\n" + END, SYNTAX),
    chunks("size with a plus", b"+2\r\n40\r\n" + END, SYNTAX),
    chunks("size with 0x", b"0x2\r\n40\r\n" + END, SYNTAX),
    chunks("size with an underscore", b"0_2\r\n40\r\n" + END, SYNTAX),
    chunks("size with a space in front", b" 2\r\n40\r\n" + END, answered(200, 400)),
    chunks("size with a space behind", b"2 \r\n40\r\n" + END, answered(200, 400)),
    chunks("size with NUL", b"2\0\r\n40\r\n" + END, SYNTAX),
    chunks("size in Arabic digits", "\u0662\r\n40\r\n".encode() + END, SYNTAX),
    chunks("size of 2^64 + 2", b"10000000000000002\r\n40\r\n" + END, refused(400, 413)),
    Case(
        "size of 2^63 - 1", (Act.OPEN_POLLING, BEGUN + b"7fffffffffffffff\r\n", Endless(b"4" * 4096)), refused(400, 413)
    ),
    chunks("size of 1000 digits", b"f" * 1_000 + b"\r\n40\r\n" + END, refused(400, 413)),
    chunks("size of 1000 zeros", b"0" * 1_000 + b"2\r\n40\r\n" + END, answered(200, 400)),
    Case("size of 1,000,001", (Act.OPEN_POLLING, BEGUN + b"f4241\r\n", Endless(b"4" * 4096)), refused(400, 413)),
    Case(
        "a size that the rest of the body doesn't keep",
        (Act.OPEN_POLLING, BEGUN + b"f4240\r\n40\r\n" + END, Act.FIN),
        dropped(400, 408),
    ),
    Case(
        "a body with Upgrade",
        (Act.OPEN_POLLING, posted(b"40", b"Connection: Upgrade", b"Upgrade: foo")),
        OK,
    ),
    Case(
        "chunks with Upgrade",
        (Act.OPEN_POLLING, post(CHUNKED, b"Connection: Upgrade", b"Upgrade: foo") + b"2\r\n40\r\n" + END),
        OK,
    ),
    Case(
        "chunks with CONNECT",
        (Act.OPEN_POLLING, head(b"CONNECT " + SESSION + b" HTTP/1.1", b"Host: x", CHUNKED) + b"2\r\n40\r\n" + END),
        dropped(400, 405, 500, 501),
    ),
    chunks("size with LF only", b"2\n40\r\n" + END, answered(200, 400)),
    chunks("data without CRLF behind", b"2\r\n40XX" + END, SYNTAX),
    chunks("data without anything behind", b"2\r\n40" + END, SYNTAX),
    chunks("more data than the size says", b"2\r\n40000\r\n" + END, SYNTAX),
    chunks("an extension", b'2;a="\\"b";c\r\n40\r\n' + END, OK),
    chunks("an extension with a bare CR", b"2;a\rb\r\n40\r\n" + END, answered(200, 400)),
    chunks("an extension with a bare LF", b"2;a\nb\r\n40\r\n" + END, answered(200, 400)),
    chunks("an extension of 100 kB", b"2;" + b"a" * 100_000 + b"\r\n40\r\n" + END, refused(400, 413, 431)),
    Case(
        "an extension without an end", (Act.OPEN_POLLING, BEGUN + b"2;", Endless(b"a" * 4096)), refused(400, 413, 431)
    ),
    Case("a size without an end", (Act.OPEN_POLLING, BEGUN, Endless(b"0" * 4096)), refused(400, 413, 431)),
    chunks("trailers", b"2\r\n40\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n", OK),
    chunks(
        "trailers with a length",
        b"2\r\n40\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\n\r\n",
        answered(200, 400),
    ),
    chunks("trailers of nonsense", b"2\r\n40\r\n0\r\nnonsense\r\n\r\n", answered(200, 400)),
    chunks("trailers of 40 kB", b"2\r\n40\r\n0\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n", refused(400, 413, 431)),
    Case(
        "trailers without an end",
        (Act.OPEN_POLLING, BEGUN + b"2\r\n40\r\n0\r\n", Endless(b"X-A: 1\r\n" * 512)),
        refused(400, 413, 431),
    ),
    Case(
        "chunks without an end", (Act.OPEN_POLLING, BEGUN, Endless(b"1000\r\n" + b"4" * 4096 + b"\r\n")), refused(413)
    ),
    Case("small chunks without an end", (Act.OPEN_POLLING, BEGUN, Endless(b"8\r\n44444444\r\n" * 512)), refused(413)),
    chunks("2000 chunks of a byte", b"1\r\n4\r\n" + b"1\r\nx\r\n" * 1_999 + END, answered(400)),
    chunks("an empty chunk in front", END + b"2\r\n40\r\n" + END, answered(400)),
    Case("a good body byte by byte", (Act.OPEN_POLLING, Dribble(BEGUN + b"2\r\n40\r\n" + END)), OK),
    Case("no length and no chunks", (Act.OPEN_POLLING, post()), answered(400, 411)),
    Case("a body of 1,000,001", (Act.OPEN_POLLING, posted(b"4" * 1_000_001)), refused(413)),
    Case("a body of 2 GB to come", (Act.OPEN_POLLING, post(b"Content-Length: 2147483648")), refused(413)),
    Case(
        "a body without an end elsewhere",
        (head(b"POST /other HTTP/1.1", b"Host: x", CHUNKED), Endless(b"1000\r\n" + b"4" * 4096 + b"\r\n")),
        refused(404, 413),
    ),
    Case(
        "a body of 1 GB for nobody",
        (post(b"Content-Length: 1073741824", target=SESSION.replace(b"@SID@", b"nobody")), Endless(b"4" * 4096)),
        refused(400, 413),
    ),
    Case(
        "a body in gzip", (Act.OPEN_POLLING, posted(b"\x1f\x8b\x08\0\0", b"Content-Encoding: gzip")), answered(400, 415)
    ),
    Case(
        "a body in UTF-16",
        (Act.OPEN_POLLING, posted("40".encode("utf-16"), b"Content-Type: text/plain; charset=utf-16")),
        answered(400, 415),
    ),
    Case(
        "the type of a body in 8 bits",
        (Act.OPEN_POLLING, posted(b"40", b'Content-Type: \xff; boundary="')),
        answered(200, 400, 415),
    ),
    Case("Expect", (Act.OPEN_POLLING, post(EXPECTING, b"Content-Length: 2"), CONTINUE, b"40"), OK),
    Case("Expect and chunks", (Act.OPEN_POLLING, post(EXPECTING, CHUNKED), CONTINUE, b"2\r\n40\r\n" + END), OK),
    Case("Expect that doesn't wait", (Act.OPEN_POLLING, post(EXPECTING, b"Content-Length: 2") + b"40"), OK),
    Case("Expect without a body", (get(EXPECTING),), answered(200)),
    Case(
        "Expect of something else",
        (Act.OPEN_POLLING, posted(b"40", b"Expect: the-unexpected")),
        answered(200, 400, 417),
    ),
    # Whoever says no needs no body; and must not read what comes as a request.
    Case(
        "Expect of 2 MB", (Act.OPEN_POLLING, post(EXPECTING, b"Content-Length: 2000000")), refused(413, lacks=b" 100 ")
    ),
    Case(
        "Expect for nobody",
        (post(EXPECTING, b"Content-Length: 2", target=SESSION.replace(b"@SID@", b"nobody")),),
        answered(400, lacks=b" 100 "),
    ),
    Case(
        "Expect and then the end",
        (Act.OPEN_POLLING, post(EXPECTING, b"Content-Length: 2"), CONTINUE, Act.FIN),
        dropped(400, 408),
    ),
    Case(
        "Expect in HTTP/1.0",
        (Act.OPEN_POLLING, head(b"POST " + SESSION + b" HTTP/1.0", EXPECTING, b"Content-Length: 2") + b"40"),
        refused(200, lacks=b" 100 "),
    ),
    Case("two Expects in a row", (get(EXPECTING, target=b"/other") * 2,), series(404, 404)),
]
