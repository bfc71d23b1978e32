"""The rules for packets of any format; the parsers' own tests go through them with every kind of message."""

from __future__ import annotations

import pytest

from trio_socketio import Ack, Connect, ConnectError, Disconnect, Event, Limits, RemoteProtocolError, checked_packet
from trio_socketio._wire.socket_packet import MAX_ACK_ID, RESERVED_EVENTS

SHORT = Limits(max_name_length=5)


@pytest.mark.parametrize(
    ("parts", "packet"),
    [
        ((0, "/", None, None), Connect("/")),
        ((0, "/a", {"token": 1}, None), Connect("/a", {"token": 1})),
        ((1, "/", None, None), Disconnect("/")),
        ((2, "/a", ["x", 1], None), Event("/a", ["x", 1])),
        ((2, "/", ["x"], 0), Event("/", ["x"], 0)),
        ((2, "/", [7, 1], MAX_ACK_ID), Event("/", ["7", 1], MAX_ACK_ID)),
        ((2, "/", [-0.0], None), Event("/", ["0"])),
        ((2, "/", ["12345"], None), Event("/", ["12345"])),
        ((3, "/1234", [], 7), Ack("/1234", [], 7)),
        ((4, "/", "no", None), ConnectError("/", "no")),
        ((4, "/", {"message": "no"}, None), ConnectError("/", {"message": "no"})),
    ],
)
def test_takes(parts, packet):
    assert checked_packet(*parts, SHORT) == packet


@pytest.mark.parametrize(
    "parts",
    [
        (5, "/", ["x"], None),
        (-1, "/", ["x"], None),
        ("2", "/", ["x"], None),
        (None, "/", ["x"], None),
        (2, "a", ["x"], None),
        (2, "", ["x"], None),
        (2, None, ["x"], None),
        (2, b"/", ["x"], None),
        (2, "/a\0", ["x"], None),
        (2, "/12345", ["x"], None),
        (2, "/", ["x"], -1),
        (2, "/", ["x"], MAX_ACK_ID + 1),
        (2, "/", ["x"], True),
        (2, "/", ["x"], 1.0),
        (2, "/", ["x"], "1"),
        (2, "/", None, None),
        (2, "/", [], None),
        (2, "/", "x", None),
        (2, "/", {"0": "x"}, None),
        (2, "/", ["123456"], None),
        (2, "/", [True], None),
        (2, "/", [None], None),
        (2, "/", [float("nan")], None),
        (2, "/", [float("-inf")], None),
        *((2, "/", [name], None) for name in sorted(RESERVED_EVENTS)),
        (3, "/", [], None),
        (3, "/", None, 1),
        (3, "/", {}, 1),
        (0, "/", [], None),
        (0, "/", "x", None),
        (1, "/", [], None),
        (4, "/", None, None),
        (4, "/", [], None),
    ],
)
def test_refuses(parts):
    with pytest.raises(RemoteProtocolError):
        checked_packet(*parts, SHORT if "connect_error" not in str(parts) else Limits())
