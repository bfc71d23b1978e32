"""How a handler is called: with how many arguments, of which types; settled once, when it is registered.

Theory of operation
-------------------
The first parameter is the socket's: its annotation is nobody's business, and may be importable for type checkers only. Those
of the others are evaluated where the function was written: in its module, the variables that it closes over, and the
function in which it is defined, if that is still running, as it is when it registers a handler of its own. What can't be
evaluated, or can't be decoded, is refused here: else it would show when the first event comes.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

from trio_socketio._socket.arguments import Converter, InvalidArguments

EventHandler: TypeAlias = Callable[..., Awaitable[Any]]
"""``async def handler(socket, *args)``; what it returns is the acknowledgement."""


@final
@dataclass(frozen=True, slots=True)
class Registered:
    """A handler, and how it may be called."""

    function: EventHandler
    concurrent: bool
    fewest: int
    most: float
    once: bool = False
    """It is for one event, and then not registered any more."""
    converter: Converter | None = None
    """Makes and checks its arguments; ``None`` if it takes whatever comes."""
    is_plain: bool = field(init=False)
    """It is simply to be called, with what has come. No property, since every event asks for it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_plain", not self.concurrent and not self.once and self.converter is None)

    @staticmethod
    def of(function: EventHandler, *, concurrent: bool = False, once: bool = False) -> Registered:
        """Look at a handler.

        Raises:
            TypeError: it does not take a socket, or an annotation can't be evaluated or decoded.
        """
        fewest, most = positional(function)
        if most < 1:
            msg = f"{function!r} takes no arguments: the first is the socket, then come the event's"
            raise TypeError(msg)
        return Registered(function, concurrent, max(fewest - 1, 0), most - 1, once, _converter(function))

    def accepts(self, arguments: int) -> bool:
        """Say whether it takes so many arguments from the peer."""
        return self.fewest <= arguments <= self.most

    def arguments(self, event: Sequence[Any]) -> Sequence[Any]:
        """Return what it takes beside the socket.

        Args:
            event: the event's name, and what the peer sent.

        Raises:
            InvalidArguments: too many or too few, or they don't fit its annotations.
        """
        arguments = event[1:]
        if not self.fewest <= len(arguments) <= self.most:
            raise InvalidArguments(self._expected(len(arguments)))
        return arguments if self.converter is None else self.converter.convert(arguments)

    def _expected(self, count: int) -> str:
        if self.most == math.inf:
            wanted = f"at least {self.fewest}"
        else:
            wanted = f"{self.fewest}" if self.fewest == self.most else f"{self.fewest} to {self.most:.0f}"
        return f"Expected {wanted} arguments, got {count}"


def is_async(function: object) -> bool:
    """Say whether it is an ``async def``, however it is wrapped up."""
    while isinstance(function, functools.partial):
        function = function.func
    # Of its type, as Python calls it: a class is no handler because its instances would be.
    call = getattr(type(function), "__call__", None)  # noqa: B004 - looks at it, doesn't ask whether it is callable
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def positional(function: Any) -> tuple[int, float]:
    """Return how many arguments it takes by position: the fewest, and the most.

    Raises:
        TypeError: it can't do without a keyword.
    """
    fewest, most = 0, 0.0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = math.inf
        elif parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            most += 1
            fewest += parameter.default is parameter.empty
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            msg = f"{function!r} has a keyword-only parameter without a default: events have no keywords"
            raise TypeError(msg)
    return fewest, most


def _converter(function: EventHandler) -> Converter | None:
    head: list[Any] = []
    rest: Any = Any
    has_rest = False
    for index, parameter in enumerate(inspect.signature(function).parameters.values()):
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        if parameter.kind is parameter.VAR_POSITIONAL:
            has_rest = True
            rest = annotated_type(function, parameter.name, annotation)
        elif index > 0 and parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            head.append(annotated_type(function, parameter.name, annotation))
    return Converter.of(head, rest, has_rest=has_rest)


def annotated_type(function: Callable[..., Any], name: str, annotation: Any) -> Any:
    """Return the type that an annotation means where the function is written.

    Raises:
        TypeError: it can't be evaluated, or msgspec can't decode it.
    """
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    written = _underlying(function)
    names: dict[str, Any] = {} if written is None else dict(written.__globals__)
    try:
        found = typing.get_type_hints(holder, names, _local_names(written), include_extras=True)[name]
        Converter.of([found])
    except Exception as error:
        msg = (
            f"{function!r}: the annotation of {name!r} can't be used to decode what clients send: {error}. Make it a type that"
            " msgspec decodes and that can be found where the function is written, or leave it out to take what comes"
        )
        raise TypeError(msg) from error
    return found


def _underlying(function: Any) -> types.FunctionType | None:
    """Return the function in whose source the annotations stand."""
    if isinstance(function, functools.partial):
        return _underlying(function.func)
    if inspect.ismethod(function):
        return _underlying(function.__func__)
    if isinstance(function, types.FunctionType):
        wrapped = inspect.unwrap(function)
        return function if wrapped is function else _underlying(wrapped)
    call = type(function).__call__
    return _underlying(call) if inspect.isfunction(call) else None


def _local_names(written: types.FunctionType | None) -> dict[str, Any]:
    """Return what names mean inside a function, beside those of its module."""
    if written is None:
        return {}
    names: dict[str, Any] = {}
    outer, frame = written.__qualname__.rpartition(".<locals>.")[0], inspect.currentframe()
    while outer and frame is not None:
        if frame.f_code.co_qualname == outer and frame.f_globals is written.__globals__:
            names |= frame.f_locals
            break
        frame = frame.f_back
    # Python knows these only if the function itself uses them.
    for name, cell in zip(written.__code__.co_freevars, written.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    names |= {parameter.__name__: parameter for parameter in getattr(written, "__type_params__", ())}
    return names
