"""HTTP payloads of revision 3, in text and in bytes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio import RemoteProtocolError
from trio_socketio._wire.engine3_payload import (
    BINARY_TYPE,
    decode_binary_payload,
    decode_payload,
    encode_base64_payload,
    encode_payload,
)
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.engine_payload import TEXT_TYPE

EMOJI = "\U0001f600"


def message(data: str | bytes) -> EnginePacket:
    return EnginePacket(PacketType.MESSAGE, data)


HELLO = message("hello")
BYTES = message(b"\1\2\3\4")

IN_TEXT = [
    ([HELLO], "6:4hello"),
    ([message("test1"), message("test2"), message("test3")], "6:4test16:4test26:4test3"),
    ([HELLO, BYTES], "6:4hello10:b4AQIDBA=="),
    ([EnginePacket(PacketType.PONG)], "1:3"),
    ([EnginePacket(PacketType.NOOP), EnginePacket(PacketType.CLOSE)], "1:61:1"),
    # The lengths count as JavaScript does: the euro is one unit, the face two.
    ([message("€"), message(EMOJI), HELLO], f"2:4€3:4{EMOJI}6:4hello"),
    ([message("1:2")], "4:41:2"),
    ([message("")], "1:4"),
]

IN_BYTES = [
    ([HELLO, BYTES], b"\0\6\xff4hello\1\5\xff\4\1\2\3\4"),
    ([BYTES], b"\1\5\xff\4\1\2\3\4"),
    # There they count bytes.
    ([message("€"), message(EMOJI), message(b"")], b"\0\4\xff4\xe2\x82\xac\0\5\xff4\xf0\x9f\x98\x80\1\1\xff\4"),
    ([message(b"\xff" * 123)], b"\1\1\2\4\xff\4" + b"\xff" * 123),
    ([message("x" * 1000), message(b"")], b"\0\1\0\0\1\xff4" + b"x" * 1000 + b"\1\1\xff\4"),
]


class TestText:
    @pytest.mark.parametrize(("packets", "text"), IN_TEXT)
    def test_both_ways(self, packets, text):
        assert encode_base64_payload(packets) == (text.encode(), TEXT_TYPE)
        assert decode_payload(text.encode(), max_packets=3) == packets

    @pytest.mark.parametrize(("packets", "text"), [case for case in IN_TEXT if BYTES not in case[0]])
    def test_without_bytes_it_is_text_for_all(self, packets, text):
        assert encode_payload(packets) == (text.encode(), TEXT_TYPE)

    @pytest.mark.parametrize(
        "body",
        [
            b"", b":", b"abc", b"4hello", b"6:4hell", b"6:4hello:", b"6:4hello6", b"6:4hello6:", b"6:4hellox", b"5:4hello",
            b"0:", b"0:6:4hello", b"6:4hello0:", b"06:4hello", b"+6:4hello", b"-1:4", b" 6:4hello", b"6 :4hello", b"6.0:4hello",
            b"6e0:4hello", b"0x6:4hello", b"1_0:4hello6789", b"Infinity:4", b"NaN:4", b"6:xhello", b"1:x", b"1:7", b"2:b4"[:-1],
            b"3:b3A", b"1:\xff", b"2:4\xe2\x82", b"9999999999:4", b"99999999999:4", b"9" * 5000 + b":4", b"1:21:21:21:2",
        ],
    )  # fmt: skip
    def test_refuses(self, body):
        with pytest.raises(RemoteProtocolError):
            decode_payload(body, max_packets=3)

    @pytest.mark.parametrize("digits", ["٦", "６", "۶", "²"])
    def test_digits_of_other_scripts_are_none(self, digits):
        with pytest.raises(RemoteProtocolError):
            decode_payload(f"{digits}:4hello".encode(), max_packets=3)

    @pytest.mark.parametrize("body", [f"2:4{EMOJI}", f"2:4{EMOJI}1:2", f"4:4{EMOJI}", f"3:4€{EMOJI}"])
    def test_a_length_that_cuts_a_surrogate_pair_or_counts_otherwise(self, body):
        with pytest.raises(RemoteProtocolError):
            decode_payload(body.encode(), max_packets=3)

    def test_the_number_of_packets(self):
        assert len(decode_payload(b"1:2" * 1000, max_packets=1000)) == 1000
        with pytest.raises(RemoteProtocolError, match="more than 1000 packets"):
            decode_payload(b"1:2" * 1001, max_packets=1000)


class TestBytes:
    @pytest.mark.parametrize(("packets", "body"), IN_BYTES)
    def test_both_ways(self, packets, body):
        assert encode_payload(packets) == (body, BINARY_TYPE)
        assert decode_binary_payload(body, max_packets=3) == packets

    def test_base64_in_a_text_packet(self):
        assert decode_binary_payload(b"\0\1\0\xffb4AQIDBA==", max_packets=3) == [BYTES]

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"\0", b"\1", b"\0\xff", b"\0\1", b"\0\1\xff", b"\1\1\xff", b"\0\6\xff4hell", b"\0\5\xff4hello", b"\0\6\xff4hello\0",
            b"\2\1\xff4", b"\xff\1\xff4", b"0\1\xff4", b"\0\0\xff", b"\0\0\1\xff4", b"\0\x0a\xff4", b"\0\1\xfe4", b"\0001\xff4",
            b"\0\xff\xff4", b"\1\1\xff4", b"\1\1\xff\2", b"\1\2\xff\3\3", b"\0\1\xffx", b"\0\1\xff\4", b"\0\2\xff4\xff",
            b"\0" + b"\x09" * 10 + b"\xff4", b"\0" + b"\x09" * 11 + b"\xff4", b"\0" + b"\x09" * 5000 + b"\xff4",
            b"\0\1\xff2" * 4, b"6:4hello",
        ],
    )  # fmt: skip
    def test_refuses(self, body):
        with pytest.raises(RemoteProtocolError):
            decode_binary_payload(body, max_packets=3)

    def test_the_number_of_packets(self):
        assert len(decode_binary_payload(b"\0\1\xff2" * 1000, max_packets=1000)) == 1000
        with pytest.raises(RemoteProtocolError, match="more than 1000 packets"):
            decode_binary_payload(b"\0\1\xff2" * 1001, max_packets=1000)


def test_a_broadcast_encodes_once_for_each_form(monkeypatch):
    packet = message(b"\1" * 1000)
    text, parts = encode_base64_payload([packet]), encode_payload([packet])
    # What was made is kept: nothing of the packet is looked at again.
    packet.data = b"changed"
    assert encode_base64_payload([packet]) == text
    assert encode_payload([packet]) == parts


FACES = f"3:4{EMOJI}" * 140_000


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (decode_payload, b"1:2" * 330_000),
        (decode_payload, FACES.encode()),
        (decode_payload, b"9999999999:" + b"4" * 1_000_000),
        (decode_payload, ("999999:4" + EMOJI * 200_000).encode()),
        (decode_payload, b"1" * 1_000_000),
        (decode_binary_payload, b"\0\1\xff2" * 250_000),
        (decode_binary_payload, b"\0" + b"\x09" * 1_000_000),
    ],
)
def test_a_megabyte_of_anything_is_linear(decode, body):
    began = time.process_time()
    try:
        decode(body, max_packets=10**6)
    except RemoteProtocolError:
        pass
    # Quadratic would be minutes.
    assert time.process_time() - began < 10


packets = st.builds(message, st.text(max_size=30) | st.binary(max_size=30))


@settings(derandomize=True, deadline=None)
@given(st.lists(packets, min_size=1, max_size=10))
def test_round_trip(sent):
    assert decode_payload(encode_base64_payload(sent)[0], max_packets=10) == sent
    body, content_type = encode_payload(sent)
    decode = decode_binary_payload if content_type == BINARY_TYPE else decode_payload
    assert decode(body, max_packets=10) == sent


@settings(derandomize=True, deadline=None)
@given(st.lists(packets, min_size=1, max_size=10))
def test_lengths_are_those_of_javascript(sent):
    # Written down as the sender's language would: a string of 16-bit units.
    text = encode_base64_payload(sent)[0].decode().encode("utf-16-le")
    for packet in sent:
        colon = text.index(":".encode("utf-16-le"))
        length, text = int(text[:colon].decode("utf-16-le")), text[colon + 2 :]
        assert length == len(text[: 2 * length]) // 2
        part, text = text[: 2 * length].decode("utf-16-le"), text[2 * length :]
        assert part[0] == ("b" if isinstance(packet.data, bytes) else "4")
    assert not text


hostile = st.binary(max_size=100) | st.lists(
    st.sampled_from(
        [b"1:", b"2:", b"6:", b"4", b"b4", b"\0", b"\1", b"\xff", b"\4", "€".encode(), EMOJI.encode(), b"="]
    )
).map(b"".join)


@settings(derandomize=True, deadline=None)
@given(hostile, st.sampled_from([decode_payload, decode_binary_payload]))
def test_any_input_gives_packets_or_a_remote_protocol_error(body, decode):
    try:
        decoded = decode(body, max_packets=5)
    except RemoteProtocolError:
        return
    assert 1 <= len(decoded) <= 5


@settings(derandomize=True, deadline=None)
@given(st.lists(packets, min_size=1, max_size=5), st.data())
def test_a_payload_cut_anywhere_is_none_or_a_part_of_it(sent, data):
    body, content_type = encode_payload(sent)
    decode = decode_binary_payload if content_type == BINARY_TYPE else decode_payload
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    try:
        decoded = decode(cut, max_packets=10)
    except RemoteProtocolError:
        return
    assert decoded == sent[: len(decoded)]
