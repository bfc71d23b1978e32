"""Clients of other people, each in a process that obeys a command a line."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

PATIENCE = 20.0
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
NODE_PACKAGE = "socket.io-client@4.8.4"
MSGPACK_PACKAGE = "socket.io-msgpack-parser@3.0.2"
OLD_NODE_PACKAGE = "socket.io-client@2.5.0"
INTEROP = Path(__file__).parents[1] / "interop"


def node_command(parser: str | Path | None = None) -> list[str]:
    """Return the command of the official client; without Node the test is skipped, or fails where it must be there.

    Args:
        parser: a package with its version, or a file, that the client is given as its parser.
    """
    return _node_command("node_client.cjs", NODE_PACKAGE, parser)


def old_node_command() -> list[str]:
    """Return that of the last official client of Socket.IO 2, likewise."""
    return _node_command("old_node_client.cjs", OLD_NODE_PACKAGE)


def _node_command(script: str, package: str, parser: str | Path | None = None) -> list[str]:
    complaint = pytest.fail if os.environ.get("TRIO_SOCKETIO_REQUIRE_NODE") else pytest.skip
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        complaint("Node or npm is not installed")
    command = [node, str(INTEROP / script), str(_installed(npm, package, complaint))]
    if isinstance(parser, str):
        parser = _installed(npm, parser, complaint)
    return command if parser is None else [*command, str(parser)]


def _installed(npm: str, package: str, complaint: Callable[[str], object]) -> Path:
    """Return the folder of a package, installed once into a cache."""
    name, _, version = package.partition("@")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trio_socketio"
    folder = caches / f"{name}-node-{version}"
    if not folder.exists():
        caches.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=caches) as scratch:
            command = [npm, "install", "--no-audit", "--no-fund", "--prefix", scratch, package]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode != 0:
                complaint(f"npm could not install {package}: {done.stderr[-300:]}")
            shutil.copytree(scratch, folder, symlinks=True, dirs_exist_ok=True)
    return folder / "node_modules" / name


def python_command() -> list[str]:
    return [sys.executable, str(INTEROP / "python_client.py")]


class ForeignSocket:
    """One socket in the process: what happened to it, in order."""

    def __init__(self, client: ForeignClient, number: int) -> None:
        self._client = client
        self._number = number
        self.happened: list[tuple] = []
        self.seen: set[str] = set()
        self.answers: dict[int, list] = {}
        self.news = trio.Event()

    async def emit(self, *args: object) -> None:
        await self._client.command(do="emit", id=self._number, args=args)

    async def call(self, *args: object) -> list:
        """Emit, and return the acknowledgement's arguments."""
        number = next(self._client.numbers)
        await self._client.command(do="call", id=self._number, args=args, number=number)
        with trio.fail_after(PATIENCE):
            while number not in self.answers:
                await self._wait()
        return self.answers[number]

    async def close(self) -> None:
        await self._client.command(do="close", id=self._number)

    async def cut(self) -> None:
        await self._client.command(do="cut", id=self._number)

    async def expect(self, event: str) -> tuple:
        """Wait for an event, forgetting what came before it; return its arguments."""
        with trio.fail_after(PATIENCE):
            while True:
                while self.happened:
                    name, *args = self.happened.pop(0)
                    if name == event:
                        return tuple(args)
                await self._wait()

    async def upgraded(self) -> None:
        """Wait until it has upgraded, be it before or after it was connected: both are right."""
        with trio.fail_after(PATIENCE):
            while "upgrade" not in self.seen:
                await self._wait()

    def told(self, event: str) -> list[list]:
        """The arguments of all events of that name that came, oldest first."""
        return [list(args) for name, *args in self.happened if name == event]

    async def _wait(self) -> None:
        self.news = trio.Event()
        await self.news.wait()


class ForeignClient:
    """The process."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._sockets: dict[int, ForeignSocket] = {}
        self.numbers = itertools.count()

    async def open(self, url: str, **options) -> ForeignSocket:
        number = next(self.numbers)
        socket = self._sockets[number] = ForeignSocket(self, number)
        await self.command(do="open", id=number, url=url, options={"reconnection": False, "forceNew": True, **options})
        return socket

    async def connect(self, url: str, **options) -> ForeignSocket:
        """Open a socket, and wait until it is connected."""
        socket = await self.open(url, **options)
        await socket.expect("connect")
        return socket

    async def command(self, **command) -> None:
        line = json.dumps(command, default=lambda value: {"$": base64.b64encode(value).decode()})
        await self._process.stdin.send_all(line.encode() + b"\n")

    async def listen(self) -> None:
        rest = b""
        async for data in self._process.stdout:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                said = json.loads(line, object_hook=_decode)
                socket = self._sockets[said["id"]]
                if "answer" in said:
                    assert said["error"] is None, said
                    socket.answers[said["number"]] = said["answer"]
                else:
                    socket.happened.append((said["event"], *said["args"]))
                    socket.seen.add(said["event"])
                socket.news.set()


def _decode(value: dict) -> object:
    return base64.b64decode(value["$"]) if "$" in value else value


@asynccontextmanager
async def foreign_client(command: Sequence[str]) -> AsyncIterator[ForeignClient]:
    """Run the process while the block runs."""
    process = await trio.lowlevel.open_process(list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    client = ForeignClient(process)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.listen)
            yield client
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
            await process.wait()
            await process.stdin.aclose()
            await process.stdout.aclose()
