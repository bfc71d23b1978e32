"""Control of the public surface: who may construct a class, what its module is called, how exceptions come out."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any, NoReturn, TypeVar, get_type_hints

import msgspec

T = TypeVar("T")


class NoPublicConstructor(type):
    """Metaclass of classes that only the library constructs.

    Calling such a class raises TypeError with a sentence; the library itself calls ``Class._create(...)``.
    """

    def __call__(cls, *args: object, **kwargs: object) -> NoReturn:
        """Refuse: instances come from the library."""
        del args, kwargs
        msg = f"{cls.__module__}.{cls.__qualname__} has no public constructor: the library makes its instances"
        raise TypeError(msg)

    def _create(cls: type[T], *args: Any, **kwargs: Any) -> T:
        return super().__call__(*args, **kwargs)  # type: ignore[misc,no-any-return] # mypy takes a class for no type


def show_as_members_of(module_name: str, namespace: MutableMapping[str, object]) -> None:
    """Make public names report the public module, in tracebacks, documentation and pickles."""
    for name, value in namespace.items():
        private = getattr(value, "__module__", "").startswith(f"{module_name}.")
        if not name.startswith("_") and private and hasattr(value, "__qualname__"):
            if isinstance(value, type) and (issubclass(value, msgspec.Struct) or is_dataclass(value)):
                # Whoever asks for its signature or decodes it evaluates annotations, names in the module where it stands.
                value.__annotations__ = get_type_hints(value)
            value.__module__ = module_name


@contextmanager
def plain_exceptions() -> Iterator[None]:
    """Let a single exception out of our nurseries as it is, not in a group: how many there are is our affair."""
    try:
        yield
    except BaseExceptionGroup as group:
        only: BaseException = group
        while isinstance(only, BaseExceptionGroup) and len(only.exceptions) == 1:
            only = only.exceptions[0]
        if isinstance(only, BaseExceptionGroup):
            raise
        raise only from only.__cause__
