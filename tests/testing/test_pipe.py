"""One direction of a connection: room, ends, and each fault."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_socketio.testing.pipe import Pipe


async def sent(pipe, data):
    """Send in a task; return the event of its end."""
    ended = trio.Event()

    async def send():
        await pipe.send(data)
        ended.set()

    return send, ended


async def test_bytes_come_out_as_they_went_in_and_no_more_than_asked_for(autojump_clock):
    pipe = Pipe()
    await pipe.send(b"abc")
    await pipe.send(b"de")
    assert [await pipe.receive(2), await pipe.receive(9), await pipe.receive(9)] == [b"ab", b"c", b"de"]


async def test_a_full_pipe_makes_the_sender_wait(autojump_clock):
    pipe = Pipe(capacity=4)
    async with trio.open_nursery() as nursery:
        send, ended = await sent(pipe, b"0123456789")
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        assert not ended.is_set()
        assert not pipe.has_room()
        received = b""
        while len(received) < 10:
            received += await pipe.receive(3)
        assert received == b"0123456789"
        await ended.wait()


async def test_a_finished_pipe_delivers_what_waits_and_takes_nothing(autojump_clock):
    pipe = Pipe()
    await pipe.send(b"last")
    pipe.finish()
    pipe.finish()
    assert not pipe.has_ended
    with pytest.raises(trio.BrokenResourceError, match="connection is gone"):
        await pipe.send(b"more")
    assert [await pipe.receive(9), await pipe.receive(9)] == [b"last", b""]
    assert pipe.has_ended


async def test_an_aborted_pipe_loses_what_waits_and_fails_at_both_ends(autojump_clock):
    pipe = Pipe()
    await pipe.send(b"lost")
    pipe.abort()
    assert pipe.has_ended
    assert pipe.has_room()
    with pytest.raises(trio.BrokenResourceError, match="aborted"):
        await pipe.receive(9)
    with pytest.raises(trio.BrokenResourceError):
        await pipe.send(b"more")


async def test_an_abort_wakes_who_waits(autojump_clock):
    pipe = Pipe(capacity=1)
    full = Pipe(capacity=1)
    await full.send(b"x")
    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:

            async def fails(function, *args):
                with pytest.raises(trio.BrokenResourceError):
                    await function(*args)

            nursery.start_soon(fails, pipe.receive, 9)
            nursery.start_soon(fails, full.send, b"yz")
            await wait_all_tasks_blocked()
            pipe.abort()
            full.abort()


async def test_a_deaf_receiver_makes_sending_fail(autojump_clock):
    pipe = Pipe()
    pipe.turn_deaf()
    with pytest.raises(trio.BrokenResourceError):
        await pipe.send(b"x")


@pytest.mark.parametrize("fault", [Pipe.finish, Pipe.abort, Pipe.turn_deaf])
async def test_a_silent_pipe_tells_nobody_anything(autojump_clock, fault):
    pipe = Pipe(capacity=4)
    pipe.silence()
    await pipe.send(b"0123")
    fault(pipe)
    assert not pipe.has_ended
    for waits in (lambda: pipe.receive(9), lambda: pipe.send(b"0123456789")):
        with trio.move_on_after(1000) as scope:
            await waits()
        assert scope.cancelled_caught


async def test_a_paused_pipe_delivers_when_it_goes_on(autojump_clock):
    pipe = Pipe()
    pipe.pause(paused=True)
    await pipe.send(b"x")
    with trio.move_on_after(1000) as scope:
        await pipe.receive(9)
    assert scope.cancelled_caught
    pipe.pause(paused=False)
    assert await pipe.receive(9) == b"x"


async def test_a_delay_is_kept_to_the_instant_and_does_not_reorder(autojump_clock):
    pipe = Pipe()
    began = trio.current_time()
    pipe.delay(3)
    await pipe.send(b"slow")
    pipe.delay(0)
    await pipe.send(b"fast")
    pipe.finish()
    assert await pipe.receive(9) == b"slow"
    assert trio.current_time() - began == 3
    assert [await pipe.receive(9), await pipe.receive(9)] == [b"fast", b""]
    assert trio.current_time() - began == 3


async def test_the_end_is_delayed_too(autojump_clock):
    pipe = Pipe()
    pipe.delay(2)
    pipe.finish()
    began = trio.current_time()
    assert await pipe.receive(9) == b""
    assert trio.current_time() - began == 2


async def test_waiting_for_room(autojump_clock):
    pipe = Pipe(capacity=1)
    await pipe.wait_room()
    await pipe.send(b"x")
    with trio.move_on_after(10) as scope:
        await pipe.wait_room()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.wait_room)
        await wait_all_tasks_blocked()
        await pipe.receive(1)
