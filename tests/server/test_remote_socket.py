"""A socket that ``fetch_sockets`` has found: what it was, and what can be done to it wherever it is."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.client import PATIENCE, connect, settle
from trio_socketio import Disconnected, RemoteSocket


@pytest.fixture
async def two(sio):
    """Two clients, and the remote socket of the first."""
    async with connect(sio, '40{"token":"t"}') as client, connect(sio, "40") as other:
        socket, second = sio.sockets.values()
        socket.join("x")
        socket.data["name"] = "Al"
        (remote,) = await sio.except_(second).fetch_sockets()
        yield socket, remote, client, other


class TestWhatItWas:
    async def test_all_of_it(self, two):
        socket, remote, *_ = two
        assert (remote.id, remote.namespace, remote.rooms) == (socket.id, "/", {socket.id, "x"})
        assert remote.data == {"name": "Al"}
        assert remote.handshake is socket.handshake
        assert remote.handshake.auth == {"token": "t"}
        assert repr(remote) == f"<RemoteSocket {socket.id} of />"

    async def test_it_stays_so(self, two):
        socket, remote, client, _ = two
        socket.leave("x")
        socket.data.clear()
        await client.put("41")
        assert (remote.rooms, remote.data) == ({socket.id, "x"}, {"name": "Al"})

    async def test_it_is_not_changed(self, two):
        _, remote, *_ = two
        for name in ("id", "namespace", "rooms", "data", "handshake", "other"):
            with pytest.raises(AttributeError):
                setattr(remote, name, None)

    def test_only_the_library_makes_them(self):
        with pytest.raises(TypeError, match="no public constructor"):
            RemoteSocket(None, None)


class TestWhomItIsOf:
    async def test_of_rooms(self, sio):
        async with connect(sio, "40"), connect(sio, "40"), connect(sio, "40"):
            one, two, three = sio.sockets.values()
            one.join("x")
            two.join("x", "y")
            for target, expected in [
                (sio, [one, two, three]),
                (sio.to("x"), [one, two]),
                (sio.in_("y"), [two]),
                (sio.to("x", "y"), [one, two]),
                (sio.to("x").except_("y"), [one]),
                (sio.except_(one), [two, three]),
                (sio.local, [one, two, three]),
                (one.broadcast, [two, three]),
                (one.to("x"), [two]),
                (sio.to("nobody's"), []),
                (sio.namespace("/empty"), []),
            ]:
                assert {each.id for each in await target.fetch_sockets()} == {each.id for each in expected}

    async def test_not_of_those_who_have_not_joined_yet_or_have_left(self, sio):
        joined = trio.Event()

        @sio.middleware
        async def slow(socket):
            socket.join("x")
            await joined.wait()

        @sio.on_disconnect
        async def found(socket, reason):
            assert socket.rooms == {socket.id, "x"}
            assert await sio.to("x").fetch_sockets() == []

        async with connect(sio) as client:
            await client.put("40")
            assert await sio.to("x").fetch_sockets() == []
            joined.set()
            await settle()
            assert len(await sio.to("x").fetch_sockets()) == 1
            await client.put("41")
            assert await sio.fetch_sockets() == []


class TestEmit:
    async def test_to_it_alone(self, two):
        _, remote, client, other = two
        await remote.emit("e", 1, b"2")
        await settle()
        assert client.get_waiting() == ['451-["e",1,{"_placeholder":true,"num":0}]', b"2"]
        assert other.get_waiting() == []

    @pytest.mark.parametrize(("event", "error"), [("connect", ValueError), (5, TypeError)])
    async def test_what_is_refused(self, two, event, error):
        _, remote, *_ = two
        with pytest.raises(error):
            await remote.emit(event)
        with pytest.raises(error):
            await remote.call(event)

    async def test_when_it_is_gone_nobody_hears_it(self, two):
        _, remote, client, other = two
        await client.put("41")
        await remote.emit("e")
        await settle()
        assert client.get_waiting() == other.get_waiting() == []


class TestCall:
    @pytest.mark.parametrize(("args", "answer"), [([], None), ([1], 1), ([1, 2], (1, 2))])
    async def test_the_answer(self, two, nursery, args, answer):
        socket, remote, client, _ = two
        got = []

        async def call():
            got.append(await remote.call("q", 1))

        nursery.start_soon(call)
        await settle()
        assert client.get_waiting() == ['420["q",1]']
        await client.put(f"430{json.dumps(args)}")
        assert got == [answer]
        assert len(socket._peer.acks) == 0

    @pytest.mark.parametrize("moment", ["before", "meanwhile"])
    async def test_who_has_left_does_not_answer(self, two, nursery, moment):
        _, remote, client, _ = two
        if moment == "before":
            await client.put("41")
        else:
            nursery.start_soon(client.put, "41")
        with pytest.raises(Disconnected), trio.fail_after(PATIENCE):
            await remote.call("q")

    async def test_who_owes_too_many_answers_is_not_asked(self, sio, two):
        socket, remote, client, _ = two
        async with sio.call("1"), sio.call("2"):
            await settle()
            client.get_waiting()
            with pytest.raises(Disconnected), trio.fail_after(PATIENCE):
                await remote.call("q")
            assert client.get_waiting() == []
        assert len(socket._peer.acks) == 0

    async def test_cancelled_a_late_answer_is_dropped(self, two, autojump_clock):
        socket, remote, client, _ = two
        with trio.move_on_after(5) as scope:
            await remote.call("q")
        assert scope.cancelled_caught
        assert len(socket._peer.acks) == 0
        await client.put('430["late"]')
        assert socket.connected


class TestRoomsAndTheEnd:
    async def test_rooms(self, two):
        socket, remote, *_ = two
        remote.join("y", "z")
        remote.leave("x", "nobody's", socket.id)
        assert socket.rooms == {socket.id, "y", "z"}
        for wrong, error in ((5, TypeError), ("", ValueError)):
            with pytest.raises(error):
                remote.join("fine", wrong)
        assert socket.rooms == {socket.id, "y", "z"}

    @pytest.mark.parametrize("close", [False, True])
    async def test_disconnect(self, sio, two, close):
        socket, remote, client, other = two
        remote.disconnect(close=close)
        remote.disconnect(close=close)
        assert socket.disconnect_reason == "server namespace disconnect"
        if close:
            assert await client.get_close() == ["41"]
        else:
            assert await client.get() == "41"
            await client.put("40")
            assert len(sio.sockets) == 2
        remote.join("y")
        await settle()
        assert sio.rooms.keys() == set(sio.sockets)
        assert other.get_waiting() == []
