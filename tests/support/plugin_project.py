"""A project of a user's that has tests with our pytest plugin, written into a folder and run there."""

from __future__ import annotations

from textwrap import dedent

CONFTEST = """
import pytest
import trio

from trio_socketio import ConnectionRefused, ConnectionStateRecovery, Server

pytest_plugins = ["trio_socketio.testing.pytest_plugin"]


def text_of(data):
    return data["text"]


@pytest.fixture
def sio():
    sio = Server(recovery=ConnectionStateRecovery())

    @sio.on("echo")
    async def echo(socket, value):
        return value

    @sio.on("wrong")
    async def wrong(socket, data):
        return text_of(data)

    @sio.on("hold on")
    async def hold_on(socket):
        with trio.CancelScope(shield=True):
            await trio.sleep(1000)

    return sio
"""

ANYIO = """

@pytest.fixture
def anyio_backend(socketio_clock):
    return "trio", {"clock": socketio_clock}
"""

RUNNERS = {
    "trio_mode": ("trio_mode = true", "", ""),
    "trio": ("", "", "pytestmark = pytest.mark.trio"),
    "anyio": ("", ANYIO, "pytestmark = pytest.mark.anyio"),
}


class Project:
    """A project of a user's, in its own directory."""

    def __init__(self, pytester, runner):
        self.pytester = pytester
        self.runner = runner
        self.settings, self.conftest, self.mark = RUNNERS[runner]

    @property
    def is_anyio(self):
        return self.runner == "anyio"

    def run(self, test, *args, conftest=CONFTEST):
        """Run a test file; what it prints, as lines, and how many tests ended how."""
        self.pytester.makeini(f"[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n{self.settings}\n")
        self.pytester.makeconftest(conftest + self.conftest)
        head = f"import pytest\nimport trio\nimport trio_socketio\n\n{self.mark}\n\n"
        self.pytester.makepyfile(test_chat=head + dedent(test))
        return self.pytester.runpytest_inprocess("-p", "no:cacheprovider", *args)

    def fails(self, test, **kwargs):
        """Run a test that passes by itself: by pytest-trio it fails, by anyio what comes after it does."""
        result = self.run(test, **kwargs)
        result.assert_outcomes(**({"passed": 1, "errors": 1} if self.is_anyio else {"failed": 1}))
        return result.stdout


def lines_after(result, line, count):
    """The lines of the output behind the first one that is, or begins with, this one."""
    lines = result.outlines
    start = next(number for number, each in enumerate(lines) if each.startswith(line))
    return [each for each in lines[start:] if each.strip()][:count]
