"""What the README and the pages say of things that can be looked up is true."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from trio_socketio import (
    Answers,
    CloseReason,
    ConnectionStateRecovery,
    EngineConfig,
    Limits,
    OpenNamespace,
    Server,
    Socket,
)
from trio_socketio._logging import SCOPES

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows of a page."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]


def test_the_readmes_commands_are_one_line_each():
    readme = (PROJECT / "README.md").read_text()
    blocks = re.findall(r"([^\n]*)\n```sh\n(.*?)```", readme, re.DOTALL)
    commands = [block.splitlines() for _, block in blocks]
    assert [len(command) for command in commands] == [1, 1]
    assert all(command.startswith("python3 -m venv .venv && ") for (command,) in commands)
    assert blocks[1][0].endswith("<!-- test command -->")


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_to_files_lead_somewhere(file):
    targets = re.findall(r"\]\(([^)]+)\)", (PROJECT / file).read_text())
    assert [target for target in targets if "://" not in target and not (PROJECT / target).exists()] == []


def test_the_page_of_limits_tells_each_default():
    told = {}
    for name, default, *_ in (row for row in rows(page("topics/limits.md")) if len(row) == 3):
        number = re.match(r"[0-9,]+", default)
        if number:
            told[name.strip("`")] = float(number[0].replace(",", ""))
    assert told == {field.name: field.default for field in fields(Limits)}


@pytest.mark.parametrize("name", ["topics/lifetimes.md", "topics/architecture.md"])
def test_close_reasons_on_the_pages_exist(name):
    section = page(name).partition("## Why ")[2].partition("\n## ")[0]
    reasons = {str(reason) for reason in CloseReason}
    cells = {cell for row in rows(section) for part in row for cell in re.findall(r"`([a-z ]+)`", part)}
    told = {cell for cell in cells if " " in cell}
    assert told <= reasons
    if name == "topics/lifetimes.md":
        assert told | {"server shutting down"} == reasons


def test_the_page_of_logging_tells_each_logger():
    loggers = {cells[0].strip("`").removeprefix("trio_socketio.") for cells in rows(page("topics/logging.md"))}
    assert set(SCOPES) <= loggers


def test_limits_that_pages_name_exist():
    names = {field.name for field in fields(Limits)}
    for file in [*DOCS.glob("*.md"), *DOCS.glob("topics/*.md"), PROJECT / "README.md"]:
        assert set(re.findall(r"Limits\.([a-z_]+)", file.read_text())) <= names, file


def test_python_on_the_pages_compiles():
    for file in [*DOCS.glob("**/*.md"), PROJECT / "README.md"]:
        for block in re.findall(r"```python\n(.*?)```", file.read_text(), re.DOTALL):
            compile(block, str(file), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


SETTINGS = {
    "EngineConfig": EngineConfig,
    "Limits": Limits,
    "Server": Server,
    "ConnectionStateRecovery": ConnectionStateRecovery,
}
OBJECTS = {
    "sio": Server,
    "io": Server,
    "chat": OpenNamespace,
    "namespace": OpenNamespace,
    "socket": Socket,
    "answers": Answers,
}
"""What these names stand for on the pages."""


def our_side(name: str) -> str:
    """What a page says of us: of its tables the last column, and its code."""
    text = page(name)
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    told = "\n".join([*blocks, *(row[-1] for row in rows(text))])
    return re.sub(r'"[^"\n]*"', '""', told)


@pytest.mark.parametrize("name", ["emit-cheatsheet", "from-node", "from-python-socketio"])
class TestWaysFromOthers:
    def test_what_they_call_is_there(self, name):
        for holder, attribute in re.findall(r"\b([a-z]+)\.([a-z_]\w*)", our_side(f"howto/{name}.md")):
            cls = OBJECTS.get(holder)
            if cls is not None:
                known = {*dir(cls), *getattr(cls, "__slots__", ())}
                assert attribute in known, f"{holder}.{attribute}"

    def test_settings_are_there(self, name):
        for holder, arguments in re.findall(
            r"\b([A-Z]\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)", our_side(f"howto/{name}.md")
        ):
            if holder in SETTINGS:
                told = set(re.findall(r"(?:^|, )([a-z_]\w*)=", arguments))
                assert told <= set(inspect.signature(SETTINGS[holder]).parameters), (holder, told)
