"""What the README and the pages say of things that can be looked up is true."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from trio_socketio import CloseReason, Limits
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
