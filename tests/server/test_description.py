"""A socket described: plain data, a copy of what it was."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import msgspec
import pytest

from tests.support.client import connect
from trio_socketio import SocketDescription


@pytest.fixture
async def described(sio):
    """A socket of a client with ``auth``, and its description."""
    async with connect(sio, '40{"token":"t"}', headers={"cookie": "c=1"}):
        (socket,) = sio.sockets.values()
        socket.join("x")
        socket.data["list"] = [1]
        (description,) = await sio._place("/").adapter.fetch_sockets(sio.local._target)
        yield socket, description


async def test_what_it_says(described):
    socket, description = described
    assert (description.id, description.namespace) == (socket.id, "/")
    assert description.rooms == {socket.id, "x"}
    assert description.data == {"list": [1]}
    assert description.handshake is socket.handshake


async def test_it_stays_as_it_was(described):
    socket, description = described
    socket.join("y")
    socket.data["new"] = 1
    assert (description.rooms, description.data) == ({socket.id, "x"}, {"list": [1]})
    for field in fields(SocketDescription):
        with pytest.raises(FrozenInstanceError):
            setattr(description, field.name, None)


async def test_it_travels(described):
    """As an adapter of a cluster would send it: by the types of its fields, and as nothing else."""
    _, description = described
    sent = msgspec.json.encode(description, enc_hook=dict)
    received = msgspec.json.decode(sent, type=SocketDescription)
    assert received == description
    assert received.handshake.auth == {"token": "t"}
    assert received.handshake.headers["cookie"] == "c=1"


def test_all_of_it_must_be_said():
    with pytest.raises(TypeError, match="missing 4 required keyword-only arguments"):
        SocketDescription(id="a")
    with pytest.raises(TypeError, match="positional"):
        SocketDescription("a", "/", None, frozenset(), {})
