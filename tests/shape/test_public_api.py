"""The public API: what it is, that users can't misuse its classes, and that each part of it says what it does."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import subprocess
import sys

import pytest

from tests.shape import public_api

CLASSES = {name: value for name, value in public_api.public_names().items() if inspect.isclass(value)}
OURS = {name: cls for name, cls in CLASSES.items() if public_api.is_ours(cls)}


def test_the_api_is_the_recorded_one():
    recorded = public_api.RECORD.read_text(encoding="utf-8").splitlines()
    found = public_api.describe().splitlines()
    changes = [f"+ {line}" for line in found if line not in recorded]
    changes += [f"- {line}" for line in recorded if line not in found]
    assert not changes, "if this is meant, run `python -m tests.shape.public_api`:\n" + "\n".join(changes)


INHERITED = {"Namespace": "its methods become handlers: class-based namespaces"}
"""Classes that are made for users to inherit from, though they are whole; and why."""


def refuses_subclasses(cls):
    try:
        type("Mine", (cls,), {})
    except TypeError as error:
        return "can't inherit" in str(error)
    return False


@pytest.mark.parametrize("name", OURS)
def test_nobody_inherits_what_is_not_made_for_it(name):
    cls = OURS[name]
    frozen = dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen
    assert (
        getattr(cls, "__final__", False)
        or name in INHERITED
        or refuses_subclasses(cls)
        or inspect.isabstract(cls)
        or getattr(cls, "_is_protocol", False)
        or issubclass(cls, BaseException | enum.Enum)
        or frozen
    ), (
        f"{name} is neither final, abstract, a Protocol, an exception, a frozen dataclass nor an Enum, and takes subclasses"
    )


@pytest.mark.parametrize("name", INHERITED)
def test_what_is_made_for_it_is_inherited_from(name):
    cls = OURS[name]
    assert not getattr(cls, "__final__", False)
    assert not inspect.isabstract(cls)
    assert issubclass(type("Mine", (cls,), {}), cls)


@pytest.mark.parametrize("name", OURS)
def test_a_class_without_public_constructor_is_final(name):
    cls = OURS[name]
    if isinstance(cls, public_api.NoPublicConstructor):
        assert cls.__final__
        with pytest.raises(TypeError, match="no public constructor"):
            cls()


@pytest.mark.parametrize("name", [name for name, value in public_api.public_names().items() if callable(value)])
def test_public_names_report_the_public_module(name):
    value = public_api.public_names()[name]
    if name not in OURS and not inspect.isfunction(value):
        return  # an alias of a type of Python's
    module, _, own_name = f"trio_socketio.{name}".rpartition(".")
    assert value.__module__ == module
    assert value.__qualname__ == own_name


@pytest.mark.parametrize("name", OURS)
def test_each_class_tells_its_signature(name):
    # It names types that stand in the module that the class no longer says that it is of.
    cls = OURS[name]
    if not isinstance(cls, public_api.NoPublicConstructor) and not issubclass(cls, BaseException):
        assert inspect.signature(cls)


def test_everything_public_has_a_docstring():
    bare = [name for name, value in public_api.public_names().items() if callable(value) and not inspect.getdoc(value)]
    for name, cls in OURS.items():
        for member, value in public_api.public_members(cls).items():
            callables = (property, classmethod, staticmethod)
            if (inspect.isfunction(value) or isinstance(value, callables)) and not inspect.getdoc(getattr(cls, member)):
                bare.append(f"{name}.{member}")
    assert not bare, f"no docstring: {', '.join(bare)}"


def test_importing_the_package_leaves_asyncio_out():
    # hypercorn's Trio half is imported with it, and needs none either.
    program = "import sys, trio_socketio; print([name for name in ('anyio', 'asyncio') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
