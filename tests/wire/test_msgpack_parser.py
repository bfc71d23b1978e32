"""The MessagePack parser: against bytes of the official server and client, round trips, and whatever a peer may send.

The golden bytes were taken from Node's socket.io 4.8.4 and socket.io-client 4.8.4 with socket.io-msgpack-parser 3.0.2.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections import UserDict, deque
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.test_json_parser import Itself, Number, Share, Text, itself, twice
from trio_socketio import Limits, MessagePackParser, RemoteProtocolError
from trio_socketio._wire.socket_packet import MAX_ACK_ID, RESERVED_EVENTS, Ack, Connect, ConnectError, Disconnect, Event

parser = MessagePackParser()
pack = msgspec.msgpack.encode
Ext = msgspec.msgpack.Ext
MOMENT = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)

FROM_THE_SERVER = [
    (Disconnect("/"), "82a47479706501a36e7370a12f"),
    (Event("/", ["ask", 1], 0), "84a47479706502a46461746192a361736b01a2696400a36e7370a12f"),
    (Event("/", ["x"]), "83a47479706502a46461746191a178a36e7370a12f"),
    (
        Event("/", ["hello", 1, "é", -1, 1.5, None, True, b"\1\2", MOMENT, {"a": [{}]}]),
        "83a47479706502a4646174619aa568656c6c6f01a2c3a9ffcb3ff8000000000000c0c3c4020102d700000000e8d4a5100081a1619180"
        "a36e7370a12f",
    ),
    (Ack("/", ["ok", 2], 2), "84a2696402a47479706503a46461746192a26f6b02a36e7370a12f"),
    (
        ConnectError("/", {"message": "no", "data": {"code": 7}}),
        "83a47479706504a46461746182a76d657373616765a26e6fa46461746181a4636f646507a36e7370a12f",
    ),
]
FROM_THE_CLIENT = [
    (Connect("/"), "83a47479706500a464617461d40000a36e7370a12f"),
    (Connect("/admin", {"t": 1}), "83a47479706500a46461746181a17401a36e7370a62f61646d696e"),
    (
        Event("/", ["plain"]),
        "84a47479706502a46461746191a5706c61696ea76f7074696f6e7381a8636f6d7072657373c3a36e7370a12f",
    ),
    (
        # {a: undefined, f() {}, d: new Date(5), u8: a Uint8Array of 1, 2, 3, big: 2 ** 40, neg: -(2 ** 40)}
        Event(
            "/",
            [
                "q",
                {
                    "a": None,
                    "d": datetime(1970, 1, 1, 0, 0, 0, 5000, tzinfo=UTC),
                    "u8": b"\1\2\3",
                    "big": 2**40,
                    "neg": -(2**40),
                },
            ],
            0,
        ),
        "85a47479706502a46461746192a17185a161d40000a164d7000000000000000005a27538c70300010203a3626967cf0000010000000000"
        "a36e6567d3ffffff0000000000a76f7074696f6e7381a8636f6d7072657373c3a2696400a36e7370a12f",
    ),
    (
        # new Map(), new Set(), /x/, Infinity, new Float64Array([1])
        Event("/", ["q", {}, {}, {}, math.inf, b"\0\0\0\0\0\0\xf0\x3f"], 2),
        "85a47479706502a46461746196a171808080cb7ff0000000000000c70800000000000000f03fa76f7074696f6e7381a8636f6d7072657373"
        "c3a2696402a36e7370a12f",
    ),
    (Ack("/", [2], 0), "84a47479706503a2696400a4646174619102a36e7370a12f"),
    (Disconnect("/"), "82a47479706501a36e7370a12f"),
]
# What is left out here because it is undefined in JavaScript either way.
WITHOUT_UNDEFINED = [
    (
        Connect("/", {"sid": "JrPdnf-r77NElp5ZAAAA"}),
        "83a47479706500a46461746182a3736964b44a7250646e662d7237374e456c70355a41414141a3706964d40000a36e7370a12f",
    ),
    (
        ConnectError("/", {"message": "no"}),
        "83a47479706504a46461746182a76d657373616765a26e6fa464617461d40000a36e7370a12f",
    ),
]


def decode(message, limits=None):
    return parser.decoder(limits or Limits()).feed(message)


def carrying(value):
    """The bytes of an event with this value's bytes in it."""
    return b"\x83\xa4type\x02\xa4data\x92\xa1x" + value + b"\xa3nsp\xa1/"


@pytest.mark.parametrize(("packet", "message"), FROM_THE_SERVER)
def test_encodes_byte_for_byte_as_the_official_server(packet, message):
    assert parser.encode(packet) == [bytes.fromhex(message)]
    assert decode(bytes.fromhex(message)) == packet


@pytest.mark.parametrize(("packet", "message"), FROM_THE_CLIENT)
def test_decodes_what_the_official_client_sends(packet, message):
    assert decode(bytes.fromhex(message)) == packet


@pytest.mark.parametrize(("packet", "message"), WITHOUT_UNDEFINED)
def test_differs_from_the_official_server_by_what_is_undefined_only(packet, message):
    (ours,) = parser.encode(packet)
    (name,) = {"sid", "message"} & set(packet.data)
    assert (
        bytes.fromhex(message)
        .replace(b"\xa3pid\xd4\0\0", b"")
        .replace(b"\xa4data\xd4\0\0", b"")
        .replace(b"\x82", b"\x81")
        == ours
    )
    assert decode(bytes.fromhex(message)).data[name] == packet.data[name]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (127, "7f"),
        (128, "cc80"),
        (255, "ccff"),
        (256, "cd0100"),
        (65536, "ce00010000"),
        (2**32, "cf0000000100000000"),
        (-32, "e0"),
        (-33, "d0df"),
        (-128, "d080"),
        (-129, "d1ff7f"),
        (-32769, "d2ffff7fff"),
        (-(2**31) - 1, "d3ffffffff7fffffff"),
        ("x" * 31, "bf" + "78" * 31),
        ("x" * 32, "d920" + "78" * 32),
        ("x" * 256, "da0100" + "78" * 256),
        ("\U0001f600", "a4f09f9880"),
        (b"", "c400"),
        (b"x" * 256, "c50100" + "78" * 256),
        ([0] * 15, "9f" + "00" * 15),
        ([0] * 16, "dc0010" + "00" * 16),
        ({str(n): 0 for n in range(10)}, "8a" + "".join(f"a13{n}00" for n in range(10))),
        (math.nan, "cb7ff8000000000000"),
        (datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), "d700ffffffffffffffff"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_writes_each_value_in_the_form_of_notepack(value, written):
    assert parser.encode(Event("/", ["x", value])) == [carrying(bytes.fromhex(written))]


@dataclasses.dataclass
class Holder:
    when: datetime
    data: bytes


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (Text("x"), "x"),
        (Number(3), 3),
        (Share(0.5), 0.5),
        ({Text("a"): Text("b")}, {"a": "b"}),
        ({1: 2, 1.5: {-3: 4}}, {"1": 2, "1.5": {"-3": 4}}),
        (MappingProxyType({"a": b"1"}), {"a": b"1"}),
        (UserDict(a=MOMENT), {"a": MOMENT}),
        (deque([1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        ((1, (2,)), [1, [2]]),
        ([bytearray(b"1"), memoryview(b"2"), memoryview(b"345")[::2]], [b"1", b"2", b"35"]),
        (Holder(MOMENT, b"1"), {"when": MOMENT, "data": b"1"}),
        (MOMENT.astimezone(timezone(timedelta(hours=2))), MOMENT),
        (MOMENT.replace(microsecond=999_999), MOMENT.replace(microsecond=999_000)),
        (MOMENT.replace(tzinfo=None), "2001-09-09T01:46:40"),
        (date(2001, 9, 9), "2001-09-09"),
        (datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC, microsecond=999_000)),
        (datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_takes_what_stands_for_a_value(value, same):
    args = ["x", value]
    (message,) = parser.encode(Event("/", args))
    assert decode(message) == Event("/", ["x", same])
    assert args == ["x", value]
    assert parser.encode(Event("/", ("x", value))) == [message]
    (ack,) = parser.encode(Ack("/", (value,), 1))
    assert decode(ack) == Ack("/", [same], 1)


@pytest.mark.parametrize(
    "value", [object(), {"a": {1, object()}}, {(1, 2): 3}, {None: 1}, {b"k": 1}, iter("x"), 1j, print]
)
def test_refuses_what_the_format_cannot_hold(value):
    for packet in (Event("/", ["x", value]), Connect("/", {"a": value}), ConnectError("/", {"data": value})):
        with pytest.raises(TypeError, match="can't be sent|hashable|keys are supported"):
            parser.encode(packet)


@pytest.mark.parametrize(
    "value", ["\ud800", {"\ud800": 1}, ["a", {"b": "\udfff"}], 2**64, [-(2**63) - 1], Number(2**70)], ids=repr
)
def test_refuses_text_that_is_no_unicode_and_numbers_that_do_not_fit(value):
    with pytest.raises(ValueError, match="surrogates|more than 64 bits"):
        parser.encode(Event("/", ["x", value]))


def test_refuses_what_contains_itself_or_is_too_deep():
    cycle = []
    cycle.append(cycle)
    deep = [b"x"]
    for _ in range(500):
        deep = [deep]
    endless = UserDict()
    endless["a"] = endless
    for value in (cycle, twice(), {"a": cycle}, deep, [b"found first", twice()], itself(), (cycle,), endless):
        with pytest.raises(ValueError, match="nested"):
            parser.encode(Event("/", ["x", value]))
    assert Itself().itself is None


def packet(**parts):
    return pack({"type": 2, "data": ["x"], "nsp": "/"} | parts)


@pytest.mark.parametrize(
    "message",
    [
        "2",
        '2["x"]',
        b"",
        b"\xc1",
        b"\xc0",
        b"\x80",
        b"\x90",
        pack([2, "/", ["x"]]),
        pack({"type": 2, "data": ["x"]}),
        pack({"nsp": "/", "data": ["x"]}),
        packet(type=5),
        packet(type=6),
        packet(type=-1),
        packet(type=2**63),
        packet(type=True),
        packet(type="2"),
        packet(type=None),
        packet(nsp=""),
        packet(nsp="admin"),
        packet(nsp=None),
        packet(nsp=b"/"),
        packet(nsp="/a\nb"),
        packet(nsp="/a\x7fb"),
        packet(nsp="/" + "x" * 255),
        packet(data=None),
        packet(data=[]),
        packet(data={}),
        packet(data="x"),
        packet(data=b"x"),
        packet(data=[True]),
        packet(data=[None]),
        packet(data=[["x"]]),
        packet(data=[b"x"]),
        packet(data=[math.nan]),
        packet(data=[math.inf]),
        packet(data=[{"toString": "foo"}]),
        packet(data=["x" * 256]),
        *(packet(data=[name]) for name in sorted(RESERVED_EVENTS)),
        packet(id=-1),
        packet(id=MAX_ACK_ID + 1),
        packet(id=1.5),
        packet(id=True),
        packet(id="1"),
        packet(id=[1]),
        packet(type=0, data=[]),
        packet(type=0, data="x"),
        packet(type=1),
        packet(type=3),
        packet(type=3, data=None, id=1),
        packet(type=3, data={}, id=1),
        packet(type=4, data=None),
        packet(type=4),
        packet() + b"\x00",
        packet()[:-1],
        packet(data=["x", {1: 2}]),
        packet(data=["x", [{"a": {None: 2}}]]),
        packet(data=["x", {b"k": 2}]),
        packet(type=0, data={1: 2}),
        pack({"type": 2, "data": ["x"], "nsp": "/", 1: 2}),
        carrying(b"\x81\x90\x01"),
        carrying(b"\x81\x91\x01\x01"),
        carrying(b"\x81\x80\x01"),
        carrying(b"\xa1\xff"),
        carrying(b"\xa3\xed\xa0\x80"),
        carrying(b"\xc1"),
        carrying(b"\xd4\xff\0"),
        carrying(b"\xd7\xff" + b"\xff" * 8),
        carrying(b"\xdd\xff\xff\xff\xff"),
        carrying(b"\xdf\xff\xff\xff\xff"),
        carrying(b"\xc6\xff\xff\xff\xff"),
        carrying(b"\xc9\xff\xff\xff\xff\0"),
        carrying(b"\xdb\xff\xff\xff\xff"),
        carrying(b"\x91" * 128 + b"\x00"),
        carrying(b"\x81\xa1a" * 128 + b"\x00"),
        carrying(b"\x91" * 128 + b"\xd4\x00\x00"),
        carrying(b"\x91" * 127 + b"\x90"),
        b"\x91" * 1_000_000,
        carrying(b"\x91" * 1_000_000),
        pack({"type": 2, "data": ["x"], "nsp": "/"}) + b"\x91" * 5000,
    ],
    ids=lambda message: repr(message)[:32],
)
def test_refuses(message):
    with pytest.raises(RemoteProtocolError):
        decode(message)


@pytest.mark.parametrize(
    ("message", "taken"),
    [
        (packet(), Event("/", ["x"])),
        (packet(options={"compress": True}, attachments=7), Event("/", ["x"])),
        (packet(options={1: Ext(9, b"")}), Event("/", ["x"])),
        (packet(id=None), Event("/", ["x"])),
        (packet(id=MAX_ACK_ID), Event("/", ["x"], MAX_ACK_ID)),
        (packet(id=Ext(0x7E, b"\0")), Event("/", ["x"])),
        (packet(nsp="/a,b"), Event("/a,b", ["x"])),
        (packet(data=["x" * 255]), Event("/", ["x" * 255])),
        (packet(data=["error"]), Event("/", ["error"])),
        (packet(data=[7, 1]), Event("/", ["7", 1])),
        (packet(data=[1e-7]), Event("/", ["1e-7"])),
        (packet(type=0, data=None), Connect("/")),
        (packet(type=1, data=None), Disconnect("/")),
        (packet(type=4, data="no"), ConnectError("/", "no")),
        (carrying(b"\xca\x3f\xc0\0\0"), Event("/", ["x", 1.5])),
        (carrying(b"\xc0"), Event("/", ["x", None])),
        (carrying(b"\x82\xa1a\x01\xa1a\x02"), Event("/", ["x", {"a": 2}])),
        (carrying(b"\x91" * 126 + b"\x00"), None),
        (carrying(b"\x91" * 127), None),
    ],
    ids=lambda message: repr(message)[:32],
)
def test_takes(message, taken):
    if taken is None:
        assert isinstance(decode(message.replace(b"\x91\xa3nsp", b"\x90\xa3nsp")), Event)
    else:
        assert decode(message) == taken


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"\xd4\0\0", None),
        (b"\xc7\x01\0\0", b"\0"),
        (b"\xd7\0" + (10**12).to_bytes(8, "big"), MOMENT),
        (
            b"\xd7\0" + (-1).to_bytes(8, "big", signed=True),
            datetime(1970, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1),
        ),
        (b"\xd7\0\x7f" + b"\xff" * 7, None),
        (b"\xd7\0\x80" + b"\0" * 7, None),
        (b"\xc7\x08\0" + b"12345678", b"12345678"),
        (b"\xc7\0\0", b""),
        (b"\xc8\x01\0\0" + b"x" * 256, b"x" * 256),
        (b"\xc9\0\x01\0\0\0" + b"x" * 65536, b"x" * 65536),
        (b"\xd6\0abcd", b"abcd"),
        (b"\xd4\x05a", [5, b"a"]),
        (b"\xd7\x05abcdefgh", [5, b"abcdefgh"]),
        (b"\xd8\x05" + b"a" * 16, [5, b"a" * 16]),
        (b"\xc7\x03\x80abc", [-128, b"abc"]),
        (b"\xd6\xff" + (10**9).to_bytes(4, "big"), MOMENT),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_extensions_alone_together_and_in_large_messages(written, value):
    assert decode(carrying(written)) == Event("/", ["x", value])
    # Those that msgspec can't tell apart, side by side.
    together = (
        b"\x96" + written + b"\xd4\0\0" + b"\xc7\x01\0\x07" + b"\xd7\0" + bytes(8) + b"\xc7\x08\0" + bytes(8) + b"\xc0"
    )
    told = [value, None, b"\7", datetime(1970, 1, 1, tzinfo=UTC), bytes(8), None]
    assert decode(carrying(together)) == Event("/", ["x", told])
    assert decode(carrying(b"\x82\xa1a" + written + b"\xa1b\xc5\x10\0" + b"\xd4" * 4096)) == Event(
        "/", ["x", {"a": value, "b": b"\xd4" * 4096}]
    )


def test_keys_are_looked_at_before_a_dict_is_made_of_many(monkeypatch):
    """Numbers can be chosen so that each finds the places of all others taken; text can't, its hashes are secret."""
    many = packet(data=["x", {number: 0 for number in range(1000)}])
    for decoder in ("_decode_at_first", "_decode_recoded"):
        monkeypatch.setattr(f"trio_socketio._wire.msgpack_parser.{decoder}", lambda message: pytest.fail("decoded"))
    with pytest.raises(RemoteProtocolError, match="key"):
        decode(many)


@pytest.mark.parametrize(
    "value",
    [
        b"\xdd\x00\x0d\xbb\xa0" + b"\0" * 900_000,
        b"\xdd\x00\x06\xdd\xd0" + b"\x91\x01" * 450_000,
        b"\xdd\x00\x06\xdd\xd0" + b"\xa1a" * 450_000,
        b"\xdd\x00\x04\x93\xe0" + b"\xd4\0\0" * 300_000,
        b"\xdd\xff\xff\xff\xff" * 180_000,
        b"\xdc\xff\xff" * 300_000,
        b"\x91" * 900_000,
        b"\x81\xa0" * 450_000,
    ],
    ids=lambda value: repr(value[:8]),
)
def test_no_message_takes_long(value):
    began = time.process_time()
    try:
        decode(carrying(value))
    except RemoteProtocolError:
        pass
    assert time.process_time() - began < 10


def test_the_depth_is_bounded_by_the_limit():
    shallow = Limits(max_json_depth=3)
    assert decode(packet(data=["x", [[1]]]), shallow) == Event("/", ["x", [[1]]])
    assert decode(packet(data=["x", *[[[1]]] * 50]), shallow) == Event("/", ["x", *[[[1]]] * 50])
    for data in (["x", [[[1]]]], ["x", {"a": {"b": []}}], ["x", *[[1]] * 3000, [[{}]]]):
        with pytest.raises(RemoteProtocolError, match="nested"):
            decode(packet(data=data), shallow)


def test_nothing_is_ever_unfinished():
    decoder = parser.decoder(Limits())
    assert decoder.feed(packet(data=["x", b"1"])) == Event("/", ["x", b"1"])
    assert decoder.unfinished is None


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=20)
    | st.datetimes(timezones=st.just(UTC)).map(lambda when: when.replace(microsecond=when.microsecond // 1000 * 1000)),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=60,
)


@settings(derandomize=True, deadline=None)
@given(
    name=st.text(max_size=20).filter(lambda name: name not in RESERVED_EVENTS),
    value=values,
    filling=st.sampled_from([b"", b"\xd4" * 3000]),
    ack_id=st.none() | st.integers(0, MAX_ACK_ID),
    namespace=st.sampled_from(["/", "/x", "/with space", "/é"]),
)
def test_round_trip(name, value, filling, ack_id, namespace):
    event = Event(namespace, [name, value, filling], ack_id)
    assert decode(*parser.encode(event)) == event
    if ack_id is not None:
        ack = Ack(namespace, [value, filling], ack_id)
        assert decode(*parser.encode(ack)) == ack


pieces = st.sampled_from(
    [bytes([first]) for first in [*range(0xC0, 0xE0), 0x80, 0x81, 0x82, 0x90, 0x92, 0xA1, 0, 1, 8]]
)
anything = st.one_of(
    st.binary(max_size=40),
    st.lists(pieces, max_size=12).map(b"".join),
    st.lists(pieces, max_size=12).map(b"".join).map(carrying),
    st.lists(pieces, max_size=12).map(lambda some: carrying(b"\x92" + b"".join(some) + b"\xc5\x10\0" + bytes(4096))),
)


@settings(derandomize=True, deadline=None, max_examples=1500)
@given(anything)
def test_any_input_gives_a_packet_or_a_remote_protocol_error(message):
    try:
        assert decode(message) is not None
    except RemoteProtocolError:
        pass
