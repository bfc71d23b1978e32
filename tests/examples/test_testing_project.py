"""The example project of the test kit: its tests pass, by pytest-trio and by anyio's plugin, and find what is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "examples" / "testing"


@pytest.fixture
def project(tmp_path):
    shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return tmp_path


def run(project, settings, *args):
    # Coverage of the library is no business of these tests, and would take long.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", settings, "-q", "--hypothesis-seed=1", *args],
        cwd=project,
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("settings", ["pytest.ini", "anyio.ini"])
def test_its_tests_pass(project, settings):
    done = run(project, settings)
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "17 passed in" in done.stdout


BROKEN = {
    "who returns is announced": ("if not socket.recovered:", "if True:", "test_reconnection.py"),
    "nobody checks names": ("not isinstance(name, str) or not name.strip()", "False", "test_chat.py"),
    "members are waited for": ('lobby").volatile.emit(', 'lobby").emit(', "test_slow_client.py"),
    "nothing is kept": (
        "recovery=ConnectionStateRecovery(max_disconnection_duration=120.0), ",
        "",
        "test_reconnection.py",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_its_tests_find_what_is_broken(project, fault):
    right, wrong, tests = BROKEN[fault]
    source = (project / "lobby.py").read_text(encoding="utf-8")
    assert source.count(right) == 1
    (project / "lobby.py").write_text(source.replace(right, wrong), encoding="utf-8")
    done = run(project, "pytest.ini", tests)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "ExceptionGroup" not in done.stdout
