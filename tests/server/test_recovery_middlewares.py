"""A client that comes back is asked by the middlewares again, may be refused, and may leave in their midst."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.client import settle
from tests.support.returning import assert_nothing_left, clients_of, lose, recovering
from trio_socketio import ConnectionRefused, Limits


@pytest.fixture(params=["restart", "keep"])
def handler(request):
    return request.param


class TestMiddlewares:
    async def test_they_run_and_see_that_it_is_back(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        seen = []

        @sio.middleware
        async def look(socket):
            seen.append((socket.recovered, dict(socket.data), socket.auth.get("token")))
            socket.data["user"] = "Ada"

        async with clients_of(sio) as client_of:
            client = await client_of().connect(token="first")
            await lose(client)
            await client.connect(token="second")
            assert client.recovered
            assert seen == [(False, {}, "first"), (True, {"user": "Ada"}, "second")]
            assert sio.sockets[client.sid].auth["token"] == "second"

    async def test_they_are_skipped_if_told_so(self, handler, autojump_clock):
        sio = recovering(handler=handler, skip_middlewares=True)
        ran = []

        @sio.middleware
        async def count(socket):
            ran.append(socket.id)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.connect()
            assert client.recovered and ran == [client.sid]
            await client_of().connect()
            assert len(ran) == 2, "newcomers are asked"

    @pytest.mark.parametrize("ending", ["refuse", "crash", "hang"])
    async def test_refused_is_over(self, handler, autojump_clock, caplog, ending):
        sio = recovering(handler=handler, limits=Limits(connect_timeout=10))
        sio.namespace("/other")
        log = []

        @sio.middleware
        async def guard(socket):
            if socket.recovered:
                match ending:
                    case "refuse":
                        raise ConnectionRefused("banned", {"until": 5})
                    case "crash":
                        raise ValueError("inner")
                    case "hang":
                        await trio.sleep_forever()

        @sio.on_connection
        async def member(socket):
            socket.join("room")

        @sio.on_disconnect
        async def gone(socket, reason):
            log.append(reason)

        @sio.on_expired
        async def expired(socket):
            log.append(("expired", sorted(socket.rooms - {socket.id})))

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            link = await client.open()
            # Somewhere it is in: else the whole connection is given up in the same moment.
            await link.put("40/other,")
            link.get_waiting()
            await client.join()
            await trio.sleep(11)
            client.read()
            messages = {"refuse": "banned", "crash": "Internal server error", "hang": "Connection timed out"}
            assert client.refused == messages[ending]
            assert log == ["transport close", ("expired", ["room"])]
            assert not sio.rooms and not len(sio._recovery)
            await client.join()
            await settle()
            client.read()
            assert client.connected and not client.recovered, "as somebody new"

    async def test_gone_in_their_midst_it_has_what_is_left_of_its_time(self, handler, autojump_clock):
        sio = recovering(handler=handler, max_disconnection_duration=100)
        cancelled = []

        @sio.middleware
        async def slow(socket):
            if socket.recovered:
                try:
                    await trio.sleep(30)
                except trio.Cancelled:
                    cancelled.append(socket.id)
                    raise

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            await lose(client)
            await sio.emit("x", 1)
            await client.open()
            await client.join()
            await sio.emit("x", 2)
            await trio.sleep(10)
            await lose(client)
            assert cancelled == [first]
            await sio.emit("x", 3)
            await client.open()
            await client.join()
            await trio.sleep(31)
            client.read()
            assert client.recovered and client.events == [["x", 1], ["x", 2], ["x", 3]]
            await lose(client)
            await trio.sleep(95)
            await client.open()
            await client.join()
            await trio.sleep(10)
            assert len(sio._recovery) == 1, "while it is claimed its time stands still"
            await lose(client)
            await trio.sleep(1)
            assert_nothing_left(sio)

    async def test_back_again_while_they_are_asked_by_another_connection(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        log = []

        @sio.middleware
        async def slow(socket):
            if socket.recovered:
                token = socket.auth["token"]
                try:
                    await trio.sleep(5)
                    log.append(f"{token} passed")
                except trio.Cancelled:
                    log.append(f"{token} cancelled")
                    raise

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.open()
            await client.join(token="one")
            await sio.emit("x", 1)
            await trio.sleep(3)
            client.abandon()
            await client.open()
            await client.join(token="two")
            await trio.sleep(6)
            client.read()
            assert client.recovered and client.events == [["x", 1]]
            assert log == ["one cancelled", "two passed"]
            assert len(sio.engine.sessions) == 1

    @pytest.mark.parametrize("ending", ["pass", "refuse", "crash"])
    async def test_one_that_ends_in_the_moment_of_its_clients_end_decides_nothing_for_the_next(
        self, handler, autojump_clock, caplog, ending
    ):
        # It was asked about another connection, maybe with another token.
        sio = recovering(handler=handler)
        gate, asked = trio.Event(), []

        @sio.middleware
        async def guard(socket):
            if socket.recovered:
                asked.append(socket.auth["token"])
                if socket.auth["token"] == "good":
                    await gate.wait()
                    if ending == "refuse":
                        raise ConnectionRefused("late")
                    if ending == "crash":
                        raise ValueError("late")
                else:
                    await trio.sleep(5)
                    raise ConnectionRefused("bad token")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.open()
            await client.join(token="good")
            client.abandon()
            await client.open()
            # In one turn: the guard of the first is woken, and then its client is ended by the second.
            gate.set()
            client.put_at_once(sio, token="bad")
            await settle()
            client.read()
            assert not client.connected and client.refused is None
            await trio.sleep(6)
            client.read()
            assert asked == ["good", "bad"]
            assert client.refused == "bad token" and not client.connected

    async def test_cut_before_they_have_begun(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await sio.emit("x", 1)
            await lose(client)
            for _ in range(3):
                await client.open()
                client.put_at_once(sio)
            former = client.link
            # And in one turn of the scheduler: each claim ends the one before, whose task has not begun.
            for _ in range(3):
                await client.open()
            sessions = list(sio.engine.sessions.values())[-3:]
            for session in sessions:
                session.feed("40" + json.dumps({"pid": client.pid}))
            await settle()
            assert former.get_waiting()
            client.read()
            assert client.recovered and client.events == [["x", 1]]
            assert len(sio.engine.sessions) == 1

    async def test_what_they_send_comes_once_and_behind_connect(self, handler, autojump_clock):
        sio = recovering(handler=handler)

        @sio.middleware
        async def greet(socket):
            await socket.emit("hello", socket.recovered)
            socket.emit_nowait("hello", "again")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            assert client.events == [["hello", False], ["hello", "again"]]
            await lose(client)
            await client.connect()
            assert client.recovered
            assert client.events == [["hello", False], ["hello", "again"], ["hello", True], ["hello", "again"]]
