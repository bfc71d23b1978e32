"""What an event's arguments must be: decoded and checked by msgspec, by the annotations of whoever takes them.

Theory of operation
-------------------
The annotated parameters become a struct that is written as an array, made once: msgspec keeps what it knows about a struct,
while it would look at ``tuple[str, Poll]`` anew for each event. ``str``, ``dict`` and the like need no struct as long as
what comes is exactly of that type, and it nearly always is: then the arguments are handed on as they came, not copied.

msgspec is told only of what it needs, since each keyword costs as much as the conversion: of ``bytes`` (attachments, which
must not be taken from base64 text) and of models of pydantic, known by their ``model_validate``, if any stand in the
annotations.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import msgspec
from msgspec import inspect as described

from trio_socketio._exceptions import EventRejected

MAX_MESSAGE = 200
"""Characters of what msgspec says, of which a part may be the client's own text."""

KEPT = 256
"""Converters that are kept: a handler may be registered for each socket anew, and to make one takes half a millisecond."""

_as_tuple = msgspec.structs.astuple

_BYTES = (bytes, bytearray, memoryview)
_BYTES_TYPES = (described.BytesType, described.ByteArrayType, described.MemoryViewType)

_PLAIN: Sequence[tuple[described.Type, type]] = (
    (described.NoneType(), type(None)),
    (described.BoolType(), bool),
    (described.IntType(), int),
    (described.FloatType(), float),
    (described.StrType(), str),
    (described.BytesType(), bytes),
    (described.ListType(described.AnyType()), list),
    (described.DictType(described.AnyType(), described.AnyType()), dict),
)
"""Types, and of what type values must be to be left as they are."""

_EVERYTHING: frozenset[type] = frozenset(kind for _, kind in _PLAIN)
"""All that a parser makes."""

_SHOWN: Mapping[type, str] = {type(None): "null", list: "array", dict: "object"}
"""How msgspec calls types, if not by their name."""

_IN_REST = re.compile(r"^\$\[(\d+)\]\[(\d+)\]")


@final
class InvalidArguments(EventRejected):
    """An event's arguments are not what its handler takes; ``message`` says where, and may be shown to the client."""


def rejection_answer(rejection: EventRejected) -> dict[str, dict[str, object]]:
    """Return what the client is told, if it asked."""
    code = "invalid_arguments" if isinstance(rejection, InvalidArguments) else "rejected"
    answer: dict[str, object] = {"code": code, "message": rejection.message}
    if rejection.data is not None:
        answer["data"] = rejection.data
    return {"error": answer}


@final
class Converter:
    """Makes what a handler takes of what a client sent.

    Args:
        types: of the parameters, in order; ``Any`` for what is taken as it comes.
        rest: the type of each further argument, if there may be any.

    Raises:
        TypeError: what can't be decoded; says which type, and why.
    """

    __slots__ = ("_ambiguous", "_array", "_convert", "_has_rest", "_head", "_kinds")

    def __init__(self, types: Sequence[Any], rest: Any = Any, *, has_rest: bool = False) -> None:
        self._head = len(types)
        self._has_rest = has_rest
        kinds = [_kinds_of(kind) for kind in types]
        # With further arguments it would be one more loop: msgspec's is the faster one.
        self._kinds = kinds if all(kinds) and not has_rest else None
        self._ambiguous = [(index, found) for index, found in enumerate(kinds) if _is_ambiguous(found)]
        fields = [Any if _is_ambiguous(found) else kind for kind, found in zip(types, kinds, strict=True)]
        if has_rest:
            fields.append(list[rest])
        self._array: Any = msgspec.defstruct(
            "Arguments",
            [(f"argument_{index}", kind, msgspec.UNSET) for index, kind in enumerate(fields)],
            array_like=True,
            gc=False,
        )
        self._convert = _conversion(fields)
        # Only a conversion shows all that msgspec has against a type.
        self._convert([], self._array)

    @staticmethod
    def of(types: Sequence[Any], rest: Any = Any, *, has_rest: bool = False) -> Converter | None:
        """Make one, or return one that was made of the same; ``None`` if there is nothing to decode and to check."""
        key = (*types, rest)
        try:
            hash(key)
        except TypeError:  # of a list in an ``Annotated``, for instance
            return _made.__wrapped__(key, has_rest=has_rest)
        return _made(key, has_rest=has_rest)

    def convert(self, arguments: Sequence[Any]) -> Sequence[Any]:
        """Decode and check arguments, which are as many as may be.

        Raises:
            InvalidArguments: they are not of these types.
        """
        if self._kinds is not None:
            # Those with a default may be missing.
            for argument, kinds in zip(arguments, self._kinds):  # noqa: B905 - ``strict=False`` takes as long as the rest
                if kinds is not _EVERYTHING and type(argument) not in kinds:
                    break
            else:
                return arguments
        count, head = len(arguments), self._head
        has_rest = self._has_rest and count > head
        try:
            decoded = _as_tuple(
                self._convert([*arguments[:head], arguments[head:]] if has_rest else arguments, self._array)
            )
        except msgspec.ValidationError as error:
            raise InvalidArguments(self._message(error)) from error
        for index, kinds in self._ambiguous:
            if index < count and type(arguments[index]) not in kinds:
                raise InvalidArguments(_mismatch(arguments[index], kinds, index))
        if has_rest:
            return (*decoded[:head], *decoded[head])
        return decoded if count == len(decoded) else decoded[:count]

    def _message(self, error: msgspec.ValidationError) -> str:
        what, _, path = str(error).rpartition(" - at `")
        if isinstance(error.__cause__, TypeError):
            # Of a ``__post_init__``: msgspec takes it for an answer, but it may as well be a mistake in there.
            what = "Invalid value"
        inside = _IN_REST.match(path) if self._has_rest else None
        if inside is not None and int(inside[1]) == self._head:
            path = f"$[{self._head + int(inside[2])}]{path[inside.end() :]}"
        return f"{_cut(what)} - at `{_cut(path.removesuffix('`'))}`"


@functools.lru_cache(KEPT)
def _made(key: tuple[Any, ...], *, has_rest: bool) -> Converter | None:
    *types, rest = key
    if all(_kinds_of(kind) is _EVERYTHING for kind in key):
        return None
    return Converter(types, rest, has_rest=has_rest)


def _conversion(fields: Sequence[Any]) -> Callable[[Sequence[Any], Any], Any]:
    """Return ``msgspec.convert``, told of no more than these types need."""
    has_bytes = has_models = False
    for kind in fields:
        for part in _parts(described.type_info(kind), set()):
            has_bytes = has_bytes or isinstance(part, _BYTES_TYPES)
            has_models = has_models or (isinstance(part, described.CustomType) and part.cls is not object)
    if not has_bytes and not has_models:
        return msgspec.convert
    builtin = _BYTES if has_bytes else None
    return functools.partial(msgspec.convert, builtin_types=builtin, dec_hook=_validate if has_models else None)


def _parts(info: Any, seen: set[Any]) -> Iterator[described.Type]:
    """Go through a type, its fields and its elements, each struct once.

    Raises:
        TypeError: a class that nobody knows how to decode.
    """
    cls = getattr(info, "cls", None)
    if cls is not None:
        if cls in seen:
            return
        seen.add(cls)
    if isinstance(info, described.CustomType) and cls is not object and not hasattr(cls, "model_validate"):
        msg = f"{info.cls!r} can't be decoded from what clients send"
        raise TypeError(msg)
    if isinstance(info, described.Type):
        yield info
    children = (
        info if isinstance(info, tuple) else [getattr(info, name) for name in getattr(info, "__struct_fields__", ())]
    )
    for child in children:
        if isinstance(child, tuple | described.Type | described.Field):
            yield from _parts(child, seen)


def _kinds_of(kind: Any) -> frozenset[type]:
    """Return the types of values that are left as they are; none if only msgspec knows, and all for ``Any``."""
    if kind is object:
        return _EVERYTHING
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        members = [_kinds_of(member) for member in typing.get_args(kind)]
        if _EVERYTHING in members:
            return _EVERYTHING
        return frozenset().union(*members) if all(members) else frozenset()
    info = described.type_info(kind)
    if isinstance(info, described.AnyType):
        return _EVERYTHING
    return frozenset(found for plain, found in _PLAIN if plain == info)


def _is_ambiguous(kinds: frozenset[type]) -> bool:
    """Say whether it is text or bytes: msgspec can't tell them apart, since in JSON alone bytes are text."""
    return kinds is not _EVERYTHING and {str, bytes} <= kinds


def _mismatch(value: object, kinds: frozenset[type], index: int) -> str:
    wanted = " | ".join(sorted(_SHOWN.get(kind, kind.__name__) for kind in kinds))
    return f"Expected `{wanted}`, got `{_SHOWN.get(type(value), type(value).__name__)}` - at `$[{index}]`"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}..."


def _validate(model: Any, value: object) -> object:
    """Have a model of pydantic made: it validates by its own rules."""
    if model is object:
        return value
    try:
        return model.model_validate(value)
    except ValueError as error:
        raise ValueError(_first_error(error)) from error


def _first_error(error: Any) -> str:
    """Return what pydantic says first, without the input and the links that are in its text."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
