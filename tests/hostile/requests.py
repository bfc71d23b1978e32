"""Request lines, and what is sent in their place."""

from __future__ import annotations

from random import Random

from tests.hostile.case import (
    HOST,
    POLLING,
    Act,
    Case,
    Endless,
    Expected,
    answered,
    dropped,
    head,
    refused,
)


def line(name: str, request_line: bytes, expected: Expected) -> Case:
    """A whole head with this request line."""
    return Case(name, (head(request_line, HOST),), expected)


# What is no request may fail by its method or its version first.
SYNTAX = refused(400, 501, 505)

NOISE = Random(4).randbytes(65_536)

CLIENT_HELLO = (
    bytes.fromhex("160301003801000034 0303") + bytes(32) + bytes.fromhex("00 000c c02b c02f 1301 1302 009c 002f 0100")
)

CASES = [
    line("garbage", b"garbage", SYNTAX),
    line("two words", b"GET /", SYNTAX),
    line("four words", b"GET / HTTP/1.1 x", SYNTAX),
    line("no target", b"GET HTTP/1.1", SYNTAX),
    # RFC 9112, 3: whoever is lenient may take any white space for the one between the words.
    line("two spaces", b"GET  " + POLLING + b" HTTP/1.1", answered(200, 400)),
    line("tabs between the words", b"GET\t" + POLLING + b"\tHTTP/1.1", answered(200, 400, 501)),
    line("space in front", b" GET / HTTP/1.1", SYNTAX),
    line("space in the target", b"GET /socket.io/ ?EIO=4 HTTP/1.1", SYNTAX),
    line("space behind the version", b"GET /other HTTP/1.1 ", answered(400, 404, 505)),
    line("NUL in the target", b"GET /\0 HTTP/1.1", SYNTAX),
    line("NUL in the method", b"G\0T / HTTP/1.1", SYNTAX),
    line("bare CR in the target", b"GET /a\rb HTTP/1.1", SYNTAX),
    line("escape sequence in the target", b"GET /\x1b[31m HTTP/1.1", SYNTAX),
    line("DEL in the target", b"GET /\x7f HTTP/1.1", refused(400)),
    line("8-bit target", b"GET /\xff\xfe HTTP/1.1", answered(400, 404)),
    line("8-bit query", b"GET " + POLLING + b"&x=\xff HTTP/1.1", answered(200, 400)),
    line("percent nonsense", b"GET /%zz%00%ff%c0%af HTTP/1.1", answered(400, 404)),
    line("a path upwards", b"GET /../../etc/passwd HTTP/1.1", answered(400, 404)),
    line("no slash in front", b"GET socket.io/?EIO=4&transport=polling HTTP/1.1", answered(400, 404)),
    line("a fragment", b"GET /other#fragment HTTP/1.1", answered(400, 404)),
    line("absolute form", b"GET http://x" + POLLING + b" HTTP/1.1", answered(200)),
    line("asterisk form of OPTIONS", b"OPTIONS * HTTP/1.1", answered(200, 204, 400, 404, 405)),
    line("asterisk form of GET", b"GET * HTTP/1.1", answered(400, 404)),
    line("authority form", b"CONNECT x:80 HTTP/1.1", answered(400, 404, 405, 501)),
    line("unknown method", b"BREW " + POLLING + b" HTTP/1.1", answered(400, 405, 501)),
    line("method in lower case", b"get " + POLLING + b" HTTP/1.1", answered(400, 405, 501)),
    line("method that is no token", b"G(T " + POLLING + b" HTTP/1.1", SYNTAX),
    line("8-bit method", b"G\xc9T / HTTP/1.1", SYNTAX),
    line("method of 10 kB", b"G" * 10_000 + b" / HTTP/1.1", refused(400, 414, 431, 501)),
    line("target of 9 kB", b"GET /socket.io/?" + b"a" * 9_000 + b" HTTP/1.1", refused(414)),
    line("target of 15 kB elsewhere", b"GET /" + b"a" * 15_000 + b" HTTP/1.1", refused(414)),
    line("target of 1 MB", b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1", refused(414)),
    Case("a line without an end", (b"GET /", Endless(b"a" * 4096)), refused(414)),
    Case("empty lines without an end", (Endless(b"\r\n" * 2048),), dropped(400, 414, 431)),
    Case("one empty line in front", (b"\r\n" + head(b"GET " + POLLING + b" HTTP/1.1", HOST),), answered(200)),
    line("4000 fields in the query", b"GET " + POLLING + b"&a" * 2_000 + b" HTTP/1.1", answered(400)),
    # RFC 9112, 2.2: a single LF may be taken for the end of a line.
    Case("bare LF", (b"GET /other HTTP/1.1\nHost: x\n\n",), answered(400, 404, 505)),
    Case("bare CR", (b"GET /other HTTP/1.1\rHost: x\r\r", Act.FIN), dropped(400, 501, 505)),
    Case("HTTP/0.9", (b"GET /\r\n", Act.FIN), dropped(400, 505)),
    line("HTTP/1.0 without anything", b"GET /other HTTP/1.0", refused(404)),
    line("HTTP/1.9", b"GET /other HTTP/1.9", answered(404, 400, 505)),
    line("HTTP/1.10", b"GET / HTTP/1.10", refused(400, 505)),
    line("HTTP/01.1", b"GET / HTTP/01.1", refused(400, 505)),
    line("HTTP/1,1", b"GET / HTTP/1,1", SYNTAX),
    line("HTTP/1", b"GET / HTTP/1", refused(400, 505)),
    line("HTTP/3.0", b"GET / HTTP/3.0", refused(400, 505)),
    line("version in lower case", b"GET / http/1.1", SYNTAX),
    line("another protocol's version", b"GET / ICY/1.1", SYNTAX),
    line("minus version", b"GET / HTTP/-1.1", SYNTAX),
    Case(
        "HTTP/2 with prior knowledge",
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"),),
        dropped(400, 505),
    ),
    Case("HTTP/2 preface and noise", (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + NOISE,), dropped(400, 505)),
    Case("RTSP", (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",), dropped(400, 501, 505)),
    Case("SIP", (b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n\r\n",), dropped(400, 501, 505)),
    Case("TLS to a plain port", (CLIENT_HELLO, Act.FIN), dropped(400, 501, 505)),
    Case("SSH", (b"SSH-2.0-OpenSSH_9.9\r\n", Act.FIN), dropped(400, 501, 505)),
    Case("SMTP", (b"EHLO x\r\nMAIL FROM:<x@x>\r\n\r\n",), dropped(400, 501, 505)),
    Case("Redis", (b"*1\r\n$4\r\nPING\r\n", Act.FIN), dropped(400, 501, 505)),
    Case("SOCKS 5", (b"\x05\x01\x00", Act.FIN), dropped(400, 501, 505)),
    Case("PROXY", (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + head(b"GET / HTTP/1.1", HOST),), dropped(400, 501, 505)),
    Case("PROXY 2", (bytes.fromhex("0d0a0d0a000d0a515549540a20000000"), Act.FIN), dropped(400, 501, 505)),
    Case("zeros", (bytes(65_536), Act.FIN), dropped(400, 414, 431, 501)),
    Case("noise", (NOISE, Act.FIN), dropped(400, 414, 431, 501)),
    Case("a frame without a handshake", (bytes.fromhex("8185010203043132333435"), Act.FIN), dropped(400, 501, 505)),
]
