"""Requests of clients that speak Engine.IO 3, straight to an engine."""

from __future__ import annotations

import json

from tests.support.client import poll
from trio_socketio._engine.server import EngineServer
from trio_socketio._engine.session import Session

POLLING_3 = "EIO=3&transport=polling"
WEBSOCKET_3 = "EIO=3&transport=websocket"


def only_packet(text: str) -> str:
    """The packet of a payload in text that has one."""
    length, _, packet = text.partition(":")
    assert int(length) == len(packet.encode("utf-16-le")) // 2, text
    return packet


async def open_polling_3(engine: EngineServer, more: str = "") -> tuple[str, Session]:
    """Open a session on long-polling; return the query that means it, and the session."""
    response = await poll(engine, POLLING_3 + more)
    assert (response.status, response.content_type) == (200, "text/plain; charset=UTF-8"), response
    packet = only_packet(response.body.decode())
    assert packet[0] == "0"
    sid = json.loads(packet[1:])["sid"]
    return f"{POLLING_3}&sid={sid}", engine.sessions[sid]
