"""Which forms a transport's packets have."""

from __future__ import annotations

import pytest

from trio_socketio._wire.engine_codec import REVISION_3, REVISION_3_BASE64, REVISION_4, codec_of
from trio_socketio._wire.engine_packet import EnginePacket, PacketType

BYTES = EnginePacket(PacketType.MESSAGE, b"\1\2\3\4")


@pytest.mark.parametrize(
    ("parameters", "codec"),
    [
        ({"EIO": "4"}, REVISION_4),
        ({"EIO": "4", "b64": "1"}, REVISION_4),
        ({"EIO": "3"}, REVISION_3),
        ({"EIO": "3", "b64": ""}, REVISION_3),
        ({"EIO": "3", "b64": "1"}, REVISION_3_BASE64),
        ({"EIO": "3", "b64": "true"}, REVISION_3_BASE64),
    ],
)
def test_what_a_request_chooses(parameters, codec):
    assert codec_of(parameters) is codec


def test_the_forms_of_bytes():
    assert REVISION_4.encode_payload([BYTES]) == (b"bAQIDBA==", "text/plain; charset=UTF-8")
    assert REVISION_3.encode_payload([BYTES]) == (b"\1\5\xff\4\1\2\3\4", "application/octet-stream")
    assert REVISION_3_BASE64.encode_payload([BYTES]) == (b"10:b4AQIDBA==", "text/plain; charset=UTF-8")
    assert REVISION_4.encode_message(BYTES) == b"\1\2\3\4"
    assert REVISION_3.encode_message(BYTES) == b"\4\1\2\3\4"
    assert REVISION_3_BASE64.encode_message(BYTES) == "b4AQIDBA=="


def test_revision_4_has_nothing_to_do_where_it_is_fast():
    assert REVISION_4.encode_frames is None
    assert REVISION_4.decode_message is None
    assert REVISION_4.decode_binary_payload is None


@pytest.mark.parametrize("codec", [REVISION_3, REVISION_3_BASE64])
def test_clients_of_revision_3_may_send_either_form(codec):
    assert codec.revision == "3"
    assert codec.decode_payload(b"10:b4AQIDBA==", max_packets=1) == [BYTES]
    assert codec.decode_binary_payload(b"\1\5\xff\4\1\2\3\4", max_packets=1) == [BYTES]
    assert codec.decode_message("b4AQIDBA==") == codec.decode_message(b"\4\1\2\3\4") == BYTES.data
