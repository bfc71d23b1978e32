"""The layers: import-linter's contracts, and what the sans-IO files may import, which needs no tool."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "trio_socketio"

SANS_IO = [
    *sorted((PACKAGE / "_wire").glob("*.py")),
    *(PACKAGE / f"{name}.py" for name in ("_exceptions", "_limits", "_types", "_util")),
]
# No clock, no randomness, no logging, no IO. A new name here is a decision: say in its review why it is pure.
ALLOWED = {
    "__future__", "base64", "binascii", "collections", "contextlib", "dataclasses", "enum", "functools", "itertools",
    "hashlib", "json", "math", "operator", "re", "struct", "typing", "urllib",
    "msgspec",
    "codecs",
    "datetime",  # the type of a value in MessagePack; its clocks are looked for below
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today"}
ALLOWED_OF_OURS = ("trio_socketio._wire", "trio_socketio._exceptions", "trio_socketio._limits", "trio_socketio._types", "trio_socketio._util")  # fmt: skip


def imports(path: Path) -> list[tuple[int, str]]:
    """The line and the full name of each module that a file imports, wherever in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found += [(node.lineno, alias.name) for alias in names]
            case ast.ImportFrom(module=module, level=level):
                assert not level, f"{path.name}:{node.lineno}: imports are absolute"
                found.append((node.lineno, module))
    return found


@pytest.mark.parametrize("path", SANS_IO, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_sans_io_files_import_only_what_is_pure(path):
    for line, name in imports(path):
        ours = any(name == allowed or name.startswith(f"{allowed}.") for allowed in ALLOWED_OF_OURS)
        assert ours or name.split(".")[0] in ALLOWED, f"{path.relative_to(ROOT)}:{line} imports {name}"


@pytest.mark.parametrize("path", SANS_IO, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_sans_io_files_ask_no_date_what_time_it_is(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Attribute) and node.attr in CLOCKS), f"{path.name}:{node.lineno} reads a clock"


def test_import_linter_keeps_its_contracts():
    linter = Path(sys.executable).with_name("lint-imports")
    # Its banner is not ASCII, and a bare machine's locale may be.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
