"""Contracts: which names they stand for, what is none, and answers that are checked by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec
import pytest

from trio_socketio import InvalidAnswer, SocketIOError, event_name
from trio_socketio._socket.contract import Contract, checked_answer, name_of
from trio_socketio._wire.socket_packet import RESERVED_EVENTS

if TYPE_CHECKING:
    from nowhere import OnlyForCheckers


class Poll(msgspec.Struct):
    question: str


class Common(Protocol):
    async def ping(self) -> None: ...


class ToClient(Common, Protocol):
    async def message(self, text: str) -> None: ...

    @event_name("private message")
    async def private_message(self, text: str) -> None: ...

    async def vote(self, poll: Poll) -> bool: ...

    async def choose(self) -> tuple[int, Poll]: ...

    async def anything(self, value): ...

    async def _not_an_event(self) -> None: ...


class Plain:
    async def message(self, text: str) -> None: ...

    def synchronous(self) -> None: ...

    @staticmethod
    async def static(text: str) -> None: ...

    @classmethod
    async def of_class(cls, text: str) -> None: ...

    async def connect(self) -> None: ...


async def handler(socket): ...


class TestNames:
    @pytest.mark.parametrize("name", ["", "message", "error", "Connect", "connection", "é", "a b"])
    def test_text(self, name):
        assert name_of(name) == name

    @pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
    def test_reserved(self, name):
        with pytest.raises(ValueError, match=f"'{name}' is reserved by Socket.IO: choose another event name"):
            name_of(name)
        with pytest.raises(ValueError, match=f"'{name}' is reserved by Socket.IO: choose another event name"):
            event_name(name)

    def test_functions(self):
        assert name_of(ToClient.message) == name_of(Plain.message) == "message"
        assert name_of(ToClient.private_message) == "private message"
        assert name_of(ToClient.ping) == "ping"
        with pytest.raises(ValueError, match="'connect' is reserved"):
            name_of(Plain.connect)

    def test_the_mark_leaves_the_function_as_it_is(self):
        async def function(self): ...

        assert event_name("other")(function) is function

    @pytest.mark.parametrize(
        "event",
        [None, 5, b"bytes", ["a"], Plain, Plain(), Plain().message, Plain.of_class, print, handler],
        ids=["None", "number", "bytes", "list", "class", "object", "method", "class method", "built in", "handler"],
    )
    def test_what_is_no_event(self, event):
        sentence = "an event's name is text, or a function of a contract class such as ToClient.message, not "
        with pytest.raises(TypeError, match=sentence):
            name_of(event)
        with pytest.raises(TypeError, match=sentence):
            Contract(ToClient).name_of(event)

    def test_what_is_not_async(self):
        with pytest.raises(
            TypeError, match=r"is no event of a contract: write 'async def synchronous\(self, \.\.\.\)'"
        ):
            name_of(Plain.synchronous)

    @pytest.mark.parametrize("name", [None, 5, b"bytes", handler])
    def test_a_mark_is_text(self, name):
        with pytest.raises(TypeError, match="an event's name is text"):
            event_name(name)


class TestContract:
    def test_what_is_in_it(self):
        contract = Contract(ToClient)
        for event in ("message", "private message", "vote", "ping", ToClient.message, ToClient.ping, Common.ping):
            assert contract.name_of(event) == name_of(event)
        assert contract.name_of(ToClient.private_message) == "private message"
        assert repr(contract) == "<Contract ToClient of 6 events>"

    def test_a_misspelled_name_is_told_the_right_one(self):
        with pytest.raises(ValueError, match="'messages' is no event of the contract ToClient: did you mean 'message'"):
            Contract(ToClient).name_of("messages")

    @pytest.mark.parametrize("name", ["", "private_message_", "Ω", "_not_an_event", "connect"])
    def test_what_is_not(self, name):
        with pytest.raises(ValueError, match=f"{name!r} is no event of the contract ToClient: "):
            Contract(ToClient).name_of(name)
        with pytest.raises(
            ValueError, match="it has 'anything', 'choose', 'message', 'ping', 'private message', 'vote'$"
        ):
            Contract(ToClient).name_of("Ω")

    def test_what_is_overridden_counts_once(self):
        class Narrower(ToClient, Protocol):
            @event_name("msg")
            async def message(self, text: str) -> None: ...

        contract = Contract(Narrower)
        assert contract.name_of("msg") == contract.name_of(Narrower.message) == "msg"
        with pytest.raises(ValueError, match="'message' is no event"):
            contract.name_of("message")

    @pytest.mark.parametrize("no_class", [None, "ToClient", Plain(), handler])
    def test_no_class(self, no_class):
        with pytest.raises(TypeError, match="a contract is a class whose methods are the events, not "):
            Contract(no_class)

    def test_without_events(self):
        class Nothing(Protocol):
            attribute: int

            async def _private(self) -> None: ...

        with pytest.raises(TypeError, match="Nothing has no events: write 'async def message"):
            Contract(Nothing)

    @pytest.mark.parametrize("name", ["synchronous", "static", "of_class", "nested"])
    def test_what_cannot_be_sent_is_refused(self, name):
        member = {"nested": Poll, **vars(Plain)}[name]
        with pytest.raises(TypeError, match="an event's name is text, or a function|is no event of a contract: write"):
            Contract(type("Bad", (), {name: member}))

    def test_a_reserved_name(self):
        with pytest.raises(ValueError, match="'disconnect' is reserved"):

            class Bad(Protocol):
                async def disconnect(self) -> None: ...

            Contract(Bad)

    def test_two_functions_for_one_name(self):
        class Twice(Protocol):
            async def message(self) -> None: ...

            @event_name("message")
            async def other(self) -> None: ...

        with pytest.raises(ValueError, match="Twice has two functions for the event 'message'"):
            Contract(Twice)

    def test_an_answer_that_cannot_be_decoded(self):
        class Bad(Protocol):
            async def vote(self) -> OnlyForCheckers: ...

        with pytest.raises(
            TypeError, match="the annotation of 'return' can't be used to decode what clients send: name"
        ):
            Contract(Bad)
        with pytest.raises(
            TypeError, match="the annotation of 'return' can't be used to decode what clients send: name"
        ):
            checked_answer(Bad.vote, [])


class TestAnswers:
    @pytest.mark.parametrize(
        ("answer", "value"), [([], None), ([1], 1), ([None], None), ([[]], []), ([1, "b"], (1, "b"))]
    )
    def test_by_name_they_come_as_they_are(self, answer, value):
        assert checked_answer("vote", answer) == value
        assert checked_answer(ToClient.anything, answer) == value

    def test_by_function_they_are_decoded(self):
        assert checked_answer(ToClient.vote, [True]) is True
        assert checked_answer(ToClient.message, []) is None
        assert checked_answer(ToClient.message, [None]) is None
        expected = (1, Poll("why"))
        assert checked_answer(ToClient.choose, [1, {"question": "why"}]) == expected
        assert checked_answer(ToClient.choose, [[1, {"question": "why"}]]) == expected

    @pytest.mark.parametrize(
        ("event", "answer", "told"),
        [
            (ToClient.vote, ["yes"], "Expected `bool`, got `str`"),
            (ToClient.vote, [], "Expected `bool`, got `null`"),
            (ToClient.vote, [True, False], "Expected `bool`, got `array`"),
            (ToClient.message, [5], "Expected `null`, got `int`"),
            (ToClient.choose, [1, {}], r"Object missing required field `question` - at `\$\[0\]\[1\]`"),
        ],
    )
    def test_and_checked(self, event, answer, told):
        with pytest.raises(
            InvalidAnswer, match=f"the answer to '{name_of(event)}' is not what the contract says: {told}"
        ):
            checked_answer(event, answer)
        assert issubclass(InvalidAnswer, SocketIOError)
