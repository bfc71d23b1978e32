"""Contracts: the events of one direction as the methods of a class, so that type checkers know what belongs to which.

Theory of operation
-------------------
A contract is written for type checkers, and never instantiated; where an event's name may stand, one of its functions may,
and means the name. What checkers are told of ``emit`` and its like stands in ``event_methods.py``.

``name_of`` is on the path of every event out: for text it is a look into a set, and so is ``Contract.name_of``.
"""

from __future__ import annotations

import difflib
import inspect
import types
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, final

from trio_socketio._exceptions import SocketIOError
from trio_socketio._socket.arguments import Converter, InvalidArguments
from trio_socketio._socket.event_methods import EventName, SignatureT
from trio_socketio._socket.signature import annotated_type
from trio_socketio._wire.socket_packet import RESERVED_EVENTS

NameOf: TypeAlias = Callable[[EventName], str]
"""``name_of``, or that of a ``Contract``."""

_MARK = "_trio_socketio_event_name"


class InvalidAnswer(SocketIOError):  # noqa: N818 - it is named after what it is about
    """A client's answer is not what the contract says; ``str`` of it says where, as ``$[0].field``."""


def event_name(name: str) -> Callable[[SignatureT], SignatureT]:
    """Give a contract's function another name on the wire: ``@event_name("private message")``.

    Raises:
        TypeError: not text.
        ValueError: reserved by the protocol.
    """
    name_of(name)

    def mark(function: SignatureT) -> SignatureT:
        setattr(function, _MARK, name)
        return function

    return mark


def name_of(event: EventName) -> str:
    """Return an event's name on the wire.

    Raises:
        TypeError: neither text nor a function of a contract.
        ValueError: reserved by the protocol.
    """
    name = event if isinstance(event, str) else _name_of_function(event)
    if name in RESERVED_EVENTS:
        msg = f"{name!r} is reserved by Socket.IO: choose another event name"
        raise ValueError(msg)
    return name


def _name_of_function(event: object) -> str:
    # A bound method would be called with one argument less than it is sent with; other callables have no name. A function
    # outside of a class is a handler whose ``@sio.on`` lacks its parentheses.
    if type(event) is not types.FunctionType or not _is_in_class(event):
        msg = f"an event's name is text, or a function of a contract class such as ToClient.message, not {event!r}"
        raise TypeError(msg)
    if not event.__code__.co_flags & inspect.CO_COROUTINE:
        msg = f"{event!r} is no event of a contract: write 'async def {event.__name__}(self, ...)'"
        raise TypeError(msg)
    name: str = getattr(event, _MARK, event.__name__)
    return name


def _is_in_class(function: types.FunctionType) -> bool:
    around = function.__qualname__.rpartition(".")[0]
    return around != "" and not around.endswith("<locals>")


@final
class Contract:
    """The events that may be sent, by the functions of a class.

    Args:
        cls: a ``Protocol`` or a plain class; also what it inherits counts. Names that begin with an underscore don't.

    Raises:
        TypeError: not a class, one without events, or with a public method that is not ``async def f(self, ...)``, or whose
            return annotation can't be decoded.
        ValueError: a name is reserved, or stands for two functions.
    """

    __slots__ = ("_names", "_title", "cls")

    def __init__(self, cls: type) -> None:
        if not isinstance(cls, type):
            msg = f"a contract is a class whose methods are the events, not {cls!r}"
            raise TypeError(msg)
        self.cls: type = cls
        """The class."""
        self._title = cls.__qualname__
        names = [_checked_name(function) for function in _functions(cls).values()]
        self._names = frozenset(names)
        if not names:
            msg = f"the contract {self._title} has no events: write 'async def message(self, text: str) -> None: ...' in it"
            raise TypeError(msg)
        if len(names) > len(self._names):
            twice = next(name for name in names if names.count(name) > 1)
            msg = f"the contract {self._title} has two functions for the event {twice!r}"
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"<Contract {self._title} of {len(self._names)} events>"

    def name_of(self, event: EventName) -> str:
        """Return an event's name on the wire.

        Raises:
            TypeError: neither text nor a function of a contract.
            ValueError: no event of this contract.
        """
        name = event if isinstance(event, str) else _name_of_function(event)
        if name not in self._names:
            close = difflib.get_close_matches(name, self._names, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(map(repr, sorted(self._names)))}"
            msg = f"{name!r} is no event of the contract {self._title}: {hint}"
            raise ValueError(msg)
        return name


def agreed(names: NameOf, cls: type) -> NameOf:
    """Return what names events by a contract.

    Args:
        names: what has named them until now.
        cls: the contract's class.

    Raises:
        TypeError: as ``Contract``.
        ValueError: as ``Contract``, or there is another contract already.
    """
    contract = Contract(cls)
    earlier = getattr(names, "__self__", None)
    if isinstance(earlier, Contract) and earlier.cls is not cls:
        msg = f"the namespace has the contract {earlier.cls.__qualname__} already: not {cls.__qualname__} too"
        raise ValueError(msg)
    return contract.name_of


def _functions(cls: type) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ not in {"builtins", "typing"}:
            found |= {name: value for name, value in vars(base).items() if not name.startswith("_")}
    return {
        name: value for name, value in found.items() if callable(value) or isinstance(value, staticmethod | classmethod)
    }


def _checked_name(function: Any) -> str:
    name = name_of(function)
    _answer_converter(function)
    return name


def single(args: Sequence[Any]) -> Any:
    """Make a value of an answer's arguments: ``None`` of none, a tuple of several."""
    return args[0] if len(args) == 1 else (tuple(args) if args else None)


def checked_answer(event: EventName, answer: Sequence[Any]) -> Any:
    """Return what a call returns: the answer's argument, ``None`` if it has none, a tuple if it has several.

    If the event is a contract's function, it is decoded and checked by what that returns.

    Raises:
        InvalidAnswer: it is not what the contract says.
    """
    return answer_to(event, single(answer))


def answer_to(event: EventName, value: Any) -> Any:
    """Do the same with the value of an answer."""
    converter = None if isinstance(event, str) else _answer_converter(event)
    if converter is None:
        return value
    try:
        return converter.convert([value])[0]
    except InvalidArguments as error:
        msg = f"the answer to {name_of(event)!r} is not what the contract says: {error.message}"
        raise InvalidAnswer(msg) from error


_converters: weakref.WeakKeyDictionary[Any, Converter | None] = weakref.WeakKeyDictionary()


def _answer_converter(function: Any) -> Converter | None:
    """Return what decodes the answers to a contract's function; made once."""
    try:
        return _converters[function]
    except KeyError:
        pass
    annotation = function.__annotations__.get("return", Any)
    found = _converters[function] = Converter.of([annotated_type(function, "return", annotation)])
    return found
