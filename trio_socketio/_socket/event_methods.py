"""What type checkers are told of methods that take an event: the name with any arguments, or a contract's function with its own.

It stands here once, as two overloads, and not at each method: ``@sends`` and its like change a method's type and nothing
else, so that at run time there is no trace of them. A method that returns something else needs no more than ``@sends``; one
whose result depends on the function's needs a Protocol of its own, as ``Asks``.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, cast, overload

from trio_socketio._types import Data

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
SignatureT = TypeVar("SignatureT", bound=Callable[..., Awaitable[Any]])

Signature: TypeAlias = Callable[Concatenate[Any, P], Awaitable[R]]
"""A function of a contract, or a handler: ``self`` or the socket comes first, then the event's arguments."""

EventName: TypeAlias = str | Callable[..., Awaitable[Any]]
"""An event's name, or the function of a contract that stands for it."""


class Sends(Protocol[R_co]):
    """A method that sends an event, as type checkers see it."""

    @overload
    def __call__(self, event: str, *args: Data) -> R_co:  # noqa: D418 - editors show it
        """Send an event by its name."""

    @overload
    def __call__(  # noqa: D418 - editors show it
        self, event: Callable[Concatenate[Any, P], Awaitable[object]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R_co:
        """Send an event of a contract, with its arguments; by position, since events have no keywords."""


class Asks(Protocol):
    """A method that sends an event and returns the answer, as type checkers see it."""

    @overload
    def __call__(self, event: str, *args: Data) -> types.CoroutineType[Any, Any, Any]:  # noqa: D418 - editors show it
        """Ask by an event's name."""

    @overload
    def __call__(  # noqa: D418 - editors show it
        self, event: Callable[Concatenate[Any, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> types.CoroutineType[Any, Any, R]:
        """Ask by an event of a contract, with its arguments; by position, since events have no keywords."""


class SendingMethod(Sends[R_co], Protocol[R_co]):
    """What ``Sends`` is bound from; and that itself, since pyright doesn't bind what it compares with a Protocol's method."""

    def __get__(self, instance: object, owner: type | None = None, /) -> Sends[R_co]:
        """Bind it."""
        ...


class AskingMethod(Asks, Protocol):
    """What ``Asks`` is bound from, likewise."""

    def __get__(self, instance: object, owner: type | None = None, /) -> Asks:
        """Bind it."""
        ...


class Registers(Protocol):
    """A method that registers a handler, as type checkers see it."""

    @overload
    def __call__(self, event: str, *, concurrent: bool = False) -> Callable[[SignatureT], SignatureT]:  # noqa: D418 - editors show it
        """Handle an event by its name."""

    @overload
    def __call__(  # noqa: D418 - editors show it
        self, event: Signature[P, R], /, *, concurrent: bool = False
    ) -> Callable[[Signature[P, R]], Signature[P, R]]:
        """Handle an event of a contract, with a function of the same arguments."""


class RegisteringMethod(Registers, Protocol):
    """What ``Registers`` is bound from, likewise."""

    def __get__(self, instance: object, owner: type | None = None, /) -> Registers:
        """Bind it."""
        ...


def sends(method: Callable[..., R]) -> SendingMethod[R]:
    """Let type checkers see that a method takes ``(name, *args)`` or a contract's function with its arguments."""
    return cast(SendingMethod[R], method)


def asks(method: Callable[..., Coroutine[Any, Any, Any]]) -> AskingMethod:
    """Do the same for a method that returns the answer."""
    return cast(AskingMethod, method)


def registers(method: Callable[..., Callable[[Any], Any]]) -> RegisteringMethod:
    """Let type checkers see that a method takes a name or a contract's function, and then a handler for that."""
    return cast(RegisteringMethod, method)
