"""HTTP/1.1 without I/O: heads in any pieces, what is refused, chunked bodies, the bytes of answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_socketio import Limits
from trio_socketio._engine.http import BodyTooLarge
from trio_socketio._serve import http1
from trio_socketio._serve.http1 import (
    BLANK_LINES,
    FRAMING,
    BadRequest,
    Head,
    HeadReader,
    encode_answer,
    encode_refusal,
)
from trio_socketio._serve.stream_link import StreamLink

LIMITS = Limits()
HOST = "\r\nHost: x"


def request(line: str = "GET / HTTP/1.1", *fields: str, host: str = "Host: x") -> bytes:
    return "\r\n".join([line, *([host] if host else []), *fields, "\r\n"]).encode("latin-1")


def read(*pieces: bytes, limits: Limits = LIMITS) -> tuple[Head | None, bytes]:
    """The head, and what is behind it in its last piece."""
    reader = HeadReader(limits)
    for piece in pieces:
        head = reader.feed(piece)
        if head is not None:
            return head, reader.rest
    return None, b""


def whole(*pieces: bytes, limits: Limits = LIMITS) -> Head:
    head, _ = read(*pieces, limits=limits)
    assert head is not None
    return head


def refused(*pieces: bytes, limits: Limits = LIMITS) -> int:
    with pytest.raises(BadRequest) as refusal:
        read(*pieces, limits=limits)
    return refusal.value.status


def by_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in zip(places, places[1:], strict=False)]


def outcome(pieces: list[bytes]) -> object:
    """What becomes of a head: all of it, or the status that refuses it."""
    try:
        head, _ = read(*pieces)
    except BadRequest as refusal:
        return refusal.status
    return None if head is None else replace(head, chunks=None), head is not None and head.chunks is not None


class TestHead:
    def test_all_of_it(self):
        raw = request("POST /a%20b/%C3%A9?x=%20&y HTTP/1.1", "X-Name:  a value\t", "Content-Length: 7  ")
        head, rest = read(raw + b"the body")
        assert head == Head(
            raw=raw,
            method="POST",
            target="/a%20b/%C3%A9?x=%20&y",
            path="/a b/é",
            query_string="x=%20&y",
            headers={"host": "x", "x-name": "a value", "content-length": "7"},
            keep_alive=True,
            is_old=False,
            content_length=7,
            chunks=None,
        )
        assert rest == b"the body"

    def test_the_request_that_is_made_of_it(self):
        link = StreamLink(object(), "192.0.2.1")
        made = whole(request("GET /socket.io/?EIO=4 HTTP/1.1", "X: y")).request("/other/", link)
        assert (made.method, made.path, made.query_string) == ("GET", "/other/", "EIO=4")
        assert (made.headers, made.client, made.secure) == ({"host": "x", "x": "y"}, "192.0.2.1", False)

    @pytest.mark.parametrize(
        "rest",
        [b"", b"\r\n", b"x", request("POST / HTTP/1.1", "Content-Length: 1") + b"a", b"\0\xff garbage", b"\r\n\r\n"],
    )
    def test_what_is_behind_it_is_kept_and_not_looked_at(self, rest):
        raw = request()
        assert read(raw + rest) == (whole(raw), rest)
        # Cut anywhere in the blank line, too.
        for size in range(1, 6):
            assert read(raw[:-size], raw[-size:] + rest) == (whole(raw), rest)

    def test_begun(self):
        reader = HeadReader(LIMITS)
        assert not reader.has_begun
        reader.feed(b"\r\n")
        assert not reader.has_begun
        reader.feed(b"G")
        assert reader.has_begun

    @pytest.mark.parametrize("lines", [b"\r\n", b"\r\n\r\n", b"\n\r\n"])
    def test_empty_lines_in_front(self, lines):
        assert whole(lines + request()) == whole(request())
        assert whole(*by_bytes(lines + request())) == whole(request())

    @pytest.mark.parametrize(
        ("target", "path", "query"),
        [
            ("/", "/", ""), ("/?", "/", ""), ("/a?b?c", "/a", "b?c"), ("*", "*", ""), ("/%", "/%", ""), ("//a/b", "//a/b", ""),
            ("/%2e%2E/%00", "/../\0", ""), ("/%ff", "/\N{REPLACEMENT CHARACTER}", ""), ("/a://b?c", "/a://b", "c"),
            ("http://x/a/b?c=d", "/a/b", "c=d"), ("http://x", "/", ""), ("http://x/", "/", ""), ("http://x?a=b", "/", "a=b"),
            ("http://x?a=/b", "/", "a=/b"), ("https://u:p@[::1]:8000/a?u=http://y/z", "/a", "u=http://y/z"),
            ("HTTP://x/a", "/a", ""),
        ],
    )  # fmt: skip
    def test_targets(self, target, path, query):
        head = whole(request(f"GET {target} HTTP/1.1"))
        assert (head.path, head.query_string) == (path, query)

    def test_connect(self):
        head, rest = read(request("CONNECT x:443 HTTP/1.1") + b"rest")
        assert (head.method, head.path, rest) == ("CONNECT", "x:443", b"rest")

    def test_repeated_fields(self):
        head = whole(request("GET / HTTP/1.1", "a: 1", "Cookie: a=1", "A: 2", "cookie: b=2", "b:", "B:"))
        assert head.headers == {"host": "x", "a": "1, 2", "cookie": "a=1; b=2", "b": ", "}

    def test_bytes_above_ascii_in_a_field(self):
        assert whole(request("GET / HTTP/1.1", "a: \xe9\xff")).headers["a"] == "\xe9\xff"

    @pytest.mark.parametrize(
        ("version", "connection", "expected"),
        [
            ("1.1", None, True), ("1.1", "keep-alive", True), ("1.1", "close", False), ("1.1", "Close", False),
            ("1.1", "x, close", False), ("1.0", None, False), ("1.0", "keep-alive", True), ("1.0", "Keep-Alive", True),
            ("1.0", "close", False),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("body", [(), ("Content-Length: 0",), ("Content-Length: 3",)])
    def test_keep_alive(self, version, connection, expected, body):
        fields = [*body, *([] if connection is None else [f"Connection: {connection}"])]
        head = whole(request(f"POST / HTTP/{version}", *fields))
        assert (head.keep_alive, head.is_old) == (expected, version == "1.0")

    def test_an_upgrade_is_read_as_any_other(self):
        head, rest = read(request("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket") + b"\x81\x80")
        assert head.headers["upgrade"] == "websocket"
        assert rest == b"\x81\x80"
        assert head.keep_alive


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "raw"),
        [
            (501, b"\0\r\n\r\n"),
            (400, request("GET / HTTP/1.1", host="")),
            (400, request("GET / HTTP/1.1", "Host: y")),
            (400, request("GET / HTTP/1.1", host="Host: x, y")),
            (400, request("GET / HTTP/1.0", "Host: y")),
            (400, request("GET / HTTP/1.1", "Content-Length: 1", "Content-Length: 1")),
            (400, request("GET / HTTP/1.1", "Content-Length: 1", "Content-Length: 2")),
            (400, request("GET / HTTP/1.1", "Content-Length: 1, 1")),
            (400, request("GET / HTTP/1.1", "Content-Length: +1")),
            (400, request("GET / HTTP/1.1", "Content-Length: -1")),
            (400, request("GET / HTTP/1.1", "Content-Length: 0x1")),
            (400, request("GET / HTTP/1.1", "Content-Length:")),
            (400, request("GET / HTTP/1.1", "Content-Length: " + "9" * 30)),
            (413, request("GET / HTTP/1.1", "Content-Length: " + "9" * 17)),
            (400, request("GET / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked")),
            (400, request("GET / HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 1")),
            (400, request("GET / HTTP/1.1", "Transfer-Encoding: gzip")),
            (400, request("GET / HTTP/1.1", "Transfer-Encoding: chunked, gzip")),
            (400, request("GET / HTTP/1.1", "Transfer-Encoding: xchunked")),
            (400, request("GET / HTTP/1.1", "X : a")),
            (400, request("GET / HTTP/1.1", " X: a")),
            (400, request("GET / HTTP/1.1", "X: a", " folded")),
            (400, request("GET / HTTP/1.1", "X")),
            (400, request("GET / HTTP/1.1", ": a")),
            (400, request("GET / HTTP/1.1", "X\xe9: a")),
            (400, request("GET / HTTP/1.1", "X: a\0b")),
            (400, request("GET / HTTP/1.1", "X: a\rb")),
            (400, request("GET / HTTP/1.1", "X: a\nY: b")),
            (400, request("GET /\xe9 HTTP/1.1")),
            (400, request("GET noslash HTTP/1.1")),
            (501, request("BREW / HTTP/1.1")),
            (501, request("get / HTTP/1.1")),
            (505, request("GET / HTTP/1.2")),
            (505, request("GET / HTTP/2.0")),
            (505, request("GET / HTTP/0.9")),
            (400, request("GET / HTTP/11")),
            (505, b"GET /\r\n\r\n"),
            (505, b"OPTIONS * RTSP/1.0\r\n\r\n"),
            (505, b"SOURCE / ICE/1.0\r\n\r\n"),
            (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            (505, b"GET / HTTP/1.1\nHost: x\n\n"),
        ],
    )
    def test_statuses(self, status, raw):
        assert refused(raw) == status
        assert refused(*by_bytes(raw)) == status

    def test_tls_spoken_to_us(self):
        assert refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") in {400, 501}

    @pytest.mark.parametrize("host", ["", "Host:"])
    def test_hosts_that_may_be_empty(self, host):
        assert whole(request("GET / HTTP/1.0", host=host))
        assert bool(host) == isinstance(outcome([request("GET / HTTP/1.1", host=host)]), tuple)

    def test_as_soon_as_it_is_known(self):
        assert refused(b"BREW") == 501
        assert refused(b"GET / HTTP/1.1\r\nX : ") == 400


class TestLimits:
    def test_of_the_target(self):
        limits = Limits(max_target=10)
        assert whole(request("GET /12345?789 HTTP/1.1"), limits=limits).path == "/12345"
        assert refused(request("GET /12345?7890 HTTP/1.1"), limits=limits) == 414
        assert refused(b"GET /1234567890", limits=limits) == 414, "the blank line is not waited for"

    def test_of_blank_lines(self):
        assert whole(b"\r\n" * (BLANK_LINES // 2) + request())
        assert refused(b"\r\n" * (BLANK_LINES // 2), b"\r") == 400

    def test_of_the_head(self):
        raw = request("GET / HTTP/1.1", "X: " + "a" * 100)
        assert whole(raw + b"more", limits=Limits(max_head=len(raw))).raw == raw
        assert refused(raw, limits=Limits(max_head=len(raw) - 1)) == 431
        assert refused(*by_bytes(raw), limits=Limits(max_head=len(raw) - 1)) == 431
        assert refused(raw[:-4], limits=Limits(max_head=len(raw) - 5)) == 431

    def test_of_the_fields(self):
        limits = Limits(max_header_fields=3)
        assert whole(request("GET / HTTP/1.1", "a: 1", "b: 2"), limits=limits)
        assert refused(request("GET / HTTP/1.1", "a: 1", "a: 2", "a: 3"), limits=limits) == 431
        assert refused(b"GET / HTTP/1.1\r\na:1\r\nb:2\r\nc:3\r\nd:4\r\ne:5\r\n", limits=limits) == 431

    def test_a_host_behind_too_many_fields_is_not_missing(self):
        assert (
            refused(request("GET / HTTP/1.1", *["a: 1"] * 3, "Host: x", host=""), limits=Limits(max_header_fields=3))
            == 431
        )

    def test_very_many_fields_are_not_kept(self):
        reader = HeadReader(Limits(max_head=10**6))
        with pytest.raises(BadRequest):
            reader.feed(b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 10_000)
        assert len(reader._headers["a"]) < 1000


HEADS = [
    request(),
    request("POST /a%20b?c HTTP/1.0", "Cookie: a", "Cookie: b", "Connection: keep-alive", "Content-Length: 5"),
    request("GET http://x/y?z HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"),
    request("POST / HTTP/1.1", "Transfer-Encoding: chunked"),
    request("CONNECT x:443 HTTP/1.1"),
    b"\r\n" + request("GET / HTTP/1.1", *(f"x{n}: {'v' * n}" for n in range(20))),
    request("GET / HTTP/1.1", "Host: y"),
    request("BREW / HTTP/1.1"),
    request("GET / HTTP/3.0"),
]


class TestPieces:
    @pytest.mark.parametrize("raw", HEADS)
    def test_byte_by_byte(self, raw):
        assert outcome(by_bytes(raw)) == outcome([raw])

    @given(st.sampled_from(HEADS), st.lists(st.integers(0, 10_000), max_size=8))
    def test_cut_anywhere(self, raw, places):
        assert outcome(cut(raw, places)) == outcome([raw])

    @given(st.sampled_from(HEADS[:6]), st.binary(max_size=30), st.lists(st.integers(0, 10_000), max_size=8))
    def test_nothing_is_lost_behind_it(self, raw, rest, places):
        pieces = cut(raw + rest, places)
        reader = HeadReader(LIMITS)
        for number, piece in enumerate(pieces, 1):
            head = reader.feed(piece)
            if head is not None:
                assert reader.rest + b"".join(pieces[number:]) == rest
                return
        pytest.fail("no head")


WORDS = st.sampled_from(
    [b"GET", b"POST", b"CONNECT", b" ", b"/", b"*", b"http://", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/", b"\r\n", b"\r\n\r\n", b"\n",
     b"\r", b":", b"Host", b"Host: x\r\n", b"Content-Length: ", b"5", b"Transfer-Encoding: chunked\r\n", b"Upgrade: websocket\r\n",
     b"Connection: Upgrade\r\n", b"Connection: close\r\n", b"Expect: 100-continue", b"%", b"%41", b"?", b"#", b"\0", b"\xff", b",",
     b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n", b"ICE/1.0", b"RTSP/1.0", b"PRI * HTTP/2.0"]
)  # fmt: skip


class TestAnyBytes:
    """Whatever comes: a head, more to come, or BadRequest."""

    @given(st.lists(st.binary(max_size=40), max_size=10))
    @example([b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n"])
    @example([b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: \xb2\r\n\r\n"])
    def test_bytes(self, pieces):
        outcome(pieces)

    @given(st.lists(WORDS, max_size=30), st.lists(st.integers(0, 1000), max_size=4))
    def test_words_of_http(self, words, places):
        pieces = cut(b"".join(words), places)
        outcome(pieces)
        outcome([b"GET / HTTP/1.1\r\nHost: x\r\n", *pieces])

    @given(st.lists(WORDS | st.binary(max_size=8), max_size=20))
    def test_the_parser_ends_a_head_where_the_blank_line_is(self, words):
        raw = b"POST / HTTP/1.1\r\nHost: x\r\n" + b"".join(words)
        try:
            head, rest = read(raw)
        except BadRequest:
            return
        if head is not None:
            assert head.raw + rest == raw
            assert head.raw.count(b"\r\n\r\n") == 1


CHUNKED = request("POST / HTTP/1.1", "Transfer-Encoding: chunked")


def body_of(*pieces: bytes, limit: int = 1000, max_head: int = 200, raw: bytes = CHUNKED) -> bytes | None:
    chunks = whole(raw).chunks
    body = None
    for piece in pieces:
        assert body is None
        body = chunks.feed(piece, limit=limit, max_head=max_head)
        assert chunks.is_complete == (body is not None)
    return body


class TestChunkedBody:
    WHOLE = b'5\r\nhello\r\n1;extension="x"\r\n,\r\n00A\r\n wide worl\r\n1\r\nd\r\n0\r\n\r\n'

    def test_whole(self):
        assert body_of(self.WHOLE) == b"hello, wide world"

    def test_empty(self):
        assert body_of(b"0\r\n\r\n") == b""

    @given(st.lists(st.integers(0, 1000), max_size=8))
    def test_cut_anywhere(self, places):
        assert body_of(*cut(self.WHOLE, places)) == b"hello, wide world"

    def test_byte_by_byte(self):
        assert body_of(*by_bytes(self.WHOLE)) == b"hello, wide world"

    @pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "chunked, chunked"])
    def test_another_coding_is_refused(self, coding):
        with pytest.raises(BadRequest) as refusal:
            whole(request("POST / HTTP/1.1", f"Transfer-Encoding: {coding}"))
        assert refusal.value.status in {400, 501}

    def test_trailers_are_nobodys(self):
        head = whole(CHUNKED)
        before = dict(head.headers)
        data = b"1\r\na\r\n0\r\nOrigin: http://y\r\nHost: y\r\nNew: z\r\n\r\n"
        assert head.chunks.feed(data, limit=10, max_head=200) == b"a"
        assert head.headers == before

    @pytest.mark.parametrize(
        "behind",
        [
            b"garbage", b"\r\n", request("POST / HTTP/1.1", "Content-Length: 2", "Evil: 1") + b"zz",
            CHUNKED + b"2\r\nzz\r\n0\r\n\r\n", b"\0", b"x" * 5000,
        ],
    )  # fmt: skip
    def test_what_is_behind_it_is_no_part_of_it(self, behind):
        head = whole(CHUNKED)
        assert head.chunks.feed(b"1\r\na\r\n0\r\n\r\n" + behind, limit=10, max_head=10) == b"a"
        assert head.headers == {"host": "x", "transfer-encoding": "chunked"}

    @pytest.mark.parametrize(
        "data",
        [b"z\r\n", b"-1\r\n", b"0x1\r\n", b"\r\n", b" 1\r\na\r\n", b"1\r\nab\r\n", b"1\na\n", b"1\r\na0\r\n\r\n",
         b"ffffffffffffffffff\r\n", b"1\r\na\r\n0\r\nbad trailer\r\n\r\n", b"1\r\na\r\n0\r\nX : y\r\n\r\n"],
    )  # fmt: skip
    def test_bad(self, data):
        for pieces in ([data], by_bytes(data)):
            with pytest.raises(BadRequest) as refusal:
                body_of(*pieces, b"0\r\n\r\n")
            assert refusal.value.status == 400

    def test_too_large(self):
        assert body_of(b"5\r\nhello\r\n0\r\n\r\n", limit=5) == b"hello"
        with pytest.raises(BodyTooLarge):
            body_of(b"5\r\nhello\r\n0\r\n\r\n", limit=4)
        with pytest.raises(BodyTooLarge):
            body_of(b"fffff\r\nhello", limit=4)

    def test_mostly_framing(self):
        ones = b"1\r\na\r\n" * 1000 + b"0\r\n\r\n"
        assert body_of(*by_bytes(ones)) == b"a" * 1000
        allowed = 200 + FRAMING
        with pytest.raises(BadRequest):
            body_of(b"1;" + b"x" * (allowed - 4), b"x" * 10)
        with pytest.raises(BadRequest):
            body_of(b"1\r\na\r\n0\r\n", *[b"x: y\r\n"] * allowed)

    @given(
        st.lists(st.binary(max_size=30) | st.sampled_from([b"1\r\na\r\n", b"0\r\n", b"\r\n", b"0\r\n\r\n"]), max_size=8)
    )
    def test_any_bytes(self, pieces):
        chunks = whole(CHUNKED).chunks
        try:
            for piece in pieces:
                if chunks.feed(piece, limit=50, max_head=50) is not None:
                    return
        except (BadRequest, BodyTooLarge):
            pass


class TestAnswers:
    def test_bytes(self):
        headers = [("content-length", "2"), ("X-A", "\xe9")]
        assert encode_answer(200, headers, b"ok", date=False) == (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-A: \xe9\r\n\r\nok"
        )

    def test_closing(self):
        assert (
            encode_answer(400, [], closing=True, date=False) == b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"
        )

    def test_without_headers(self):
        assert encode_answer(101, [], date=False) == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"

    def test_a_status_without_a_name(self):
        assert encode_answer(299, [], date=False) == b"HTTP/1.1 299 \r\n\r\n"

    def test_date(self, monkeypatch):
        now = 784_111_777.9
        monkeypatch.setattr(http1, "time", lambda: now)
        expected = b"HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:%d GMT\r\n\r\n"
        assert encode_answer(200, []) == expected % 37
        now += 0.09
        assert encode_answer(200, []) == expected % 37
        now += 0.02
        assert encode_answer(200, []) == expected % 38

    def test_refusal(self, monkeypatch):
        monkeypatch.setattr(http1, "time", lambda: 784_111_777)
        assert encode_refusal(426, [("upgrade", "websocket")]) == (
            b"HTTP/1.1 426 Upgrade Required\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 16\r\n"
            b"upgrade: websocket\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nconnection: close\r\n\r\nUpgrade Required"
        )
