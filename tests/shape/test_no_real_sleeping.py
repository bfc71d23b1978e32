"""No test sleeps in real time: what sleeps has a mock clock, or stands on the list below with its reason."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

AGAIN = "looks again for a condition that nothing tells of, under a deadline"
PACE = "the pace of what is sent over real sockets"
PROCESS = "another process, which says nothing when it has got so far"

REAL = {
    "conformance/test_socket_io_5.py": PACE,
    "hostile/harness.py": AGAIN,
    "interop/test_foreign_clients.py": AGAIN,
    "interop/test_node_recovery.py": PACE,
    "reference/test_socket_namespaces.py": AGAIN,
    "serve/test_serve.py": AGAIN,
    "serve/test_serve_drain.py": PROCESS,
    "serve/test_slow_readers.py": PACE,
    "support/browser.py": AGAIN,
    "support/echo_server.py": AGAIN,
    "support/memory.py": "what httpx would sleep with; it does not",
}


def sleeps(node: ast.AST) -> bool:
    """It sleeps for a time that is written there; for 0 and for ever are no times."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="trio" | "time"), attr="sleep"), args=[seconds]):
            return not (isinstance(seconds, ast.Constant) and seconds.value == 0)
    return False


def sleeping_files() -> set[str]:
    found = set()
    for path in TESTS.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        virtual = "autojump_clock" in source or "MockClock" in source or "socketio_clock" in source
        if not virtual and any(sleeps(node) for node in ast.walk(ast.parse(source))):
            found.add(path.relative_to(TESTS).as_posix())
    return found


def test_nobody_else_sleeps_in_real_time():
    assert sleeping_files() - set(REAL) == set(), "take autojump_clock, or wait for what is to happen"


def test_the_list_is_true():
    assert set(REAL) - sleeping_files() == set(), "these sleep no more: take them off the list"


@pytest.mark.parametrize(
    ("line", "real"),
    [("trio.sleep(0.5)", True), ("time.sleep(delay)", True), ("trio.sleep(0)", False), ("trio.sleep_forever()", False)],
)
def test_what_counts(line, real):
    assert any(sleeps(node) for node in ast.walk(ast.parse(line))) == real
