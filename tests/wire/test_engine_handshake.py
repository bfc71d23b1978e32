"""The handshake: what is asked, why it is refused, the OPEN packet."""

from __future__ import annotations

import json

import pytest

from trio_socketio import RemoteProtocolError
from trio_socketio._wire.engine_handshake import OpenData, Query, Refusal
from trio_socketio._wire.engine_packet import EnginePacket, PacketType

BOTH = ("polling", "websocket")


def refusal(method="GET", *, is_websocket=False, transports=BOTH, revisions=("4",), **parameters):
    return Query.of(parameters).refusal(
        method=method, is_websocket=is_websocket, transports=transports, revisions=revisions
    )


def test_the_six_codes():
    assert [(code.code, code.message, code.status) for code in Refusal] == [
        (0, "Transport unknown", 400),
        (1, "Session ID unknown", 400),
        (2, "Bad handshake method", 400),
        (3, "Bad request", 400),
        (4, "Forbidden", 403),
        (5, "Unsupported protocol version", 400),
    ]
    assert Refusal.UNKNOWN_SID.body() == b'{"code":1,"message":"Session ID unknown"}'
    assert Refusal.FORBIDDEN.body("no") == b'{"code":4,"message":"no"}'


@pytest.mark.parametrize("transport", [None, "", "abc", "constructor", "__proto__", "webtransport", "POLLING"])
def test_unknown_transports(transport):
    parameters = {} if transport is None else {"transport": transport}
    assert refusal(EIO="4", **parameters) is Refusal.UNKNOWN_TRANSPORT


def test_each_refusal():
    assert refusal(EIO="4", transport="polling") is None
    assert refusal(EIO="4", transport="websocket", is_websocket=True) is None
    assert refusal(EIO="4", transport="polling", transports=("websocket",)) is Refusal.UNKNOWN_TRANSPORT
    assert refusal("POST", EIO="4", transport="polling") is Refusal.BAD_HANDSHAKE_METHOD
    assert refusal(EIO="4", transport="websocket") is Refusal.BAD_REQUEST
    for revision in ({}, {"EIO": "3"}, {"EIO": "5"}, {"EIO": "abc"}):
        assert refusal(transport="polling", **revision) is Refusal.UNSUPPORTED_PROTOCOL_VERSION
        assert refusal(transport="polling", sid="x", **revision) is Refusal.BAD_REQUEST
    assert refusal("POST", EIO="4", transport="polling", sid="x") is None


@pytest.mark.parametrize("sid", ["", "x"])
def test_the_revisions_that_are_spoken(sid):
    no = Refusal.BAD_REQUEST if sid else Refusal.UNSUPPORTED_PROTOCOL_VERSION
    for revision, expected in (("3", None), ("4", None), ("", no), ("34", no), ("5", no), ("\u0663", no)):
        assert refusal(EIO=revision, transport="polling", sid=sid, revisions=("4", "3")) is expected
    assert refusal(transport="polling", sid=sid, revisions=("4", "3")) is no


def test_open_packet():
    data = OpenData(sid="x", upgrades=["websocket"], ping_interval=25.0, ping_timeout=0.2, max_payload=1_000_000)
    packet = data.encode()
    assert packet.message_form == (
        '0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":200,"maxPayload":1000000}'
    )
    assert OpenData.decode(packet) == data


@pytest.mark.parametrize(
    "packet",
    [
        EnginePacket(PacketType.MESSAGE, "{}"),
        EnginePacket(PacketType.OPEN, "{}"),
        EnginePacket(PacketType.OPEN, "nonsense"),
        EnginePacket(PacketType.MESSAGE, b"{}"),
        EnginePacket(
            PacketType.OPEN,
            json.dumps({"sid": 5, "upgrades": [], "pingInterval": 1, "pingTimeout": 1, "maxPayload": 1}),
        ),
    ],
)
def test_unreadable_open_packets(packet):
    with pytest.raises(RemoteProtocolError):
        OpenData.decode(packet)
