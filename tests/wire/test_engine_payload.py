"""HTTP payloads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio import RemoteProtocolError
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.engine_payload import decode_payload, encode_payload


def test_text_and_binary():
    packets = [
        EnginePacket(PacketType.MESSAGE, "é"),
        EnginePacket(PacketType.PING),
        EnginePacket(PacketType.MESSAGE, b"\1"),
    ]
    body, content_type = encode_payload(packets)
    assert content_type == "text/plain; charset=UTF-8"
    assert body == "4é\x1e2\x1ebAQ==".encode()
    assert decode_payload(body, max_packets=3) == packets


@pytest.mark.parametrize("body", [b"", b"\x1e", b"4a\x1e", b"abc", b"4\xff", b"4a\x1e4b\x1e4c\x1e4d"])
def test_refuses(body):
    with pytest.raises(RemoteProtocolError):
        decode_payload(body, max_packets=3)


packets = st.builds(
    lambda data: EnginePacket(PacketType.MESSAGE, data), st.text().filter(lambda text: "\x1e" not in text) | st.binary()
)


@settings(derandomize=True, deadline=None)
@given(st.lists(packets, min_size=1, max_size=10))
def test_round_trip(sent):
    assert decode_payload(encode_payload(sent)[0], max_packets=10) == sent


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=200))
def test_any_input_gives_packets_or_a_remote_protocol_error(body):
    try:
        decode_payload(body, max_packets=5)
    except RemoteProtocolError:
        pass
