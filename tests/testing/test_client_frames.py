"""WebSocket frames, the client's side; that what it sends is legal, the server's own reader says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_socketio import RemoteProtocolError
from trio_socketio._wire.websocket_frame import BINARY, TEXT, FrameReader, encode_frame
from trio_socketio.testing.client_frames import ServerFrames, encode_masked


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 70_000])
def test_both_directions_at_every_length(size):
    payload = bytes(size)
    assert FrameReader(max_message=100_000, max_parts=9).feed(encode_masked(BINARY, payload)) == [payload]
    assert ServerFrames().feed(encode_frame(BINARY, payload)) == [(BINARY, payload)]


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_it_does_not_matter_where_the_bytes_are_cut(payloads, cuts):
    data = b"".join(encode_frame(TEXT, payload) for payload in payloads)
    reader, frames, at = ServerFrames(), [], 0
    for byte in encode_frame(BINARY, bytes(300)):
        frames += reader.feed(bytes([byte]))
    assert frames.pop() == (BINARY, bytes(300))
    while at < len(data):
        step = cuts[at % len(cuts)]
        frames += reader.feed(data[at : at + step])
        at += step
    assert frames == [(TEXT, payload) for payload in payloads]


@pytest.mark.parametrize("data", [b"\x01\x00", b"\xc1\x00", b"\x83\x00", b"\x81\x81\0\0\0\0x", b"\x00\x01x"], ids=repr)
def test_what_servers_of_ours_never_send_is_refused(data):
    with pytest.raises(RemoteProtocolError, match="not a whole frame of a server"):
        ServerFrames().feed(data)
