"""The tables of the reference's cases: read, checked, counted. ``python -m tests.reference.coverage_table`` prints the counts.

A table's value is a list of tests, or ``{ tests = [...], differs = "..." }``, ``{ left_out = "why" }``,
``{ pending = "what is needed" }``.
"""

from __future__ import annotations

import ast
import functools
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = {"Engine.IO": "engine_io.toml", "Socket.IO": "socket_io.toml"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case of the reference; of ``tests``, ``left_out`` and ``pending`` it has one."""

    title: str
    tests: tuple[str, ...] = ()
    differs: str = ""
    left_out: str = ""
    pending: str = ""

    def __post_init__(self) -> None:
        states = [state for state in (self.tests, self.left_out, self.pending) if state]
        if len(states) != 1 or (self.differs and not self.tests):
            msg = (
                f"{self.title!r} is either covered by tests, or left out, or pending: say one of them, with its reason"
            )
            raise ValueError(msg)


def cases(name: str) -> list[Case]:
    """Read a table; TOML itself refuses a title that is there twice."""
    text = (Path(__file__).parent / TABLES[name]).read_text(encoding="utf-8")
    found = []
    for describe, table in tomllib.loads(text).items():
        for title, value in table.items():
            fields = {"tests": value} if isinstance(value, list) else dict(value)
            fields["tests"] = tuple(fields.get("tests", ()))
            found.append(Case(title=f"{describe} > {title}", **fields))
    return found


@functools.cache
def names_in(file: str) -> frozenset[str]:
    """The tests of a file, as ``test_name`` and ``TestClass::test_name``; none if there is no such file."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=group, body=body) if group.startswith("Test"):
                inner = (child for child in body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))
                found |= {f"{group}::{child.name}" for child in inner}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def is_there(test: str) -> bool:
    """Say whether there is a test of that id."""
    file, _, name = test.partition("::")
    return name in names_in(file)


def sentence(name: str) -> str:
    """What the documentation says of a table."""
    counted = Counter("tests" if case.tests else "left_out" if case.left_out else "pending" for case in cases(name))
    text = f"{name}: {counted['tests']} of {counted.total()} covered, {counted['left_out']} left out"
    return f"{text}, {counted['pending']} pending" if counted["pending"] else text


def waiting_for(name: str) -> Counter[str]:
    """What pending cases need, and how many need it."""
    return Counter(case.pending for case in cases(name) if case.pending)


if __name__ == "__main__":
    for table in TABLES:
        print(sentence(table))
        for needed, count in waiting_for(table).most_common():
            print(f"  {count:3} wait for {needed}")
