"""Token by token: where values end, how deep they are, and the same verdict as msgspec's."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio import RemoteProtocolError
from trio_socketio._wire.msgpack_tokens import DATE, UNDEFINED, recoded

WHOLE = [
    *(bytes([first]) for first in [*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3, 0x80, 0x90, 0xA0]),
    *(bytes([0xA0 + length]) + b"x" * length for length in range(32)),
    b"\xc4\x02xx",
    b"\xc5\0\x02xx",
    b"\xc6\0\0\0\x02xx",
    b"\xc7\x02\x05xx",
    b"\xc8\0\x02\x05xx",
    b"\xc9\0\0\0\x02\x05xx",
    b"\xca" + bytes(4),
    b"\xcb" + bytes(8),
    *(bytes([first]) + bytes(width) for first in (0xCC, 0xD0) for width in [1]),
    *(bytes([first]) + bytes(width) for first in (0xCD, 0xD1) for width in [2]),
    *(bytes([first]) + bytes(width) for first in (0xCE, 0xD2) for width in [4]),
    *(bytes([first]) + bytes(width) for first in (0xCF, 0xD3) for width in [8]),
    *(b"%c\x05" % (0xD4 + power) + bytes(2**power) for power in range(5)),
    b"\xd9\x02xx",
    b"\xda\0\x02xx",
    b"\xdb\0\0\0\x02xx",
    b"\xdc\0\x02\x01\x02",
    b"\xdd\0\0\0\x02\x01\x02",
    b"\xde\0\x01\xa1a\x02",
    b"\xdf\0\0\0\x01\xa1a\x02",
    b"\x92\x81\xa1a\x90\xc0",
]


@pytest.mark.parametrize("message", WHOLE, ids=bytes.hex)
def test_knows_where_each_form_ends(message):
    msgspec.msgpack.decode(message)
    assert recoded(message, 3) == message
    assert recoded(b"\x92" + message + message, 4) == b"\x92" + message + message
    for wrong in (message[:-1], message + b"\0"):
        with pytest.raises(RemoteProtocolError):
            recoded(wrong, 3)


@pytest.mark.parametrize(
    "message", [b"\xc1", b"\x91\xc1", b"", b"\xd4", b"\xd7\0", b"\xdc\0", b"\xc5\0"], ids=bytes.hex
)
def test_refuses_what_is_no_messagepack(message):
    with pytest.raises(RemoteProtocolError):
        recoded(message, 9)


def test_measures_the_depth_exactly():
    for message, depth in [(b"\x90", 1), (b"\x91" * 8 + b"\x80", 9), (b"\x92\x91\x90" + b"\x91\x91\x91\x01", 4)]:
        assert recoded(message, depth) == message
        with pytest.raises(RemoteProtocolError, match="nested"):
            recoded(message, depth - 1)


@pytest.mark.parametrize(
    "key", [b"\x01", b"\xc0", b"\xc4\x01a", b"\x90", b"\x80", b"\xd4\0\0", b"\xff", b"\xcb" + bytes(8)]
)
def test_refuses_keys_that_are_not_text(key):
    for message in (b"\x81" + key + b"\0", b"\x82\xa1a\0" + key + b"\0", b"\x82\xa1a\x91\0" + key + b"\0"):
        with pytest.raises(RemoteProtocolError, match="key"):
            recoded(message, 9)


def test_recodes_undefined_and_dates_but_nothing_that_looks_like_them():
    undefined, when, inside = b"\xd4\0\0", b"\xd7\0" + bytes(8), b"\xc4\x03\xd4\0\0"
    buffers, others = b"\xc7\x01\0\0" + b"\xc7\x08\0" + bytes(8), b"\xd4\x05\0\xd7\x05" + bytes(8)
    message = b"\x97" + undefined + when + inside + buffers + others
    expected = message.replace(b"\x97\xd4\0", b"\x97\xd4%c" % UNDEFINED).replace(when, b"\xd7%c" % DATE + bytes(8))
    assert recoded(message, 1) == expected


@settings(derandomize=True, deadline=None, max_examples=1500)
@given(st.lists(st.integers(0x80, 0xFF) | st.integers(0, 3), max_size=12).map(bytes))
def test_what_it_lets_pass_ends_where_msgspec_says_too(message):
    try:
        recoded(message, 99)
    except RemoteProtocolError:
        return
    try:
        msgspec.msgpack.decode(message, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        pytest.fail(f"{message.hex()}: {error}")
