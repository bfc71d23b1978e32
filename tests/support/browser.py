"""Headless Chromium over its DevTools protocol: open pages, run scripts in them, wait for what they show."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
import trio_websocket

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--window-size=1180,760",
]


def find_chromium() -> str:
    """Return the browser's program; without one the test is skipped, or fails where it must be there."""
    found = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        complaint = pytest.fail if os.environ.get("TRIO_SOCKETIO_REQUIRE_BROWSER") else pytest.skip
        complaint("Chromium is not installed")
    return found


class Page:
    """One page, in a browser context of its own."""

    def __init__(self, connection: trio_websocket.WebSocketConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)

    async def command(self, method: str, **parameters) -> dict:
        number = next(self._ids)
        await self._connection.send_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self._connection.get_message())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    async def run(self, script: str) -> object:
        """Evaluate an expression; promises are awaited."""
        answer = await self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true; fails with what the page shows after ten seconds."""
        script = (
            "new Promise((found) => { const began = performance.now(); const look = () => { let ok = false; "
            f"try {{ ok = Boolean({condition}); }} catch {{ }} "
            "if (ok || performance.now() - began > 10000) found(ok); else setTimeout(look, 20); }; look(); })"
        )
        if not await self.run(script):
            pytest.fail(f"never true: {condition}\n{await self.run('document.body.innerText')}")

    async def screenshot(self, path: Path) -> None:
        answer = await self.command("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))


class Browser:
    """A running browser."""

    def __init__(self, port: int, nursery: trio.Nursery) -> None:
        self._port = port
        self._nursery = nursery
        self._connections: list[trio_websocket.WebSocketConnection] = []

    async def open(self, url: str) -> Page:
        """Open a page that shares nothing with the others."""
        async with httpx.AsyncClient(trust_env=False) as http:
            version = (await http.get(f"http://127.0.0.1:{self._port}/json/version")).json()
        control = Page(await self._connect(version["webSocketDebuggerUrl"]))
        context = (await control.command("Target.createBrowserContext"))["browserContextId"]
        target = await control.command("Target.createTarget", url="about:blank", browserContextId=context)
        page = Page(await self._connect(f"ws://127.0.0.1:{self._port}/devtools/page/{target['targetId']}"))
        # It is answered when the page has taken the place of the blank one, where no script of ours would survive.
        await page.command("Page.navigate", url=url)
        return page

    async def _connect(self, url: str) -> trio_websocket.WebSocketConnection:
        connection = await trio_websocket.connect_websocket_url(self._nursery, url, max_message_size=2**26)
        self._connections.append(connection)
        return connection

    async def aclose(self) -> None:
        for connection in self._connections:
            # trio-websocket leaves its socket open when it is not the one that closes.
            await trio.aclose_forcefully(connection._stream)


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Browser]:
    """Run Chromium while the block runs."""
    command = [find_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        browser = None
        try:
            browser = Browser(await _port(profile / "DevToolsActivePort"), nursery)
            yield browser
        finally:
            process.kill()
            if browser is not None:
                await browser.aclose()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                await process.wait()
            nursery.cancel_scope.cancel()


async def _port(file: Path) -> int:
    with trio.fail_after(30):
        while not file.exists() or not file.read_text():
            await trio.sleep(0.02)
    return int(file.read_text().split()[0])
