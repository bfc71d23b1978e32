"""The server ends, or is cancelled at any moment, with sockets that are lost or coming back: nothing is left of them."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.client import settle
from tests.support.returning import assert_nothing_left, clients_of, lose, recovering


class TestTheServersEnd:
    @pytest.mark.parametrize("cancelled", [True, False])
    @pytest.mark.parametrize("phase", ["lost", "returning", "back", "ending"])
    async def test_nothing_is_left(self, autojump_clock, phase, cancelled):
        sio = recovering(handler="keep", max_disconnection_duration=100)
        log = []

        @sio.middleware
        async def slow(socket):
            if socket.recovered and phase == "returning":
                await trio.sleep_forever()

        @sio.on_connection
        async def live(socket):
            try:
                await trio.sleep_forever()
            finally:
                log.append("handler")

        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(1)
            log.append(reason)

        @sio.on_expired
        async def expired(socket):
            log.append("expired")

        with trio.CancelScope() as scope:
            async with clients_of(sio) as client_of:
                client = await client_of().connect()
                await lose(client)
                if phase in {"returning", "back"}:
                    await client.open()
                    await client.join()
                if phase == "ending":
                    await trio.sleep(100.5)
                    assert log == ["handler"]
                if cancelled:
                    scope.cancel()
                    await trio.sleep_forever()
        lost = ["handler", "transport close", "expired"]
        # A cancellation may reach the carrier of the connection first: then the client is lost once more.
        assert log in ([lost] if phase != "back" else [["handler", "server shutting down"], *[lost] * cancelled])
        assert_nothing_left(sio)

    @pytest.mark.parametrize("handler", ["restart", "keep"])
    @pytest.mark.parametrize("turns", range(5, 35))
    async def test_cancelled_at_any_moment(self, autojump_clock, turns, handler):
        sio = recovering(handler=handler)
        begun, ended = [], []

        @sio.middleware
        async def look(socket):
            await trio.lowlevel.checkpoint()

        @sio.on_connection
        async def live(socket):
            begun.append(socket.id)
            try:
                async with socket.events() as events:
                    async for _ in events:
                        await socket.emit("y")
            finally:
                ended.append(socket.id)

        async def play(client):
            while True:
                await client.open()
                client.put("40" + json.dumps({} if client.pid is None else {"pid": client.pid}))
                client.put('42["x"]')
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
                client.read()
                client.cut()

        with trio.CancelScope() as scope:
            async with clients_of(sio) as client_of, trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(play, client_of())
                for _ in range(turns):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
                scope.cancel()
        assert sorted(begun) == sorted(ended)
        assert_nothing_left(sio)

    async def test_a_drain_ends_one_that_was_about_to_return(self, autojump_clock):
        sio = recovering(handler="keep")
        log = []

        @sio.middleware
        async def slow(socket):
            await trio.sleep(1000 * socket.recovered)

        @sio.on_disconnect
        async def gone(socket, reason):
            log.append(reason)

        @sio.on_expired
        async def expired(socket):
            log.append("expired")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.open()
            await client.join()
            await sio.drain(spread=0)
            await settle()
            assert log == ["transport close", "expired"]
            assert_nothing_left(sio)
