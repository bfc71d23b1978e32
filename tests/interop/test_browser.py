"""Two people chat on the demo's page, in a real browser with the official client."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.support.browser import Page, chromium
from trio_socketio.cli.demo import run_demo

pytestmark = pytest.mark.browser

# A red square of 32 pixels, made in the page: so the picture is real, and none is kept here.
PICTURE = """
(async () => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 32;
  const context = canvas.getContext("2d");
  context.fillStyle = "#c33";
  context.fillRect(0, 0, 32, 32);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  sendPicture(new File([blob], "red.png", { type: "image/png" }));
})()
"""


async def say(page: Page, text: str) -> None:
    await page.run(f"$('text').value = {json.dumps(text)}; $('say').requestSubmit()")


async def rename(page: Page, name: str) -> None:
    await page.run(f"$('name').value = {json.dumps(name)}; $('name').dispatchEvent(new Event('change'))")


def shows(text: str) -> str:
    return f"$('messages').innerText.includes({json.dumps(text)})"


@pytest.fixture
async def demo(nursery):
    if shutil.which("npm") is None:
        complaint = pytest.fail if os.environ.get("TRIO_SOCKETIO_REQUIRE_BROWSER") else pytest.skip
        complaint("the official client comes by npm, which is not installed")
    serving = await nursery.start(run_demo, "127.0.0.1", 0)
    yield serving
    await serving.aclose()


async def test_two_users_chat_and_the_upgrade_is_seen(demo, tmp_path):
    with trio.fail_after(60):
        async with chromium(tmp_path / "profile") as browser:
            ada = await browser.open(demo.urls[0])
            bob = await browser.open(demo.urls[0])
            for page, name in ((ada, "Ada"), (bob, "Bob")):
                await page.until("$('status').dataset.state === 'websocket' && socket.connected && current === 'lobby'")
                await page.until("$('transport').innerText.includes('upgraded after')")
                await rename(page, name)
            await ada.until("$('members').innerText.includes('Bob')")

            await say(ada, "Hello <b>Bob</b>!")
            await bob.until(shows("Hello <b>Bob</b>!"))
            await ada.until("document.querySelector('.mine .tick.done')")

            await bob.run("$('text').dispatchEvent(new Event('input'))")
            await ada.until("$('typing').innerText.includes('Bob is typing')")

            await ada.run(PICTURE)
            await bob.until("document.querySelector('img.picture')?.naturalWidth === 32")

            await rooms(ada, bob)
            await cut_and_come_back(ada, bob)
            if folder := os.environ.get("TRIO_SOCKETIO_SCREENSHOTS"):
                await screenshots(ada, bob, Path(folder))


async def rooms(ada: Page, bob: Page) -> None:
    for page in (ada, bob):
        await page.run("$('room-name').value = 'robots'; $('new-room').requestSubmit()")
        await page.until("current === 'robots'")
    await say(bob, "beep")
    await ada.until(shows("beep"))
    for page in (ada, bob):
        await page.run("open('lobby')")
        await page.until(f"!{shows('beep')}")


async def cut_and_come_back(ada: Page, bob: Page) -> None:
    await ada.run("$('cut').click()")
    await ada.until("$('status').dataset.state === 'offline'")
    await bob.until("!$('members').innerText.includes('Ada')")
    await ada.until("$('status').dataset.state === 'websocket' && socket.connected")
    await bob.until("$('members').innerText.includes('Ada')")
    await say(bob, "Welcome back")
    await ada.until(shows("Welcome back"))


async def screenshots(ada: Page, bob: Page, folder: Path) -> None:
    """The pictures of the documentation; made when TRIO_SOCKETIO_SCREENSHOTS names a folder."""
    await say(bob, "The arm is homed. Shall I start the run?")
    await ada.until(shows("homed"))
    await say(ada, "Yes, go. I'm watching the torque on the dashboard.")
    await ada.until("document.querySelectorAll('.mine .tick.done').length > 2")
    await bob.run("open('robots')")
    await say(bob, "cycle 1 of 40")
    await ada.until("document.querySelector('.tab .new')")
    await bob.run("open('lobby'); $('text').dispatchEvent(new Event('input'))")
    await ada.until("$('typing').innerText")
    light = partial(ada.command, "Emulation.setEmulatedMedia")
    await light(features=[{"name": "prefers-color-scheme", "value": "light"}])
    await ada.until("$('rtt').innerText && document.getAnimations().length === 0")
    await ada.screenshot(folder / "demo.png")
    await light(features=[{"name": "prefers-color-scheme", "value": "dark"}])
    await ada.until("document.getAnimations().length === 0")
    await ada.screenshot(folder / "demo-dark.png")
    await ada.command("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=2, mobile=True)
    await ada.screenshot(folder / "demo-phone.png")
