"""mypy and pyright accept what they should and refuse what they should: each is run once, over the files beside this one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = sorted(path for path in HERE.glob("*.py") if not path.name.startswith("test_"))
CHECKERS = ("mypy", "pyright")

Errors = dict[str, dict[int, set[str]]]
"""The names of errors, by file and line."""


def checker(name: str, *arguments: str) -> str:
    """What a type checker says; how it ends tells only whether it found something."""
    command = [sys.executable, "-m", name, *arguments, *map(str, FILES)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, f"{name} finds the errors of refused.py, or it did not run: {done.stdout}{done.stderr}"
    return done.stdout


def collected(found: Iterable[tuple[str, int, str]]) -> Errors:
    errors: Errors = {path.name: {} for path in FILES}
    for file, line, error in found:
        errors[Path(file).name].setdefault(line, set()).add(error)
    return errors


@pytest.fixture(scope="module")
def mypy() -> Errors:
    said = checker("mypy", "--strict", "--no-error-summary", "--hide-error-context", "--no-pretty")
    return collected(
        (file, int(line), error)
        for file, line, error in re.findall(r"^(.+?):(\d+): error: .*\[([a-z-]+)\]$", said, re.MULTILINE)
    )


@pytest.fixture(scope="module")
def pyright() -> Errors:
    if shutil.which("node") is None:
        assert not os.environ.get("TRIO_SOCKETIO_REQUIRE_NODE"), "pyright needs Node"
        pytest.skip("pyright needs Node")
    said = json.loads(checker("pyright", "--outputjson", "--pythonpath", sys.executable))
    return collected(
        (found["file"], found["range"]["start"]["line"] + 1, found.get("rule", "error"))
        for found in said["generalDiagnostics"]
        if found["severity"] == "error"
    )


def expected(file: Path, name: str) -> dict[int, str]:
    """The errors that the comments of a file announce, by line."""
    found: dict[int, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        announced = re.search(r"# refused: ([\w-]+), (\w+)$", line)
        if announced:
            found[number] = announced[CHECKERS.index(name) + 1]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("name", CHECKERS)
def test_each_line_is_accepted_or_refused_as_it_says(file, name, request):
    found = request.getfixturevalue(name)[file.name]
    announced = expected(file, name)
    assert set(found) == set(announced), "lines with errors, and lines that announce one"
    for line, error in announced.items():
        assert error in found[line], f"{file.name}:{line}"


def test_the_files_say_something():
    assert {path.stem for path in FILES} == {"accepted", "refused"}
    assert not expected(HERE / "accepted.py", "mypy")
    assert len(expected(HERE / "refused.py", "mypy")) > 15
