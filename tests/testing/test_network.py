"""The address of a server: somebody listens, nobody does, or the test has left it."""

from __future__ import annotations

import pytest
import trio

from trio_socketio.testing.memory_stream import MemoryConnection
from trio_socketio.testing.network import BACKLOG, MemoryNetwork


async def test_who_connects_is_accepted(autojump_clock):
    network = MemoryNetwork()
    listener = network.listen()
    connection = MemoryConnection()
    network.connect(connection)
    assert await listener.accept() is connection.server


async def test_nobody_listens_yet(autojump_clock):
    with pytest.raises(ConnectionRefusedError, match="was dropped"):
        MemoryNetwork().connect(MemoryConnection())


async def test_a_closed_listener_refuses_and_breaks_whom_it_had_not_accepted(autojump_clock):
    network = MemoryNetwork()
    listener = network.listen()
    waiting = MemoryConnection()
    network.connect(waiting)
    await listener.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await waiting.client.receive_some()
    with pytest.raises(ConnectionRefusedError, match="nobody listens"):
        network.connect(MemoryConnection())
    with pytest.raises(trio.ClosedResourceError):
        await listener.accept()
    await listener.aclose()


async def test_the_backlog_is_bounded(autojump_clock):
    network = MemoryNetwork()
    network.listen()
    for _ in range(BACKLOG):
        network.connect(MemoryConnection())
    with pytest.raises(ConnectionRefusedError):
        network.connect(MemoryConnection())


async def test_a_server_that_is_killed_breaks_its_connections(autojump_clock):
    network = MemoryNetwork()
    network.listen()
    connection = MemoryConnection()
    network.connect(connection)
    network.fall_silent()
    with pytest.raises(trio.BrokenResourceError):
        await connection.client.receive_some()
    with pytest.raises(ConnectionRefusedError):
        network.connect(MemoryConnection())
    network.listen()
    network.connect(MemoryConnection())


async def test_what_is_left_can_not_be_reached_any_more(autojump_clock):
    network = MemoryNetwork()
    network.listen()
    assert not network.is_left
    network.leave()
    assert network.is_left
    with pytest.raises(RuntimeError, match="inside 'async with open_memory_server"):
        network.connect(MemoryConnection())
    with pytest.raises(RuntimeError, match="has been left"):
        network.check_not_left()
