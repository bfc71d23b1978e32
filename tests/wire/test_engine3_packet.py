"""Packets of revision 3 on a WebSocket."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio import RemoteProtocolError
from trio_socketio._wire.engine3_packet import (
    as_revision_4,
    decode_binary,
    decode_text,
    encode_base64_frames,
    encode_base64_message,
    encode_frames,
    encode_message,
)
from trio_socketio._wire.engine_packet import EnginePacket, PacketType, decode_packet
from trio_socketio._wire.websocket_frame import BINARY, TEXT, encode_frame

TEXTS = [
    (EnginePacket(PacketType.OPEN, '{"sid":"x"}'), '0{"sid":"x"}'),
    (EnginePacket(PacketType.CLOSE), "1"),
    (EnginePacket(PacketType.PING), "2"),
    (EnginePacket(PacketType.PONG, "probe"), "3probe"),
    (EnginePacket(PacketType.MESSAGE, "hello €"), "4hello €"),
    (EnginePacket(PacketType.UPGRADE), "5"),
    (EnginePacket(PacketType.NOOP), "6"),
]


def message(data: str | bytes) -> EnginePacket:
    return EnginePacket(PacketType.MESSAGE, data)


@pytest.mark.parametrize(("packet", "encoded"), TEXTS)
def test_text_is_that_of_revision_4(packet, encoded):
    assert encode_message(packet) == encode_base64_message(packet) == packet.message_form == encoded
    assert decode_text(encoded) == packet
    assert as_revision_4(encoded) == encoded
    assert encode_frames([packet]) == encode_base64_frames([packet]) == packet.frame


@pytest.mark.parametrize("data", [b"", b"\1\2\3\4", b"4", bytes(range(256)) * 300])
def test_bytes_have_their_type_in_front(data):
    packet = message(data)
    assert encode_message(packet) == b"\4" + data
    assert encode_frames([packet]) == encode_frame(BINARY, b"\4" + data)
    assert decode_binary(b"\4" + data) == packet
    assert as_revision_4(b"\4" + data) == data


@pytest.mark.parametrize(("data", "encoded"), [(b"", "b4"), (b"\1\2\3\4", "b4AQIDBA=="), (b"\xff\xff\xff", "b4////")])
def test_bytes_as_text(data, encoded):
    packet = message(data)
    assert encode_base64_message(packet) == encoded
    assert encode_base64_frames([packet]) == encode_frame(TEXT, encoded.encode())
    assert decode_text(encoded) == packet
    assert as_revision_4(encoded) == data


def test_frames_in_order():
    packets = [message("a"), message(b"\1"), message("€")]
    assert encode_frames(packets) == packets[0].frame + encode_frame(BINARY, b"\4\1") + packets[2].frame
    assert encode_base64_frames(packets) == packets[0].frame + encode_frame(TEXT, b"b4AQ==") + packets[2].frame
    assert encode_frames([]) == b""


def test_a_broadcast_frames_once_for_each_form():
    packet = message(b"\1" * 1000)
    first, second = encode_frames([packet]), encode_frames([packet])
    # A join of one part is that part.
    assert first is second
    assert encode_base64_frames([packet]) is encode_base64_frames([packet])
    assert first not in {packet.frame, encode_base64_frames([packet])}


@pytest.mark.parametrize(
    "encoded", ["", "x", "7", "\0", "٤a", "b", "bAQ==", "b3AQ==", "b4A", "b4A===", "b4 AQ==", "b4é"]
)
def test_text_that_is_no_packet(encoded):
    with pytest.raises(RemoteProtocolError):
        decode_text(encoded)


@pytest.mark.parametrize("encoded", [b"", b"\0", b"\1", b"\2", b"\3probe", b"\5", b"\6", b"\7", b"4hello", b"\xff\4"])
def test_bytes_that_are_no_message(encoded):
    with pytest.raises(RemoteProtocolError):
        decode_binary(encoded)
    with pytest.raises(RemoteProtocolError):
        as_revision_4(encoded)


@pytest.mark.parametrize("encoded", ["b", "bAQ==", "b2AQ==", "b4A", "b4????"])
def test_base64_of_a_websocket_that_is_no_message(encoded):
    with pytest.raises(RemoteProtocolError):
        as_revision_4(encoded)


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=50) | st.binary(max_size=50))
def test_round_trip(data):
    packet = message(data)
    encoded, in_base64 = encode_message(packet), encode_base64_message(packet)
    assert decode_text(in_base64) == packet
    assert (decode_text(encoded) if isinstance(encoded, str) else decode_binary(encoded)) == packet
    for form in (encoded, in_base64):
        # What a session of revision 4 would make of it.
        assert decode_packet(as_revision_4(form)) == packet


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=20) | st.binary(max_size=20) | st.text("b4AQ=1", max_size=8))
def test_any_input_gives_a_packet_or_a_remote_protocol_error(encoded):
    try:
        decoded = decode_packet(as_revision_4(encoded))
    except RemoteProtocolError:
        return
    assert isinstance(decoded.type, PacketType)
