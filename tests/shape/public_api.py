"""The public API as text. ``python -m tests.shape.public_api``, at the top of the repository, records it anew.

One line per name and per public member, sorted, so that a change of the API is a line in the diff of ``api.txt``.
"""

from __future__ import annotations

import ast
import enum
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import trio_socketio
import trio_socketio.testing
from trio_socketio._util import NoPublicConstructor

RECORD = Path(__file__).with_name("api.txt")


def public_names() -> dict[str, object]:
    """What ``trio_socketio`` exports, and its test kit, as ``testing.…``."""
    names = exported(trio_socketio)
    return names | {f"testing.{name}": value for name, value in exported(trio_socketio.testing).items()}


def exported(module: ModuleType) -> dict[str, object]:
    """What a module exports; its subpackages and ``from __future__`` are no names of its API."""
    return {
        name: value
        for name, value in sorted(vars(module).items())
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }


def is_ours(cls: type) -> bool:
    return cls.__module__.split(".")[0] == "trio_socketio"


def public_members(cls: type) -> dict[str, object]:
    """The public methods, properties and class attributes that a class has from us, base classes included."""
    members: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        if is_ours(base):
            members |= {name: value for name, value in vars(base).items() if not name.startswith("_")}
    return members


def fields(cls: type) -> dict[str, str]:
    """The annotated public attributes that a class has from us, and their types as written."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if is_ours(base):
            annotations = inspect.get_annotations(base)
            found |= {name: written(annotation) for name, annotation in annotations.items() if not name.startswith("_")}
    return found


def attributes(cls: type) -> dict[str, str]:
    """The public attributes that our constructors set, and their types where they stand."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        constructor = vars(base).get("__init__")
        # Dataclasses have a generated one, without source; their fields are annotated on the class.
        if is_ours(base) and constructor is not None and constructor.__code__.co_filename != "<string>":
            for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(constructor)))):
                match node:
                    case ast.AnnAssign(
                        target=ast.Attribute(value=ast.Name(id="self"), attr=name), annotation=annotation
                    ):
                        found[name] = ast.unparse(annotation)
                    case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                        found.setdefault(name, "...")
    return {name: annotation for name, annotation in found.items() if not name.startswith("_")}


def written(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def default(value: object) -> str:
    # Objects that show their address would differ from run to run.
    return re.sub(r"<.*>", "...", repr(value))


def signature(function: object, *, bound: bool = False) -> str:
    """A signature, written the same by every Python: as in the source, without the quotes of annotations."""
    found = inspect.signature(function)
    parameters = list(found.parameters.values())[1 if bound else 0 :]
    parts: list[str] = []
    for index, parameter in enumerate(parameters):
        star = any(part.startswith("*") for part in parts)
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        text = prefix + parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {written(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {default(parameter.default)}"
        parts.append(text)
        following = parameters[index + 1].kind if index + 1 < len(parameters) else None
        if parameter.kind is parameter.POSITIONAL_ONLY and following is not parameter.POSITIONAL_ONLY:
            parts.append("/")
    returned = "" if found.return_annotation is found.empty else f" -> {written(found.return_annotation)}"
    return f"({', '.join(parts)}){returned}"


def kind(function: object) -> str:
    # A decorated function (a context manager) says by its return type what it is.
    return "async def" if inspect.iscoroutinefunction(inspect.unwrap(function)) else "def"


def class_lines(name: str, cls: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    if isinstance(cls, NoPublicConstructor) or inspect.isabstract(cls) or getattr(cls, "_is_protocol", False):
        yield f"class {name}[{bases}]: no public constructor"
    elif issubclass(cls, enum.Enum):
        yield f"class {name}[{bases}]"
        yield from (f"{name}.{member.name} = {member.value!r}" for member in cls)
    elif "__init__" in vars(cls) or any("__init__" in vars(base) for base in cls.__mro__ if is_ours(base)):
        yield f"class {name}[{bases}]{signature(cls.__init__, bound=True).removesuffix(' -> None')}"
    else:
        yield f"class {name}[{bases}]: constructed as its base"
    annotated = attributes(cls) | fields(cls)
    yield from (f"{name}.{field}: {annotation}" for field, annotation in annotated.items())
    for member, value in public_members(cls).items():
        match value:
            case property(fget=getter):
                yield f"{name}.{member}: property{signature(getter, bound=True).removeprefix('()')}"
            case classmethod():
                yield f"{name}: classmethod {member}{signature(value.__func__, bound=True)}"
            case staticmethod():
                yield f"{name}: staticmethod {member}{signature(value.__func__)}"
            case _ if inspect.isfunction(value):
                yield f"{name}.{member}: {kind(value)} {signature(value, bound=True)}"


def describe() -> str:
    """The whole public API, a line per name or member."""
    lines: list[str] = []
    for name, value in public_names().items():
        if inspect.isclass(value) and is_ours(value):
            lines += class_lines(name, value)
        elif inspect.isfunction(value):
            lines.append(f"{kind(value)} {name}{signature(value)}")
        else:
            lines.append(f"alias {name} = {written(value)}")
    return "\n".join(sorted(lines)) + "\n"


if __name__ == "__main__":
    RECORD.write_text(describe(), encoding="utf-8")
    print(f"recorded {len(describe().splitlines())} lines in {RECORD.name}")
