"""Engine.IO packets in both of their forms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio import RemoteProtocolError
from trio_socketio._wire.engine_packet import PING, EnginePacket, PacketType, decode_packet


@pytest.mark.parametrize(
    ("packet", "message", "in_payload", "size"),
    [
        (EnginePacket(PacketType.MESSAGE, "hello"), "4hello", "4hello", 6),
        (EnginePacket(PacketType.MESSAGE, "é€"), "4é€", "4é€", 6),
        (EnginePacket(PacketType.MESSAGE, b"\1\2\3\4"), b"\1\2\3\4", "bAQIDBA==", 4),
        (PING, "2", "2", 1),
        (EnginePacket(PacketType.PONG, "probe"), "3probe", "3probe", 6),
    ],
)
def test_forms(packet, message, in_payload, size):
    for _ in range(2):
        assert packet.message_form == message
        assert packet.payload_form == in_payload
        assert packet.size == size
    assert decode_packet(message) == packet
    assert decode_packet(in_payload) == packet


@pytest.mark.parametrize("encoded", ["", "7", "abc", "b?", "bAQID*A==", "bAQ=", "bé", "bAQ==AQ=="])
def test_refuses(encoded):
    with pytest.raises(RemoteProtocolError):
        decode_packet(encoded)


def test_equality_and_looks():
    assert PING != "2"
    assert PING != EnginePacket(PacketType.PONG)
    assert len({PING, EnginePacket(PacketType.PING)}) == 1
    assert repr(PING) == "EnginePacket(PING, '')"


@settings(derandomize=True, deadline=None)
@given(st.text() | st.binary())
def test_any_input_gives_a_packet_or_a_remote_protocol_error(encoded):
    try:
        packet = decode_packet(encoded)
    except RemoteProtocolError:
        return
    assert decode_packet(packet.message_form) == packet


def test_other_forms_are_made_once():
    packet, asked = EnginePacket(PacketType.MESSAGE, "a"), []

    def shout(packet: EnginePacket) -> str:
        asked.append(packet)
        return packet.data.upper()

    def in_bytes(packet: EnginePacket) -> bytes:
        return packet.data.encode()

    assert [packet.form(shout), packet.form(in_bytes), packet.form(shout)] == ["A", b"a", "A"]
    assert asked == [packet]
