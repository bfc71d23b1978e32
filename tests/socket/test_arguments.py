"""What msgspec makes of an event's arguments, what is left as it came, and what is said of those that don't fit."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio import Data, Event, EventRejected, JSONParser, Limits, MessagePackParser, SocketIOError
from trio_socketio._socket.arguments import MAX_MESSAGE, Converter, InvalidArguments, rejection_answer


class Picture(msgspec.Struct):
    name: str
    content: bytes = b""
    extra: Data = None


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    x: int


class Node(msgspec.Struct):
    value: int
    next: Node | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Options(TypedDict, total=False):
    depth: int


class Pair(NamedTuple):
    a: int
    b: str


class Colour(enum.Enum):
    RED = "red"


class Choosy(msgspec.Struct):
    number: int

    def __post_init__(self):
        if self.number == 1:
            raise ValueError("one is not enough")
        if self.number == 2:
            raise TypeError("unsupported operand type(s) for +: 'int' and 'str'")
        if self.number == 3:
            raise LookupError("a mistake")


Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
A_UUID = "7f1f7a3c-0d2b-4f0e-8b1e-0f4f0f6f1f11"


def convert(kind: Any, value: object) -> object:
    converter = Converter.of([kind])
    assert converter is not None
    (result,) = converter.convert([value])
    return result


def message(converter: Converter, *arguments: object) -> str:
    with pytest.raises(InvalidArguments) as raised:
        converter.convert(list(arguments))
    return raised.value.message


DECODED = {
    "text": (str, "a", "a"),
    "whole number": (int, 5, 5),
    "beyond 64 bits": (int, 2**70, 2**70),
    "JavaScript sends 1.0 as 1": (float, 1, 1.0),
    "number": (float, 1.5, 1.5),
    "truth": (bool, True, True),
    "nothing": (None, None, None),
    "bytes": (bytes, b"\xff", b"\xff"),
    "bytearray": (bytearray, b"\xff", bytearray(b"\xff")),
    "optional, there": (int | None, 5, 5),
    "optional, not there": (int | None, None, None),
    "union": (int | str, "a", "a"),
    "text or bytes: text": (str | bytes, "a", "a"),
    "text or bytes: bytes": (str | bytes | None, b"a", b"a"),
    "list": (list[int], [1, 2], [1, 2]),
    "set": (set[int], [1, 2, 2], {1, 2}),
    "tuple": (tuple[int, str], [1, "a"], (1, "a")),
    "dict": (dict[str, float], {"a": 1}, {"a": 1.0}),
    "dict of anything": (dict[str, object], {"a": [b"x"]}, {"a": [b"x"]}),
    "struct": (Picture, {"name": "a"}, Picture("a")),
    "struct with bytes, and what has none of our types": (
        Picture,
        {"name": "a", "content": b"\0\xff", "extra": [b"x", {"y": None}], "unknown": 1},
        Picture("a", b"\0\xff", [b"x", {"y": None}]),
    ),
    "recursive struct": (Node, {"value": 1, "next": {"value": 2}}, Node(1, Node(2))),
    "structs in a list": (list[Strict], [{"x": 1}], [Strict(1)]),
    "data class": (Point, {"x": 1, "y": 2}, Point(1, 2.0)),
    "typed dict": (Options, {"depth": 1}, {"depth": 1}),
    "named tuple": (Pair, [1, "a"], Pair(1, "a")),
    "enum": (Colour, "red", Colour.RED),
    "literal": (Literal["a", 1], 1, 1),
    "constrained": (Percent, 100, 100),
    "annotated with what is nobody's": (Annotated[int, "percent"], 5, 5),
    "time": (datetime.datetime, "2026-01-02T03:04:05Z", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)),
    "date": (datetime.date, "2026-01-02", datetime.date(2026, 1, 2)),
    "uuid": (uuid.UUID, A_UUID, uuid.UUID(A_UUID)),
}


class TestDecoded:
    @pytest.mark.parametrize(("kind", "value", "expected"), DECODED.values(), ids=DECODED)
    def test_what_fits(self, kind, value, expected):
        found = convert(kind, value)
        assert (found, type(found)) == (expected, type(expected))

    @pytest.mark.parametrize("kind", [Any, object, Data, Data | None, Any | None, str | Any])
    def test_what_takes_everything_needs_no_converter(self, kind):
        assert Converter.of([kind]) is None
        assert Converter.of([kind], kind, has_rest=True) is None

    @pytest.mark.parametrize(("kind", "value"), [(dict, {"a": [1]}), (list, [{}]), (str | None, "a"), (bytes, b"a")])
    def test_what_is_of_the_type_is_not_copied(self, kind, value):
        arguments = [value]
        converter = Converter.of([kind])
        assert converter.convert(arguments) is arguments

    def test_what_takes_everything_beside_what_does_not(self):
        value = object()
        assert list(Converter.of([Data, int]).convert([value, 1])) == [value, 1]
        assert Converter.of([Data, Point]).convert([{"a": 1}, {"x": 1}]) == ({"a": 1}, Point(1))

    def test_those_with_a_default_may_be_missing(self):
        for kinds in ([int, str], [Strict, str]):
            converter = Converter.of(kinds)
            first = {"x": 1} if kinds[0] is Strict else 1
            assert len(converter.convert([first])) == 1
            assert len(converter.convert([first, "a"])) == 2
            assert converter.convert([]) in ((), [])

    def test_the_same_types_have_the_same_converter(self):
        assert Converter.of([int, Point]) is Converter.of([int, Point])
        assert Converter.of([int, Point]) is not Converter.of([int], Point, has_rest=True)
        assert Converter.of([int]) is not Converter.of([bool])
        assert convert(Annotated[int, []], 5) == 5, "which has no hash"

    def test_any_number(self):
        converter = Converter.of([], float, has_rest=True)
        assert converter.convert([]) == ()
        assert converter.convert([1, 2.5, 3]) == (1.0, 2.5, 3.0)
        converter = Converter.of([str], Strict, has_rest=True)
        assert converter.convert(["a"]) == ("a",)
        assert converter.convert(["a", {"x": 1}, {"x": 2}]) == ("a", Strict(1), Strict(2))
        converter = Converter.of([int], has_rest=True)
        assert converter.convert([1, "a", None]) == (1, "a", None)

    @settings(derandomize=True, deadline=None)
    @given(
        kinds=st.lists(st.sampled_from([str, int, bool, dict, list, bytes, type(None)]), max_size=4),
        values=st.lists(st.sampled_from(["a", 1, True, {}, [], b"a", None]), max_size=4),
    )
    def test_the_short_way_and_msgspecs_agree(self, kinds, values):
        values = values[: len(kinds)]
        converter = Converter(kinds)
        long_way = Converter([*kinds, Strict])
        assert long_way._kinds is None
        try:
            expected = list(long_way.convert(values))
        except InvalidArguments as error:
            assert message(converter, *values) == error.message
        else:
            assert list(converter.convert(values)) == expected


REFUSED = {
    "no coercion of text": (int, "1", "Expected `int`, got `str` - at `$[0]`"),
    "no coercion to text": (str, 1, "Expected `str`, got `int` - at `$[0]`"),
    "a truth is no number": (int, True, "Expected `int`, got `bool` - at `$[0]`"),
    "a number is no truth": (bool, 1, "Expected `bool`, got `int` - at `$[0]`"),
    "a fraction is not whole": (int, 1.5, "Expected `int`, got `float` - at `$[0]`"),
    "text is no attachment": (bytes, "YWI=", "Expected `bytes`, got `str` - at `$[0]`"),
    "nor inside a struct": (
        Picture,
        {"name": "a", "content": "YWI="},
        "Expected `bytes`, got `str` - at `$[0].content`",
    ),
    "an attachment is no text": (str, b"a", "Expected `str`, got `bytes` - at `$[0]`"),
    "neither text nor bytes": (str | bytes, 5, "Expected `bytes | str`, got `int` - at `$[0]`"),
    "neither text nor bytes nor null": (
        str | bytes | None,
        {},
        "Expected `bytes | null | str`, got `object` - at `$[0]`",
    ),
    "a field": (Point, {"x": "1"}, "Expected `int`, got `str` - at `$[0].x`"),
    "a field that is missing": (Picture, {}, "Object missing required field `name` - at `$[0]`"),
    "a field too many": (Strict, {"x": 1, "y": 2}, "Object contains unknown field `y` - at `$[0]`"),
    "an element": (list[int], [1, None], "Expected `int`, got `null` - at `$[0][1]`"),
    "a value": (dict[str, int], {"a": "b"}, "Expected `int`, got `str` - at `$[0][...]`"),
    "deep inside": (Node, {"value": 1, "next": {"value": ""}}, "Expected `int`, got `str` - at `$[0].next.value`"),
    "an enum's value": (Colour, "blue", "Invalid enum value 'blue' - at `$[0]`"),
    "a constraint": (Percent, 101, "Expected `int` <= 100 - at `$[0]`"),
    "no time": (datetime.datetime, "yesterday", "Invalid RFC3339 encoded datetime - at `$[0]`"),
    "no UUID": (uuid.UUID, "1", "Invalid UUID - at `$[0]`"),
    "what the struct itself refuses": (Choosy, {"number": 1}, "one is not enough - at `$[0]`"),
    "what may be a mistake in there": (Choosy, {"number": 2}, "Invalid value - at `$[0]`"),
}


@pytest.mark.parametrize("parser", [JSONParser(), MessagePackParser()], ids=["json", "msgpack"])
def test_what_parsers_make_of_bytes_and_numbers(parser):
    sent = {"name": "é", "content": b"\0\xff", "extra": [b"x", 1.5, None]}
    decoder, found = parser.decoder(Limits()), None
    for message in parser.encode(Event("/", ["x", sent, b"\1", 1, 2.0, "text"])):
        found = decoder.feed(message)
    converter = Converter.of([Picture, bytes, float, float, str | bytes])
    assert converter.convert(found.args[1:]) == (Picture("é", b"\0\xff", [b"x", 1.5, None]), b"\1", 1.0, 2.0, "text")


class TestRefused:
    @pytest.mark.parametrize(("kind", "value", "expected"), REFUSED.values(), ids=REFUSED)
    def test_what_does_not_fit(self, kind, value, expected):
        assert message(Converter.of([kind]), value) == expected

    def test_the_path_says_which_argument(self):
        assert message(Converter.of([str, int]), "a", "b").endswith("at `$[1]`")
        assert message(Converter.of([str, Point]), "a", {"x": ""}).endswith("at `$[1].x`")
        assert message(Converter.of([Data, str | bytes, Point]), 1, 2, {"x": 1}).endswith("at `$[1]`")

    def test_the_path_counts_on_in_those_of_any_number(self):
        converter = Converter.of([str, list[int]], Strict, has_rest=True)
        assert message(converter, "a", [1], {"x": 1}, {"x": ""}) == "Expected `int`, got `str` - at `$[3].x`"
        assert message(converter, "a", [1], 5) == "Expected `object`, got `int` - at `$[2]`"
        assert message(converter, "a", [1, "b"]) == "Expected `int`, got `str` - at `$[1][1]`"

    @pytest.mark.parametrize("value", ["x" * 10_000, "- at `" * 1000])
    def test_what_is_said_is_short(self, value):
        said = message(Converter.of([Colour]), value)
        assert len(said) < 2 * MAX_MESSAGE + 30
        assert said.startswith("Invalid enum value '")
        assert said.endswith("- at `$[0]`")
        assert len(message(Converter.of([Strict]), {"x": 1, value: 2})) < 2 * MAX_MESSAGE + 30

    def test_other_errors_are_those_of_the_application(self):
        with pytest.raises(LookupError, match="a mistake"):
            convert(Choosy, {"number": 3})

    @pytest.mark.parametrize(
        "kind",
        [
            Colour | datetime.date,
            Literal[1.5],
            list[str | bytes],
            type("Mine", (), {}),
            list[type("Mine", (), {})],
            dict[str, list[type("Mine", (), {})]],
            5,
        ],
        ids=str,
    )
    def test_what_cannot_be_decoded_is_refused_at_once(self, kind):
        with pytest.raises(TypeError, match="is not supported|can't be decoded from what clients send"):
            Converter.of([kind])

    def test_a_class_of_ones_own_in_a_struct(self):
        class Holder(msgspec.Struct):
            value: Converter

        with pytest.raises(TypeError, match="Converter'> can't be decoded from what clients send"):
            Converter.of([Holder])


class TestPydantic:
    """Its models are known by their ``model_validate``."""

    @pytest.fixture
    def model(self):
        pydantic = pytest.importorskip("pydantic")

        class Inner(pydantic.BaseModel):
            numbers: list[int] = []

        class Person(pydantic.BaseModel):
            name: str
            inner: Inner = Inner()
            photo: bytes = b""

            @pydantic.field_validator("name")
            @classmethod
            def not_empty(cls, name: str) -> str:
                if not name:
                    raise ValueError("give a name")
                return name

        # Annotations that are names of this function: pydantic looks for them here, too.
        Person.model_rebuild(_types_namespace={"Inner": Inner})
        return Person

    def test_what_fits(self, model):
        assert convert(model, {"name": "a", "photo": b"\xff"}) == model(name="a", photo=b"\xff")
        assert convert(list[model], [{"name": "a"}]) == [model(name="a")]
        assert convert(dict[str, object] | list[model], [{"name": "a"}]) == [model(name="a")]

    def test_inside_a_struct(self, model):
        holder = msgspec.defstruct("Holder", [("person", model), ("more", object, None)])
        assert convert(holder, {"person": {"name": "a"}}).person == model(name="a")
        assert convert(holder, {"person": {"name": "a"}, "more": [1]}).more == [1]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({}, "name: Field required - at `$[0]`"),
            ({"name": ""}, "name: Value error, give a name - at `$[0]`"),
            (5, "Input should be a valid dictionary or instance of Person - at `$[0]`"),
        ],
    )
    def test_what_does_not(self, model, value, expected):
        assert message(Converter.of([model]), value) == expected

    def test_the_clients_input_is_not_repeated(self, model):
        said = message(Converter.of([model]), {"name": "a", "inner": {"numbers": [1, "secret"]}})
        assert said.startswith("inner.numbers.1: Input should be a valid integer")
        assert "secret" not in said
        assert "http" not in said


class TestAnswer:
    def test_codes(self):
        assert rejection_answer(InvalidArguments("text")) == {"error": {"code": "invalid_arguments", "message": "text"}}
        assert rejection_answer(EventRejected("no")) == {"error": {"code": "rejected", "message": "no"}}
        assert rejection_answer(EventRejected("no", 0)) == {"error": {"code": "rejected", "message": "no", "data": 0}}

    def test_it_is_one_of_ours(self):
        assert issubclass(EventRejected, SocketIOError)
        assert EventRejected().message == "Rejected"
        with pytest.raises(TypeError, match=r"EventRejected\(message\) is the text that the client is told, not 403"):
            EventRejected(403)
