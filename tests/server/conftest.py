"""A server that runs, in virtual time."""

from __future__ import annotations

import pytest

from trio_socketio import Limits, Server


@pytest.fixture
async def sio(autojump_clock):
    server = Server(limits=Limits(max_namespaces=3, max_pending_acks=2, max_rooms_per_socket=4, send_queue_packets=8))
    async with server.running():
        yield server
        assert not server.engine.sessions, "sessions were left"
