"""Connections in memory behave as Trio's own streams, by Trio's own checks; and their faults reach both ends."""

from __future__ import annotations

import pytest
import trio
from trio.testing import check_half_closeable_stream, wait_all_tasks_blocked

from trio_socketio.testing.memory_stream import MemoryConnection, MemoryStream
from trio_socketio.testing.pipe import Pipe


async def make_pair():
    connection = MemoryConnection()
    return connection.client, connection.server


async def make_clogged_pair():
    up, down = Pipe(capacity=10), Pipe(capacity=10)
    pair = MemoryStream(down, up), MemoryStream(up, down)
    for stream in pair:
        with trio.move_on_after(0.01):
            await stream.send_all(bytes(100))
    return pair


async def test_it_is_a_stream_by_all_of_trios_rules():
    await check_half_closeable_stream(make_pair, make_clogged_pair)


async def test_a_cut_delivers_what_is_on_its_way(autojump_clock):
    connection = MemoryConnection()
    await connection.server.send_all(b"last words")
    assert not connection.is_over
    connection.cut()
    assert [await connection.client.receive_some(), await connection.client.receive_some()] == [b"last words", b""]
    for stream in (connection.client, connection.server):
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")
    assert connection.is_over


async def test_an_abort_fails_at_both_ends(autojump_clock):
    connection = MemoryConnection()
    await connection.server.send_all(b"lost")
    connection.abort()
    for stream in (connection.client, connection.server):
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
    assert connection.is_over


async def test_closing_a_silent_connection_is_not_noticed_at_the_other_end(autojump_clock):
    connection = MemoryConnection()
    connection.silence()
    connection.client.close()
    with trio.move_on_after(1000) as scope:
        await connection.server.receive_some()
    assert scope.cancelled_caught
    assert not connection.is_over


async def test_a_delay_counts_each_way(autojump_clock):
    connection = MemoryConnection()
    connection.delay(0.5)
    began = trio.current_time()
    await connection.client.send_all(b"question")
    await connection.server.receive_some()
    await connection.server.send_all(b"answer")
    await connection.client.receive_some()
    assert trio.current_time() - began == 1


async def test_receiving_wants_a_number_of_bytes(autojump_clock):
    stream = MemoryConnection().client
    with pytest.raises(TypeError, match="number of bytes"):
        await stream.receive_some(1.5)
    with pytest.raises(ValueError, match="above 0"):
        await stream.receive_some(0)


async def test_one_task_at_a_time(autojump_clock):
    connection = MemoryConnection()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.client.receive_some)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError, match="another task is receiving"):
            await connection.client.receive_some()
        nursery.cancel_scope.cancel()
