"""``socket.volatile``: whom it reaches, and that nothing of it waits."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints, assert_no_checkpoints

from tests.support.client import connect, settle
from trio_socketio import VolatileSocket


async def test_whom_it_reaches(sio, autojump_clock):
    async with connect(sio, "40") as a, connect(sio, "40") as b, connect(sio, "40") as c:
        one, two, three = sio.sockets.values()
        for socket in (one, two):
            socket.join("x")
        for target, expected in [
            (one.volatile, "a"),
            (one.volatile.to("x"), "b"),
            (one.volatile.in_("x"), "b"),
            (one.volatile.broadcast, "bc"),
            (one.volatile.except_(two), "c"),
            (three.volatile.to("x").except_(one), "b"),
        ]:
            await target.emit("e")
            await settle()
            reached = "".join(name for name, client in zip("abc", (a, b, c), strict=True) if client.get_waiting())
            assert reached == expected


async def test_nothing_waits_for_who_does_not_read(sio, autojump_clock):
    async with connect(sio, "40") as client:
        (socket,) = sio.sockets.values()
        client.reading = trio.Event()
        await socket.emit("on its way")
        await settle()
        with assert_checkpoints():
            await socket.volatile.emit("dropped")
        with assert_no_checkpoints():
            socket.volatile.emit_nowait("dropped")
            socket.volatile.broadcast.emit_nowait("dropped")
        client.reading.set()
        await settle()
        assert client.get_waiting() == ['42["on its way"]']
        socket.volatile.emit_nowait("now")
        assert await client.get() == '42["now"]'


def test_only_sockets_make_them():
    with pytest.raises(TypeError, match="no public constructor"):
        VolatileSocket(None, None)
