"""The checks of this project. ``nox`` runs the default ones; ``nox -l`` lists all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "imports", "tests", "docs"]
nox.options.default_venv_backend = "venv"
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install the package, what its examples need, and dependency groups."""
    requirements = [entry for group in groups for entry in nox.project.dependency_groups(PROJECT, group)]
    session.install("-q", "-e", ".[examples]", *requirements)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, spelling, and the rules of async code."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    # Without its optional rules: ASYNC9xx asks every async function to be a checkpoint, which here is promised of the
    # public ones, and tested. ASYNC114 and 128 don't see a task_status that is handed on; ASYNC123 is what
    # plain_exceptions is for.
    files = session.run("git", "ls-files", "trio_socketio/*.py", external=True, silent=True) or ""
    session.run("flake8-async", "--disable=ASYNC114,ASYNC123,ASYNC128,ASYNC9", *files.split())


@nox.session
def types(session: nox.Session) -> None:
    """Strict types, and a public API of which every type is known."""
    install(session, "types")
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "trio_socketio", "--ignoreexternal")


@nox.session
def imports(session: nox.Session) -> None:
    """The layers of the design."""
    install(session, "imports")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, with branch coverage of the library."""
    install(session, "tests")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation; a warning is an error."""
    install(session, "docs")
    session.run("sphinx-build", "-q", "-n", "-W", "--keep-going", "docs", "docs/_build/html")


@nox.session
def changelog(session: nox.Session) -> None:
    """The release notes as they would be."""
    install(session, "docs")
    session.run("towncrier", "build", "--draft", "--version", "next")


@nox.session
def build(session: nox.Session) -> None:
    """The source distribution and the wheel."""
    session.install("-q", "build")
    session.run("python", "-m", "build")


@nox.session
def autobahn(session: nox.Session) -> None:
    """Autobahn's WebSocket cases, without compression. The suite itself runs on Python 2.7; ``PYTHON27`` says where."""
    python = os.environ.get("PYTHON27") or shutil.which("python2.7")
    if python is None:
        session.error("autobahntestsuite runs on Python 2.7 only: set PYTHON27 to the path of one")
    install(session, "tests")
    session.install("-q", "virtualenv<20.22")  # the last ones that make environments for Python 2.7
    folder = Path(session.create_tmp()).absolute()
    wstest = folder / "python27" / "bin" / "wstest"
    if not wstest.exists():
        session.run("virtualenv", "-q", "-p", python, str(folder / "python27"))
        session.run(str(folder / "python27" / "bin" / "pip"), "install", "-q", "autobahntestsuite", external=True)
    session.run("python", "-m", "tests.autobahn", str(folder / "reports"), str(wstest))
