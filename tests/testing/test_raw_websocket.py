"""A WebSocket that does nothing by itself, against the real server."""

from __future__ import annotations

import re

import pytest
import trio

from trio_socketio import Server
from trio_socketio.testing import ExpectationFailed, RawWebSocket, open_memory_server


async def test_an_upgrade_by_hand(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_raw("polling") as raw:
        async with raw.open_websocket() as websocket:
            await websocket.send("2probe")
            await websocket.expect("3probe")
            await raw.expect("6")
            await websocket.send("5", "40")
            await websocket.expect(re.compile(r'40\{"sid":".*"\}'))
            sio.emit_nowait("x", b"\x00")
            assert await websocket.expect('451-["x",{...}]', b"\x00") == b"\x00"
            await websocket.expect_nothing(within=10)
            await websocket.close()


async def test_pings_are_for_the_test_to_answer(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_raw() as raw:
        await raw.send("40")
        await raw.expect("40{...}")
        began = trio.current_time()
        await raw.expect("2")
        assert trio.current_time() - began == 25
        await raw.send("3")
        await raw.expect("2")
        await raw.expect_close()
        assert trio.current_time() - began == 70


async def test_how_it_is_closed(autojump_clock):
    async with open_memory_server(Server()) as server:
        async with server.open_raw() as raw, raw.open_websocket() as beside:
            # The session has a WebSocket already: a second one is closed.
            await beside.expect_close()
            with pytest.raises(ExpectationFailed, match="to be closed with 4999, not with"):
                await beside.expect_close(4999)
            assert beside.close_code != 4999
            with pytest.raises(ExpectationFailed, match="can't come any more"):
                await beside.expect("3probe")


async def test_a_server_that_takes_nothing(autojump_clock):
    async with open_memory_server(Server(), patience=5) as server, server.open_raw() as raw:
        raw.link.half_open()
        with pytest.raises(ExpectationFailed, match="the server doesn't take what the raw client sends"):
            await raw.send("4" + "x" * 100_000)


def test_nobody_makes_one_of_their_own():
    with pytest.raises(TypeError, match="no public constructor"):
        RawWebSocket()
