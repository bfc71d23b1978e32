"""FrameReader: Autobahn's cases by their numbers, limits, refusals from the header alone, any bytes in any pieces."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto import events as theirs
from wsproto.connection import Connection, ConnectionType

from trio_socketio._wire.websocket_frame import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Close,
    Failure,
    FrameReader,
    Ping,
    Pong,
    encode_close,
    encode_frame,
)

HELLO = "Hello, world!"
KEY = b"\x9a\x01\xff\x5c"


def head(opcode, length, *, fin=True, rsv=0, masked=True, form=None):
    """The header of a client's frame up to the masking key; ``form`` forces the 7, 16 or 64 bit length."""
    form = form or (7 if length < 126 else 16 if length < 65536 else 64)
    short = length if form == 7 else {16: 126, 64: 127}[form]
    extended = b"" if form == 7 else length.to_bytes(form // 8, "big")
    return bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | short]) + extended


def frame(opcode, payload=b"", *, key=KEY, **how):
    """One frame as a client sends it, masked octet by octet as the RFC tells it."""
    payload = payload.encode() if isinstance(payload, str) else payload
    masked = bytes(octet ^ key[index % 4] for index, octet in enumerate(payload))
    return head(opcode, len(payload), **how) + key + masked


def close(code, reason=b""):
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def reader(*, max_message=2**24, max_parts=1000):
    return FrameReader(max_message=max_message, max_parts=max_parts)


def read(data, *, size=None, to=None):
    """The events of the data, fed whole or in pieces of one size."""
    to = to or reader()
    pieces = [data] if size is None else [data[at : at + size] for at in range(0, len(data), size)]
    return [event for piece in pieces for event in to.feed(piece)]


def outline(events):
    """Reasons of failures are for humans."""
    return [Failure(event.code, "") if isinstance(event, Failure) else event for event in events]


def failure(code):
    return Failure(code, "")


def fragments(opcode, *payloads):
    last = len(payloads) - 1
    return [
        frame(CONTINUATION if index else opcode, payload, fin=index == last) for index, payload in enumerate(payloads)
    ]


def octets(text):
    return fragments(TEXT, *(bytes([octet]) for octet in text))


def autobahn():
    """(number, frames, events): the cases of Autobahn's test suite that are about frames."""
    sizes = [0, 125, 126, 127, 128, 65535, 65536]
    for number, size in enumerate(sizes, 1):
        yield f"1.1.{number}", [frame(TEXT, "*" * size)], ["*" * size]
        yield f"1.2.{number}", [frame(BINARY, b"\xfe" * size)], [b"\xfe" * size]

    hello, ping = frame(TEXT, HELLO), frame(PING)
    yield "2.1", [ping], [Ping(b"")]
    yield "2.2", [frame(PING, "Hello")], [Ping(b"Hello")]
    yield "2.3", [frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")], [Ping(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")]
    yield "2.4", [frame(PING, b"\xfe" * 125)], [Ping(b"\xfe" * 125)]
    yield "2.5", [frame(PING, b"\xfe" * 126)], [failure(1002)]
    yield "2.7", [frame(PONG)], [Pong(b"")]
    yield "2.8", [frame(PONG, "unasked")], [Pong(b"unasked")]
    yield "2.9", [frame(PONG, "unasked"), frame(PING, "asked")], [Pong(b"unasked"), Ping(b"asked")]
    yield "2.10", [frame(PING, str(i)) for i in range(10)], [Ping(str(i).encode()) for i in range(10)]

    yield "3.1", [frame(TEXT, HELLO, rsv=1)], [failure(1002)]
    for number, rsv in enumerate([2, 3, 4], 2):
        yield f"3.{number}", [hello, frame(TEXT, HELLO, rsv=rsv), ping], [HELLO, failure(1002)]
    yield "3.5", [frame(BINARY, b"\x00\xff\xfe", rsv=5)], [failure(1002)]
    yield "3.6", [frame(PING, HELLO, rsv=6)], [failure(1002)]
    yield "3.7", [frame(CLOSE, rsv=7)], [failure(1002)]

    for section, opcodes in ((1, range(3, 8)), (2, range(11, 16))):
        for number, opcode in enumerate(opcodes, 1):
            yield f"4.{section}.{number}a", [frame(opcode)], [failure(1002)]
            yield f"4.{section}.{number}b", [hello, frame(opcode, HELLO), ping], [HELLO, failure(1002)]

    one, two = fragments(TEXT, "fragment1", "fragment2")
    both = "fragment1fragment2"
    lost, lost_open = frame(CONTINUATION, "lost"), frame(CONTINUATION, "lost", fin=False)
    yield "5.1", [frame(PING, "fragment1", fin=False), two], [failure(1002)]
    yield "5.2", [frame(PONG, "fragment1", fin=False), two], [failure(1002)]
    yield "5.3-5.5", [one, two], [both]
    yield "5.6-5.8", [one, frame(PING, "ping"), two], [Ping(b"ping"), both]
    yield "5.9-5.11", [lost, hello], [failure(1002)]
    yield "5.12-5.14", [lost_open, hello], [failure(1002)]
    yield "5.15", [one, two, lost_open, hello], [both, failure(1002)]
    yield "5.16", [lost_open, one, two] * 2, [failure(1002)]
    yield "5.17", [lost, one, two] * 2, [failure(1002)]
    yield "5.18", [one, frame(TEXT, "fragment2")], [failure(1002)]
    parts = fragments(TEXT, "1", "2", "3", "4", "5")
    pings = [frame(PING, "a"), frame(PING, "b")]
    mixed = [*parts[:2], pings[0], *parts[2:4], pings[1], parts[4]]
    yield "5.19-5.20", mixed, [Ping(b"a"), Ping(b"b"), "12345"]

    yield "6.1.1", [frame(TEXT)], [""]
    yield "6.1.2", fragments(TEXT, "", "", ""), [""]
    yield "6.1.3", fragments(TEXT, "", "middle", ""), ["middle"]
    text, greek = "Hello-µ@ßöäüàá-UTF-8!!", "κ\u1f79σμε"
    yield "6.2.1", [frame(TEXT, text)], [text]
    yield "6.2.2", fragments(TEXT, text[:9], text[9:]), [text]
    yield "6.2.3", octets(text.encode()), [text]
    yield "6.2.4", octets(greek.encode()), [greek]
    wrong = greek.encode() + b"\xed\xa0\x80" + b"edited"
    yield "6.3.1", [frame(TEXT, wrong)], [failure(1007)]
    yield "6.3.2", octets(wrong), [failure(1007)]
    beyond = b"\xf4\x90\x80\x80"
    yield "6.4.1", fragments(TEXT, greek, beyond, "edited"), [failure(1007)]
    yield "6.4.2", fragments(TEXT, greek + "x", b"\xf4\x90", b"\x80\x80edited"), [failure(1007)]
    yield "6.4.3-6.4.4", [frame(TEXT, greek.encode() + beyond + b"edited")], [failure(1007)]
    for number, valid, payload in utf8():
        yield number, [frame(TEXT, payload)], [payload.decode() if valid else failure(1007)]
        yield f"{number} octets", octets(payload), [payload.decode() if valid else failure(1007)]

    yield "7.1.1", [hello, close(1000)], [HELLO, Close(1000, "")]
    yield "7.1.2", [close(1000), frame(CLOSE)], [Close(1000, "")]
    yield "7.1.3", [close(1000), ping], [Close(1000, "")]
    yield "7.1.4", [close(1000), hello], [Close(1000, "")]
    yield "7.1.5", [one, close(1000), two], [Close(1000, "")]
    large = "BAsd7&jh23" * 26215
    yield "7.1.6", [frame(TEXT, large), hello, close(1000), ping], [large, HELLO, Close(1000, "")]
    yield "7.3.1", [frame(CLOSE)], [Close(None, "")]
    yield "7.3.2", [frame(CLOSE, "a")], [failure(1002)]
    yield "7.3.3", [close(1000)], [Close(1000, "")]
    yield "7.3.4", [close(1000, HELLO.encode())], [Close(1000, HELLO)]
    yield "7.3.5", [close(1000, b"*" * 123)], [Close(1000, "*" * 123)]
    yield "7.3.6", [close(1000, b"*" * 124)], [failure(1002)]
    yield "7.5.1", [close(1000, wrong)], [failure(1007)]
    for number, code in enumerate([*range(1000, 1004), *range(1007, 1012), 3000, 3999, 4000, 4999], 1):
        yield f"7.7.{number}", [close(code)], [Close(code, "")]
    for number, code in enumerate([0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999], 1):
        yield f"7.9.{number}", [close(code)], [failure(1002)]
    yield "7.9 beside", [close(1015)], [failure(1002)]
    yield "7.13.1", [close(5000)], [failure(1002)]
    yield "7.13.2", [close(65535)], [failure(1002)]

    for number, size in enumerate([2**16, 2**18, 2**20], 1):
        yield f"9.1.{number}", [frame(TEXT, "*" * size)], ["*" * size]
        yield f"9.2.{number}", [frame(BINARY, b"\xfe" * size)], [b"\xfe" * size]
    for number, size in enumerate([2**10, 2**12, 2**14], 3):
        pieces = 2**18 // size
        yield f"9.3.{number}", fragments(TEXT, *["*" * size] * pieces), ["*" * 2**18]
        yield f"9.4.{number}", fragments(BINARY, *[b"\xfe" * size] * pieces), [b"\xfe" * 2**18]
    for number, size in enumerate([0, 16, 64, 256, 1024], 1):
        yield f"9.7.{number}", [frame(TEXT, "*" * size)] * 300, ["*" * size] * 300
        yield f"9.8.{number}", [frame(BINARY, b"\xfe" * size)] * 300, [b"\xfe" * size] * 300


def utf8():
    """(number, valid, octets) of the sections 6.5 to 6.23: each code point or sequence by what is special in it."""
    cosmos = "κ\u1f79σμε".encode()
    cut = [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80"]
    cut += [b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"]
    starts = [(0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD)]
    lone = [0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF]
    pairs = itertools.product("\ud800\udb7f\udb80\udbff", "\udc00\udfff")
    planes = [plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF)]
    overlong = ["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"]
    longest_overlong = ["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"]
    nul = ["c080", "e08080", "f0808080", "f880808080", "fc8080808080"]
    tables = {
        5: [(True, f"hello{chr(c)}world".encode()) for c in (0x24, 0xA2, 0x20AC, 0x24B62)] + [(True, cosmos)],
        6: [(end in {2, 5, 7, 9, 11}, cosmos[:end]) for end in range(1, len(cosmos) + 1)],
        7: [(True, chr(c).encode()) for c in (0, 0x80, 0x800, 0x10000)],
        8: [(False, bytes.fromhex("f888808080")), (False, bytes.fromhex("fc8480808080"))],
        9: [(True, chr(c).encode()) for c in (0x7F, 0x7FF, 0xFFFF, 0x10FFFF)],
        10: [(False, bytes.fromhex(it)) for it in ("f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf")],
        11: [(True, chr(c).encode()) for c in (0xD7FF, 0xE000, 0xFFFD, 0x10FFFF)] + [(False, b"\xf4\x90\x80\x80")],
        12: [(False, (b"\x80\xbf" * 3)[:n]) for n in range(1, 7)] + [(False, b"\xbf"), (False, bytes(range(128, 191)))],
        13: [(False, b"".join(bytes([c, 0x20]) for c in range(*ends))) for ends in starts],
        14: [(False, it) for it in cut],
        15: [(False, b"".join(cut))],
        16: [(False, it) for it in (b"\xfe", b"\xff", b"\xfe\xfe\xff\xff")],
        17: [(False, bytes.fromhex(it)) for it in overlong],
        18: [(False, bytes.fromhex(it)) for it in longest_overlong],
        19: [(False, bytes.fromhex(it)) for it in nul],
        20: [(False, chr(c).encode(errors="surrogatepass")) for c in lone],
        21: [(False, f"{high}{low}".encode(errors="surrogatepass")) for high, low in pairs],
        22: [(True, chr(c).encode()) for c in planes],
        23: [(True, chr(c).encode()) for c in range(0xFFF9, 0x10000)],
    }  # fmt: skip
    for section, cases in tables.items():
        for number, (valid, payload) in enumerate(cases, 1):
            yield f"6.{section}.{number}", valid, payload


CASES = list(autobahn())


@pytest.mark.parametrize(("frames", "events"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_autobahn(frames, events):
    data = b"".join(frames)
    assert outline(read(data)) == events
    by_frame = reader()
    assert outline([event for part in frames for event in by_frame.feed(part)]) == events
    for size in (1, 2, 7) if len(data) < 5000 else (997, 65536):  # 9.5 and 9.6, too: large messages in chops
        assert outline(read(data, size=size)) == events


# CPython's decoder waits for the third octet of a surrogate.
@pytest.mark.parametrize("last", [b"\xed\xa0\x80", b"\xf4\x90", b"\xff", b"\xc0"])
def test_6_4_wrong_utf8_fails_in_the_fragment_where_it_is(last):
    one = reader()
    assert one.feed(frame(TEXT, "κ\u1f79σμε", fin=False)) == []
    assert outline(one.feed(frame(CONTINUATION, last, fin=False))) == [failure(1007)]


def test_a_code_point_may_be_cut_by_fragments_but_not_by_the_end():
    first, *_, last = "€".encode(), b"\xe2\x82"
    assert read(b"".join(fragments(TEXT, first[:1], "", first[1:]))) == ["€"]
    assert outline(read(b"".join(fragments(TEXT, "x", last)))) == [failure(1007)]


REFUSED = {
    "unmasked": (head(TEXT, 5, masked=False), 1002),
    "unmasked ping": (head(PING, 0, masked=False), 1002),
    "reserved bit": (head(TEXT, 100, rsv=4), 1002),
    "reserved opcode": (head(3, 100), 1002),
    "long ping": (head(PING, 126)[:2], 1002),
    "very long close": (head(CLOSE, 65536)[:2], 1002),
    "fragmented ping": (head(PING, 5, fin=False), 1002),
    "continuation of nothing": (head(CONTINUATION, 5), 1002),
    "125 in 16 bits": (head(TEXT, 125, form=16), 1002),
    "0 in 16 bits": (head(BINARY, 0, form=16), 1002),
    "125 in 64 bits": (head(TEXT, 125, form=64), 1002),
    "65535 in 64 bits": (head(BINARY, 65535, form=64), 1002),
    "top bit": (head(TEXT, 2**63), 1002),
    "all bits": (head(TEXT, 2**64 - 1), 1002),
    "one too big": (head(TEXT, 2**24 + 1), 1009),
    "one too big, as a fragment": (head(BINARY, 2**24 + 1, fin=False), 1009),
    "largest": (head(BINARY, 2**63 - 1), 1009),
}


@pytest.mark.parametrize("before", [b"", frame(TEXT, "x")], ids=["first", "second"])
@pytest.mark.parametrize(("header", "code"), REFUSED.values(), ids=REFUSED)
def test_refused_from_the_header_alone(header, code, before):
    good = read(before)
    assert outline(read(before + header)) == [*good, failure(code)]
    assert outline(read(before + header, size=1)) == [*good, failure(code)]


def test_a_message_inside_a_message_is_refused_from_its_header():
    for opcode in (TEXT, BINARY):
        start = frame(TEXT, "x", fin=False)
        assert outline(read(start + head(opcode, 100))) == [failure(1002)]
        assert outline(read(start + head(opcode, 1000, fin=False)[:2])) == [failure(1002)]


@pytest.mark.parametrize("limit", [0, 1, 124, 125, 126, 127, 1023, 1024, 1025, 65535, 65536, 100_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_max_message_counts_bytes(limit, opcode):
    at_most, more = b"a" * limit, b"a" * (limit + 1)
    message = at_most.decode() if opcode == TEXT else at_most
    assert read(frame(opcode, at_most) * 2, to=reader(max_message=limit)) == [message] * 2
    assert outline(read(frame(opcode, more), to=reader(max_message=limit))) == [failure(1009)]
    for cut in {0, 1, limit // 2, limit}:
        parts = fragments(opcode, at_most[:cut], b"", at_most[cut:])
        assert read(b"".join(parts * 2), to=reader(max_message=limit)) == [message] * 2
        start = frame(opcode, more[:cut], fin=False)
        assert outline(read(start + head(CONTINUATION, len(more) - cut), to=reader(max_message=limit))) == [
            failure(1009)
        ]


def test_max_message_counts_bytes_of_text_not_characters():
    assert read(frame(TEXT, "€" * 10), to=reader(max_message=30)) == ["€" * 10]
    assert outline(read(frame(TEXT, "€" * 10), to=reader(max_message=29))) == [failure(1009)]


def test_control_frames_are_no_part_of_the_message_they_interrupt():
    start, end = fragments(TEXT, "12345", "67890")
    data = start + frame(PING, b"*" * 125) * 5 + end
    assert read(data, to=reader(max_message=10, max_parts=2)) == [*[Ping(b"*" * 125)] * 5, "1234567890"]


@pytest.mark.parametrize("payload", [b"", b"x"], ids=["empty", "one byte"])
def test_max_parts(payload):
    three, four = fragments(BINARY, *[payload] * 3), fragments(BINARY, *[payload] * 4)
    assert read(b"".join(three * 2), to=reader(max_parts=3)) == [payload * 3] * 2
    assert outline(read(b"".join(four), to=reader(max_parts=3))) == [failure(1008)]
    # From the header: nothing is awaited.
    assert outline(read(b"".join(four[:3]) + head(CONTINUATION, 9), to=reader(max_parts=3))) == [failure(1008)]


@pytest.mark.parametrize(
    "code", [*range(0, 1000, 111), 999, 1004, 1005, 1006, 1015, *range(1016, 3000, 97), 5000, 9999]
)
def test_codes_that_no_client_may_send(code):
    assert outline(read(close(code))) == [failure(1002)]


@pytest.mark.parametrize("end", [close(1001, b"bye"), frame(CLOSE), head(3, 0), frame(TEXT, b"\xff")])
def test_nothing_comes_after_the_end_and_nothing_is_kept(end):
    one = reader()
    events = one.feed(frame(TEXT, "a", fin=False) + frame(CONTINUATION, "b") + frame(PONG) + end + frame(TEXT, "c"))
    assert events[:2] == ["ab", Pong(b"")] and isinstance(events[-1], (Close, Failure)) and len(events) == 3
    tracemalloc.start()
    try:
        for _ in range(100):
            assert one.feed(b"\x81" * 10_000) == []
        assert tracemalloc.get_traced_memory()[0] < 50_000
    finally:
        tracemalloc.stop()
    assert not one.unfinished


def test_unfinished():
    one = reader()
    assert not one.unfinished
    whole = frame(TEXT, HELLO)
    for octet in whole[:-1]:
        assert one.feed(bytes([octet])) == []
        assert one.unfinished
    assert one.feed(whole[-1:]) == [HELLO]
    assert not one.unfinished
    start, end = fragments(TEXT, "", "")
    one.feed(start)
    assert one.unfinished
    one.feed(frame(PING))
    assert one.unfinished
    assert one.feed(end + whole[:3]) == [""]
    assert one.unfinished
    one.feed(whole[3:] + head(TEXT, 1, masked=False))
    assert not one.unfinished


def test_binary_messages_are_bytes_however_they_came():
    for size in (None, 1, 5):
        data = b"".join([frame(BINARY, b"x"), frame(BINARY, b"y" * 2000), *fragments(BINARY, b"a", b"b"), frame(PING)])
        *messages, ping = read(data, size=size)
        assert [type(message) for message in messages] == [bytes] * 3
        assert type(ping.payload) is bytes


def fastest(work):
    """Of a few runs: the others met somebody else's."""
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def test_time_is_linear():
    def dribble(size):
        data = head(TEXT, size) + KEY + bytes(size)
        pieces = [data[at : at + 64] for at in range(0, len(data), 64)]
        return lambda: [one.feed(piece) for one in [reader()] for piece in pieces]

    def crowd(count):
        data = frame(TEXT, "x") * count
        return lambda: reader().feed(data)

    def large(size):
        data = head(BINARY, size) + KEY + bytes(size)
        return lambda: reader().feed(data)

    for shape, size in ((dribble, 100_000), (crowd, 5_000), (large, 500_000)):
        # Quadratic would be 256 times; linear is 16 and some noise.
        assert fastest(shape(16 * size)) < 80 * fastest(shape(size))


# What clients send, and near misses of it.
payloads = st.one_of(
    st.binary(max_size=40), st.text(max_size=20).map(str.encode), st.just(b"a" * 130), st.just(b"b" * 1100)
)
frames = st.builds(
    lambda opcode, payload, fin, rsv, masked, key: (
        head(opcode, len(payload), fin=fin, rsv=rsv, masked=masked)
        + frame(opcode, payload, key=key)[-len(payload) - 4 :]
    ),
    st.sampled_from([TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG, 3]),
    payloads,
    st.booleans(),
    st.sampled_from([0] * 20 + [1, 4]),
    st.sampled_from([True] * 20 + [False]),
    st.binary(min_size=4, max_size=4),
)
streams = st.one_of(
    st.binary(max_size=200), st.lists(st.one_of(frames, st.binary(max_size=8)), max_size=12).map(b"".join)
)


@given(streams, st.lists(st.integers(0, 300), max_size=20), st.integers(0, 1200), st.integers(0, 3))
@example(head(TEXT, 200)[:3], [2], 1000, 1)
def test_any_bytes_in_any_pieces_give_the_same_events(data, cuts, max_message, max_parts):
    limits = {"max_message": max_message, "max_parts": max_parts}
    events = read(data, to=reader(**limits))
    assert events == read(data, size=1, to=reader(**limits))
    cuts = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    one = reader(**limits)
    assert events == [event for start, end in itertools.pairwise(cuts) for event in one.feed(data[start:end])]
    ends = [isinstance(event, (Close, Failure)) for event in events]
    assert not any(ends[:-1])
    assert one.unfinished is False or not any(ends)
    for event in events:
        if isinstance(event, (str, bytes)):
            assert len(event.encode() if isinstance(event, str) else event) <= max_message


@given(
    st.lists(st.one_of(st.text(max_size=400), st.binary(max_size=400), st.just("x" * 70_000)), max_size=8), st.data()
)
def test_what_wsprotos_client_sends_arrives(messages, data):
    client = Connection(ConnectionType.CLIENT)
    sent = bytearray()
    for message in messages:
        cut = data.draw(st.integers(0, len(message)))
        kind = theirs.TextMessage if isinstance(message, str) else theirs.BytesMessage
        if data.draw(st.booleans()):
            sent += client.send(kind(data=message))
        else:
            sent += client.send(kind(data=message[:cut], message_finished=False)) + client.send(theirs.Ping(b"p"))
            sent += client.send(kind(data=message[cut:]))
    assert [event for event in read(bytes(sent), size=1009) if not isinstance(event, Ping)] == messages


@given(
    st.binary(min_size=4, max_size=4),
    st.integers(0, 1100).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
)
def test_every_key_unmasks_every_size(key, payload):
    assert read(frame(BINARY, payload, key=key)) == [payload]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_encode_frame_is_what_wsprotos_client_reads(opcode, size):
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(encode_frame(opcode, b"x" * size))
    whole = [event.data for event in client.events()]
    assert whole[0][:0].join(whole) == ("x" * size if opcode == TEXT else b"x" * size)
    # The shortest form, FIN, no mask.
    assert encode_frame(opcode, b"x" * size) == head(opcode, size, masked=False) + b"x" * size


def test_encode_control_frames():
    assert encode_frame(PING, b"*" * 125) == b"\x89\x7d" + b"*" * 125
    assert encode_frame(PONG, b"") == b"\x8a\x00"
    with pytest.raises(ValueError, match="125"):
        encode_frame(PONG, b"*" * 126)


def test_encode_close():
    assert encode_close(1000) == b"\x88\x02\x03\xe8"
    assert encode_close(4999, "bye") == b"\x88\x05\x13\x87bye"
    assert encode_close(1000, "€" * 100) == b"\x88\x7d\x03\xe8" + "€".encode() * 41
    assert encode_close(1000, "x" + "€" * 100) == b"\x88\x7b\x03\xe8x" + "€".encode() * 40
    assert encode_close(1000, "\ud800") == b"\x88\x03\x03\xe8?"


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 5000, 65536])
def test_encode_close_refuses_codes_that_are_never_sent(code):
    with pytest.raises(ValueError, match="no code"):
        encode_close(code)
