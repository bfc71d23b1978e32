"""A WebSocket of the native front that upgrades a session on long-polling."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import only_session
from tests.support.engine import message, recorder
from tests.support.front import MeteredLink, frame, frames_of, http, ping, upgrade
from trio_socketio._wire.websocket_frame import CLOSE, PONG, TEXT


@pytest.fixture
async def polling(front):
    client = front.connect()
    return await client.open_polling(), client, only_session(front.engine)


async def test_upgrade(front, polling, autojump_clock):
    target, _, session = polling
    client = front.connect()
    await client.send(upgrade(target.replace("polling", "websocket")) + frame("2probe"))
    assert (await client.answer()).status == 101
    assert frames_of(await client.waiting()) == [(TEXT, b"3probe")]
    session.send([message("a")])
    await client.send(frame("5") + frame("4b"))
    assert frames_of(await client.waiting()) == [(TEXT, b"4a")]
    assert recorder(session).messages == ["b"]


async def test_pings_are_answered_when_it_is_done(front, polling, autojump_clock):
    client = front.connect()
    await client.send(upgrade(polling[0].replace("polling", "websocket")) + ping(b"1") + frame("2probe") + ping(b"2"))
    await client.answer()
    assert frames_of(await client.waiting()) == [(TEXT, b"3probe")]
    await client.send(frame("5"))
    assert frames_of(await client.waiting()) == [(PONG, b"2")]


async def test_refused(front, polling, autojump_clock):
    target, other, session = polling
    client = front.connect()
    await client.send(upgrade(target.replace("polling", "websocket")) + frame("4a"))
    assert (await client.answer()).status == 101
    assert await client.frames() == [(CLOSE, b"")]
    assert (await other.ask(http("POST", target, b"4still here"))).status == 200


async def test_one_that_is_not_read_is_not_followed_by_a_close(front, polling, autojump_clock):
    link = MeteredLink()
    front.serve(link)
    await link.say(upgrade(polling[0].replace("polling", "websocket")))
    link.written, link.room = b"", 3
    await link.say(frame("2probe"))
    await trio.sleep(10.5)
    await link.take()
    assert link.written == b"\x81\x063"
    await trio.sleep(5)
    assert link.is_closed
