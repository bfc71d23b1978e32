"""The annotations of handlers: where they are looked up, and that what can't be used is refused at registration.

This file has its annotations as text, as most have.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import pytest

from trio_socketio import Data, Socket
from trio_socketio._socket.arguments import InvalidArguments
from trio_socketio._socket.signature import Registered, is_async, positional

if TYPE_CHECKING:
    from nowhere import OnlyForCheckers


class Vote(msgspec.Struct):
    choice: int


V = TypeVar("V")


class Box(msgspec.Struct, Generic[V]):
    value: V


SENT = {"choice": 1}


def registered(function) -> Registered:
    return Registered.of(function, concurrent=False)


def arguments(function, *sent: object) -> list[object]:
    return list(registered(function).arguments(["event", *sent]))


async def vote(socket: OnlyForCheckers, vote: Vote) -> OnlyForCheckers: ...
async def untyped(socket, text, more=None, *rest): ...
async def anything(socket: Socket, a: Any, b: object, c: Data, *rest: Data | None): ...
async def numbers(socket: Socket, first: str, *numbers: float): ...
async def with_default(socket: Socket, text: str, vote: Vote | None = None): ...
async def keywords(socket: Socket, vote: Vote, *, option: OnlyForCheckers = 1, **options: OnlyForCheckers): ...
async def generic(socket: Socket, box: Box[int]): ...
async def quoted(socket: Socket, votes: list["Vote"]): ...
async def socket_among_the_rest(*args: int): ...


class Handlers:
    async def method(self, socket: Socket, vote: Vote): ...

    @classmethod
    async def of_class(cls, socket: Socket, vote: Vote): ...

    @staticmethod
    async def static(socket: Socket, vote: Vote): ...

    async def __call__(self, socket: Socket, vote: Vote): ...

    async def setting(self, setting: OnlyForCheckers, socket: OnlyForCheckers, vote: Vote): ...


def decorated(function):
    @functools.wraps(function)
    async def wrapper(*args, **options):
        return await function(*args, **options)

    return wrapper


WRITTEN = {
    "function": vote,
    "bound method": Handlers().method,
    "class method": Handlers.of_class,
    "static method": Handlers.static,
    "object": Handlers(),
    "partial of a method": functools.partial(Handlers().setting, "bound"),
    "partial of a function": functools.partial(Handlers.setting, None, "bound"),
    "partial of a partial": functools.partial(functools.partial(Handlers.setting, None), "bound"),
    "partial of an object": functools.partial(Handlers()),
    "decorated": decorated(vote),
    "decorated method": decorated(Handlers().method),
    "keywords are nobody's business": keywords,
}


class TestWhereTheyAreFound:
    @pytest.mark.parametrize("function", WRITTEN.values(), ids=WRITTEN)
    def test_in_the_functions_module(self, function):
        assert arguments(function, SENT) == [Vote(1)]
        with pytest.raises(InvalidArguments, match="choice"):
            arguments(function, {"choice": "1"})

    def test_text_inside_of_text(self):
        assert arguments(quoted, [SENT]) == [[Vote(1)]]

    def test_a_generic_struct(self):
        assert arguments(generic, {"value": 1}) == [Box(1)]
        with pytest.raises(InvalidArguments, match="value"):
            arguments(generic, {"value": "1"})

    def test_in_the_function_around_it(self):
        class Local(msgspec.Struct):
            x: int

        async def handler(socket: Socket, local: Local, *rest: Local): ...

        assert arguments(handler, {"x": 1}, {"x": 2}) == [Local(1), Local(2)]

        class Methods:
            async def method(self, socket: Socket, local: Local): ...

        assert arguments(Methods().method, {"x": 1}) == [Local(1)]

    def test_in_what_it_closes_over_when_the_function_around_it_has_returned(self):
        def make():
            class Local(msgspec.Struct):
                x: int

            async def handler(socket: Socket, local: Local):
                return Local

            return handler, Local

        handler, local = make()
        assert arguments(handler, {"x": 1}) == [local(1)]

    def test_not_in_another_function_of_that_name(self):
        def make():
            class Local(msgspec.Struct):
                x: int

            async def handler(socket: Socket, local: Local): ...

            return handler

        with pytest.raises(
            TypeError, match="the annotation of 'local' can't be used to decode what clients send: name 'Local'"
        ):
            registered(make())

    def test_without_text(self):
        scope: dict[str, Any] = {"Vote": Vote, "Data": Data, "Socket": Socket}
        exec(
            "async def typed(socket: Socket, vote: Vote, votes: 'list[Vote]', more: list['Vote'], *rest: Data): ...\n"
            "async def plain(socket: Socket, a: Data, b: Data | None, c: 'Data' = None): ...\n",
            scope,
        )
        assert arguments(scope["typed"], SENT, [SENT], [SENT], "x") == [Vote(1), [Vote(1)], [Vote(1)], "x"]
        assert registered(scope["plain"]).converter is None

    @pytest.mark.parametrize("function", [untyped, anything, decorated(untyped), functools.partial(untyped, None)])
    def test_who_takes_everything_costs_nothing(self, function):
        assert registered(function).converter is None


class TestRefused:
    def test_a_name_that_means_nothing(self):
        async def handler(socket, vote: OnlyForCheckers): ...

        with pytest.raises(
            TypeError, match=r"handler at .*: the annotation of 'vote' can't .*: name 'OnlyForCheckers'"
        ):
            registered(handler)

    def test_a_module_attribute_that_is_not_there(self):
        async def handler(socket, vote: msgspec.Nothing): ...

        with pytest.raises(
            TypeError, match="the annotation of 'vote' can't be used to decode what clients send: module 'msgspec'"
        ):
            registered(handler)

    def test_no_type(self):
        async def handler(socket, a: int, b: "a number of things"): ...  # noqa: F722 - that is the point

        with pytest.raises(
            TypeError, match="the annotation of 'b' can't be used to decode what clients send: Forward reference"
        ):
            registered(handler)

    @pytest.mark.parametrize(
        "bad", [Socket, TestWhereTheyAreFound, lambda: None, int | TestWhereTheyAreFound, list[Socket]]
    )
    def test_what_clients_cannot_send(self, bad):
        async def handler(socket, vote: int, *rest: bad): ...

        with pytest.raises(TypeError, match="the annotation of 'rest' can't be used to decode what clients send: "):
            registered(handler)

    def test_the_sentence_says_what_to_do(self):
        async def handler(socket, two_sockets: Socket): ...

        with pytest.raises(
            TypeError, match="Make it a type that msgspec decodes and that can be found where .*, or leave it"
        ):
            registered(handler)

    def test_a_struct_whose_own_annotations_mean_nothing(self):
        class Broken(msgspec.Struct):
            x: OnlyForCheckers

        async def handler(socket, broken: Broken): ...

        with pytest.raises(
            TypeError, match="the annotation of 'broken' can't be used to decode what clients send: name 'OnlyFor"
        ):
            registered(handler)


class TestArguments:
    def test_how_many(self):
        for function, sent, expected in (
            (vote, (), "Expected 1 arguments, got 0"),
            (vote, (SENT, 2), "Expected 1 arguments, got 2"),
            (with_default, (), "Expected 1 to 2 arguments, got 0"),
            (with_default, (1, 2, 3), "Expected 1 to 2 arguments, got 3"),
            (numbers, (), "Expected at least 1 arguments, got 0"),
            (untyped, (), "Expected at least 1 arguments, got 0"),
        ):
            with pytest.raises(InvalidArguments) as raised:
                arguments(function, *sent)
            assert raised.value.message == expected

    def test_defaults(self):
        assert arguments(with_default, "a") == ["a"]
        assert arguments(with_default, "a", None) == ["a", None]
        assert arguments(with_default, "a", SENT) == ["a", Vote(1)]
        with pytest.raises(InvalidArguments, match=r"Expected `object \| null`, got `int` - at `\$\[1\]`"):
            arguments(with_default, "a", 5)

    def test_any_number(self):
        assert arguments(numbers, "a") == ["a"]
        assert arguments(numbers, "a", 1, 2) == ["a", 1.0, 2.0]
        with pytest.raises(InvalidArguments, match=r"at `\$\[2\]`"):
            arguments(numbers, "a", 1, "2")

    def test_the_socket_may_be_the_first_of_the_rest(self):
        assert arguments(socket_among_the_rest, 1, 2) == [1, 2]

    def test_untyped(self):
        assert arguments(untyped, 1, 2, 3) == [1, 2, 3]


class TestShapes:
    def test_counts(self):
        assert positional(vote) == (2, 2)
        assert positional(numbers) == (2, math.inf)

    def test_a_handler_must_take_the_socket(self):
        async def nothing(): ...

        with pytest.raises(TypeError, match="takes no arguments: the first is the socket"):
            registered(nothing)

    def test_async(self):
        assert is_async(vote)
        assert is_async(Handlers())
        assert is_async(functools.partial(Handlers().method))
        assert not is_async(Handlers)
        assert not is_async(positional)
