"""Two polls change places: a later answer overtakes one that is held."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import Server
from trio_socketio.testing import ExpectationFailed, open_memory_server


async def test_a_later_poll_overtakes_the_one_that_is_held(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_client(transports=("polling",)) as socket:
        held = socket.link.hold_poll()
        assert held.packets == ()
        sio.emit_nowait("n", 1)
        await held.wait()
        assert held.packets == ('42["n",1]',)
        assert not held._is_waiting
        sio.emit_nowait("n", 2)
        await socket.expect("n", 2)
        held.release()
        await socket.expect("n", 1)
        sio.emit_nowait("n", 3)
        await socket.expect("n", 3)
        assert socket.connected


async def test_one_at_a_time(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client(transports=("polling",)) as socket:
        held = socket.link.hold_poll()
        with pytest.raises(RuntimeError, match=r"release\(\) it before"):
            socket.link.hold_poll()
        held.release()
        assert held.is_released
        assert socket.link.hold_poll() is not held


async def test_a_poll_that_is_not_answered_is_not_waited_for_without_end(autojump_clock):
    async with (
        open_memory_server(Server(), patience=9) as server,
        server.open_client(transports=("websocket",)) as socket,
    ):
        with pytest.raises(ExpectationFailed, match="there is no poll to hold"):
            await socket.link.hold_poll().wait()


async def test_what_is_released_before_it_came_holds_nothing(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_client(transports=("polling",)) as socket:
        socket.link.hold_poll().release()
        sio.emit_nowait("n", 1)
        await socket.expect("n", 1)


async def test_a_held_poll_that_is_never_released_is_no_obstacle_to_the_end(autojump_clock):
    sio = Server()
    began = trio.current_time()
    async with open_memory_server(sio) as server:
        async with server.open_client(transports=("polling",)) as socket:
            held = socket.link.hold_poll()
            sio.emit_nowait("n", 1)
            await held.wait()
    assert trio.current_time() == began
