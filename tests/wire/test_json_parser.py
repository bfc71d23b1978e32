"""The default parser: byte for byte, round trips, and whatever a peer may send."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import UserDict, deque
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio import Limits, RemoteProtocolError
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.socket_packet import MAX_ACK_ID, Ack, Connect, ConnectError, Disconnect, Event

parser = JSONParser()

VECTORS = [
    (Connect("/"), ["0"]),
    (Connect("/", {"token": "123"}), ['0{"token":"123"}']),
    (Connect("/custom"), ["0/custom,"]),
    (Connect("/custom", {"sid": "x"}), ['0/custom,{"sid":"x"}']),
    (Disconnect("/"), ["1"]),
    (Disconnect("/admin"), ["1/admin,"]),
    (Event("/", ["foo"]), ['2["foo"]']),
    (Event("/admin", ["bar"]), ['2/admin,["bar"]']),
    (Event("/", ["foo"], 12), ['212["foo"]']),
    (Event("/", ["baz", b"\1\2"]), ['51-["baz",{"_placeholder":true,"num":0}]', b"\1\2"]),
    (
        Event("/admin", ["x", {"a": [b"1", {"b": b"2"}]}], 7),
        ['52-/admin,7["x",{"a":[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]}]', b"1", b"2"],
    ),
    (Ack("/admin", ["bar"], 13), ['3/admin,13["bar"]']),
    (Ack("/", [], 0), ["30[]"]),
    (Ack("/", [b"\1"], 15), ['61-15[{"_placeholder":true,"num":0}]', b"\1"]),
    (ConnectError("/random", {"message": "Invalid namespace"}), ['4/random,{"message":"Invalid namespace"}']),
]


def decode(*messages, limits=None):
    decoder = parser.decoder(limits or Limits())
    return [decoder.feed(message) for message in messages]


@pytest.mark.parametrize(("packet", "messages"), VECTORS)
def test_encodes_and_decodes_byte_for_byte(packet, messages):
    assert parser.encode(packet) == messages
    assert decode(*messages) == [None] * (len(messages) - 1) + [packet]


def test_what_counts_as_binary():
    values = [b"1", bytearray(b"2"), memoryview(b"3"), ("tuple", b"4")]
    head, *attachments = parser.encode(Event("/", ["x", *values]))
    assert head.startswith("54-")
    assert attachments == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("value", [object(), {"a": {1, 2, object()}}, {(1, 2): 3}, {None: 1}, iter("x"), 1j, print])
def test_refuses_what_json_cannot_hold(value):
    with pytest.raises(TypeError, match="can't be sent|hashable"):
        parser.encode(Event("/", ["x", value]))


@pytest.mark.parametrize(
    "value", ["\ud800", {"\ud800": 1}, ["a", {"b": "\udfff"}], [10**5000]], ids=["text", "key", "deep", "number"]
)
def test_refuses_text_that_is_no_unicode_and_numbers_without_end(value):
    with pytest.raises(ValueError, match="surrogates|digits"):
        parser.encode(Event("/", ["x", value]))


class Text(str):  # noqa: SLOT000 - a subclass as users write them
    pass


class Number(int):
    pass


class Share(float):
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Text("x"), '"x"'),
        (Number(3), "3"),
        (Share(0.5), "0.5"),
        ({Text("a"): Text("b")}, '{"a":"b"}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (deque([1, 2]), "[1,2]"),
        (range(3), "[0,1,2]"),
        ((1, (2,)), "[1,[2]]"),
        (math.nan, "null"),
        (-math.inf, "null"),
        (2**70, str(2**70)),
    ],
)
def test_takes_what_stands_for_json(value, text):
    assert parser.encode(Event("/", ["x", value])) == [f'2["x",{text}]']


@pytest.mark.parametrize("container", [MappingProxyType({"a": b"1"}), UserDict(a=b"1"), deque([b"1"])])
def test_finds_bytes_in_all_that_stands_for_json(container):
    head, attachment = parser.encode(Event("/", ["x", container]))
    assert (head[:3], attachment) == ("51-", b"1")


def test_sends_as_many_attachments_as_clients_take():
    ten = Event("/", ["x", *[b"1"] * 10])
    assert len(parser.encode(ten)) == 11
    for packet in (Event("/", ["x", [b"1"] * 11]), Ack("/", [b"1"] * 11, 0)):
        with pytest.raises(ValueError, match="11 attachments in one packet: clients take 10"):
            parser.encode(packet)
    assert len(JSONParser(max_attachments=11).encode(packet)) == 12


def twice() -> list:
    """What would take for ever to be walked through: it doubles with each level."""
    tree: dict = {"children": []}
    tree["children"] += [{"parent": tree}, {"parent": tree}]
    return [tree, tree]


@dataclasses.dataclass
class Itself:
    itself: object = None


def itself() -> Itself:
    made = Itself()
    made.itself = made
    return made


def test_refuses_what_contains_itself_or_is_too_deep():
    cycle = []
    cycle.append(cycle)
    deep = [b"x"]
    for _ in range(500):
        deep = [deep]
    for value in (cycle, twice(), {"a": cycle}, deep, [b"found first", deep], [b"found first", twice()], itself()):
        with pytest.raises(ValueError, match="nested"):
            parser.encode(Event("/", ["x", value]))


@pytest.mark.parametrize(
    "message",
    [
        "",
        " 2[]",
        "7",
        "abc",
        "\u0662",
        "2{}",
        "2[]",
        '2"x"',
        "2[",
        "2[true]",
        "2[null]",
        '2[{"toString":"foo"}]',
        '2[["x"]]',
        "2abc[]",
        '2["connect"]',
        '2["connect_error"]',
        '2["disconnect"]',
        '2["disconnecting"]',
        '2["newListener"]',
        '2["removeListener"]',
        '2["x",NaN]',
        '2["x",Infinity]',
        '2["\\ud800"]',
        '2["x"]["y"]',
        f'2["{"x" * 256}"]',
        f'2/{"x" * 255},["x"]',
        '2/a\nb,["x"]',
        '2/a\x7fb,["x"]',
        "3[]",
        "3",
        "31",
        "31{}",
        f"3{MAX_ACK_ID + 1}[]",
        '299999999999999999999["x"]',
        "0[]",
        "0null",
        "0true",
        '0"x"',
        "1[]",
        "4",
        "4[]",
        '2-["x"]',
        '20-["x"]',
        '21-["x"]',
        '5["x"]',
        '50-["x"]',
        '511-["x"]',
        '5999999999-["x"]',
        '59999999999-["x"]',
        '5-1-["x"]',
        '61-["x"]',
        '61-["x"',
        "0" + "[" * 200_000,
        '2["x",' + "[" * 129 + "]" * 129 + "]",
        '2["x",' + '{"a":' * 129 + "1" + "}" * 129 + "]",
    ],
)
def test_refuses(message):
    with pytest.raises(RemoteProtocolError):
        decode(message)


@pytest.mark.parametrize(
    ("message", "packet"),
    [
        ("2", Event("/", [])),
        ("23", Event("/", [])),
        ('2/nsp["x"]', Event('/nsp["x"]', [])),
        ("1/nsp,1", Disconnect("/nsp")),
        ("2[7,1]", Event("/", ["7", 1])),
        # As JavaScript writes numbers.
        ("2[1.5]", Event("/", ["1.5"])),
        ("2[1.0]", Event("/", ["1"])),
        ("2[-0.0]", Event("/", ["0"])),
        ("2[1e3]", Event("/", ["1000"])),
        ("2[1e-7]", Event("/", ["1e-7"])),
        ("2[1e21]", Event("/", ["1e+21"])),
        ("2[1.5e300]", Event("/", ["1.5e+300"])),
        ('2["error"]', Event("/", ["error"])),
        (f"3{MAX_ACK_ID}[]", Ack("/", [], MAX_ACK_ID)),
        ("0/custom", Connect("/custom")),
        ('2["x",123456789012345678901234567890]', Event("/", ["x", 123456789012345678901234567890])),
        ('2["x","[[[{{{"]', Event("/", ["x", "[[[{{{"])),
        (f'2["{"x" * 255}"]', Event("/", ["x" * 255])),
        ('2["x","' + "[" * 500 + '\\""]', Event("/", ["x", "[" * 500 + '"'])),
    ],
)
def test_takes(message, packet):
    assert decode(message) == [packet]


@pytest.mark.parametrize("tail", ['"' + '\\"' * 400_000, '"' + "\\" * 800_001, '"x' * 400_000, "[" * 800_000])
def test_the_search_for_depth_is_linear(tail):
    """Quadratic, each of these would take hours."""
    began = time.process_time()
    with pytest.raises(RemoteProtocolError):
        decode("2" + "[" * 129 + tail)
    assert time.process_time() - began < 10


def test_takes_the_deepest_that_is_allowed():
    nested = "[" * 127 + "]" * 127
    (packet,) = decode(f'2["x",{nested}]')
    assert isinstance(packet, Event)


@pytest.mark.parametrize(
    "messages",
    [
        ['51-["x",{"_placeholder":true,"num":"splice"}]', b"1"],
        ['51-["x",{"_placeholder":true,"num":-1}]', b"1"],
        ['51-["x",{"_placeholder":true,"num":1}]', b"1"],
        ['51-["x",{"_placeholder":true,"num":true}]', b"1"],
        ['51-["x",{"_placeholder":true,"num":0.0}]', b"1"],
        ['51-["x",{"_placeholder":true}]', b"1"],
        ['51-["x",{"_placeholder":1,"num":0}]', b"1"],
        ['51-["x"]', b"1"],
        ['52-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]', b"1", b"2"],
        ['52-["x",{"_placeholder":true,"num":0}]', b"1", b"2"],
        ['51-["x",{"_placeholder":true,"num":0}]', '2["between"]'],
        [b"stray"],
        ['51-["x",{"_placeholder":true,"num":0}]', b"1", b"one too many"],
        ['51-["x",{"_placeholder":true,"num":0}]', b"x" * 1_000_000],
    ],
)
def test_refuses_wrong_attachments(messages):
    with pytest.raises(RemoteProtocolError):
        decode(*messages)


def test_remembers_an_unfinished_packet_and_nothing_afterwards():
    decoder = parser.decoder(Limits())
    assert not decoder.unfinished
    for _ in range(2):
        assert decoder.feed('52-["x",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]') is None
        assert decoder.unfinished
        assert decoder.feed(b"a") is None
        assert decoder.feed(b"b") == Event("/", ["x", b"b", b"a"])
        assert not decoder.unfinished


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=9,
).filter(lambda value: count(value) < 10)


def count(value):
    if isinstance(value, bytes):
        return 1
    if isinstance(value, dict):
        # What looks like a placeholder is one: nobody can send such an object as data.
        return 99 if "_placeholder" in value else sum(map(count, value.values()))
    return sum(map(count, value)) if isinstance(value, list) else 0


@settings(derandomize=True, deadline=None)
@given(
    name=st.text(max_size=20).filter(lambda name: name not in {"connect", "disconnect"}),
    values=json_values,
    ack_id=st.none() | st.integers(0, MAX_ACK_ID),
    namespace=st.sampled_from(["/", "/x", "/with space", "/é"]),
)
def test_round_trip(name, values, ack_id, namespace):
    packet = Event(namespace, [name, values], ack_id)
    assert decode(*parser.encode(packet))[-1] == packet
    if ack_id is not None:
        ack = Ack(namespace, [values], ack_id)
        assert decode(*parser.encode(ack))[-1] == ack


fragments = st.sampled_from(
    [
        '2["x"]',
        "5",
        "6",
        "1-",
        "52-",
        "/a",
        ",",
        "12",
        "[",
        "]",
        '"',
        '{"_placeholder":true,"num":0}',
        "\\u",
        "\x00",
        "é",
        "-",
    ],
)
anything = st.one_of(st.text(max_size=60), st.lists(fragments, max_size=8).map("".join), st.binary(max_size=20))


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.lists(anything, max_size=8))
def test_any_input_gives_packets_or_a_remote_protocol_error(messages):
    decoder = parser.decoder(Limits())
    for message in messages:
        try:
            decoder.feed(message)
        except RemoteProtocolError:
            break
