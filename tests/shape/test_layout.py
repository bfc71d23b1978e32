"""How the files are cut: their length, their names, what no file of the package may hold, and where their tests are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "trio_socketio"
FOLDERS = ("trio_socketio", "tests", "examples", "benchmarks", "docs")
SUFFIXES = {".py", ".cjs", ".css", ".html", ".js", ".md", ".toml"}
BUILT = {"_build", "__pycache__", "node_modules"}

MAX_LINES = 500
NAMELESS = {"common", "helper", "helpers", "misc", "util", "utils"}

# The faces that may print: a command line talks to the person who typed it.
PRINTING = PACKAGE / "cli"

# The test file of a module, where it is not tests/<layer>/test_<module>.py. A module that only re-exports needs none.
TESTED_BY = {
    "_exceptions.py": "tests/base/test_base.py",
    "_limits.py": "tests/base/test_base.py",
    "_logging.py": "tests/base/test_base.py",
    "_types.py": "tests/base/test_base.py",
    "_util.py": "tests/base/test_base.py",
    "_version.py": "tests/base/test_base.py",
    "__main__.py": "tests/cli/test_cli.py",
    "_serve/serving.py": "tests/serve/test_serve.py",
    "_server/client_files.py": "tests/cli/test_cli.py",
    "_server/home.py": "tests/server/test_members.py",
    "_server/tenant.py": "tests/server/test_worker.py",
    "_wire/attachments.py": "tests/wire/test_json_parser.py",
    "_wire/parser.py": "tests/wire/test_json_parser.py",
    "_wire/plain_data.py": "tests/wire/test_json_parser.py",
    "_wire/socket_packet.py": "tests/wire/test_json_parser.py",
    "cli/chat.py": "tests/cli/test_cli.py",
    "cli/client_bundle.py": "tests/cli/test_cli.py",
    "cli/command_line.py": "tests/cli/test_cli.py",
    "cli/demo.py": "tests/cli/test_cli.py",
    "cli/page_app.py": "tests/cli/test_cli.py",
}


def files() -> Iterator[Path]:
    """Every text file of ours; what tools made is none."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and not BUILT & set(path.parts):
                yield path
    yield from sorted(path for path in ROOT.iterdir() if path.is_file() and path.suffix in SUFFIXES)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"]


def test_files_are_short():
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    long = [f"{name} has {length}" for name, length in lengths.items() if length > MAX_LINES]
    assert not long, f"a file has at most {MAX_LINES} lines; split: {', '.join(long)}"


def test_modules_are_named_after_what_they_hold():
    nameless = [shown(path) for path in files() if path.suffix == ".py" and path.stem.removeprefix("test_") in NAMELESS]
    assert not nameless, f"name the noun that it holds: {', '.join(nameless)}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nothing_of_asyncio_no_print_no_sleep(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                imported = [module]
            case ast.Call(func=ast.Name(id="print")):
                assert path.is_relative_to(PRINTING), f"{shown(path)}:{node.lineno} prints: use the scope's logger"
                continue
            case _:
                continue
        taken = {name.split(".")[0] for name in imported} & {"anyio", "asyncio", "sniffio"}
        assert not taken, f"{shown(path)}:{node.lineno} imports {', '.join(taken)}: this is Trio"


def test_each_module_has_its_test_file():
    missing = []
    for module in modules():
        name = module.relative_to(PACKAGE).as_posix()
        layer = module.parent.name.removeprefix("_") if module.parent != PACKAGE else "base"
        expected = TESTED_BY.get(name, f"tests/{layer}/test_{module.stem}.py")
        if not (ROOT / expected).is_file():
            missing.append(f"{shown(module)} has no {expected}")
    assert not missing, "; ".join(missing)


def test_the_list_of_other_test_files_is_true():
    gone = [name for name in TESTED_BY if not (PACKAGE / name).is_file()]
    assert not gone, f"TESTED_BY names modules that are no more: {', '.join(gone)}"
