"""The rooms of a socket, and whom it reaches from there."""

from __future__ import annotations

import pytest

from tests.support.application import socket_of
from tests.support.client import connect, settle


class TestRooms:
    async def test_join_and_leave(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            socket.join("a", "b")
            socket.join("a")
            socket.join()
            assert socket.rooms == {socket.id, "a", "b"}
            rooms = socket.rooms
            socket.leave("a", "never joined")
            socket.leave()
            assert socket.rooms == {socket.id, "b"}
            assert rooms == {socket.id, "a", "b"}, "a snapshot"

    @pytest.mark.parametrize("room", [None, 5, b"bytes", ["list"]])
    async def test_names_are_text(self, sio, autojump_clock, room):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            with pytest.raises(TypeError, match="a room's name is text"):
                socket.join("fine", room)
            assert socket.rooms == {socket.id}, "all or nothing"

    async def test_length_of_names(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            for room in ("", "x" * 256):
                with pytest.raises(ValueError, match="1 to 255 characters"):
                    socket.join("fine", room)
            assert socket.rooms == {socket.id}
            socket.join("x" * 255)

    async def test_the_room_of_another_socket_is_its_alone(self, sio, autojump_clock):
        async with connect(sio, "40"), connect(sio, "40"):
            one, two = sio.sockets.values()
            with pytest.raises(ValueError, match="id of another socket"):
                one.join(two.id)
            one.join(one.id)

    async def test_at_most_so_many(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            socket.join("a", "b")
            with pytest.raises(ValueError, match=r"Limits\.max_rooms_per_socket"):
                socket.join("c", "d")
            assert socket.rooms == {socket.id, "a", "b"}
            socket.join("a", "b", "c")
            with pytest.raises(ValueError, match=r"Limits\.max_rooms_per_socket"):
                socket.join("d")
            socket.leave("a")
            socket.join("d")

    async def test_it_does_not_leave_its_own(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.leave(socket.id)
            assert socket.rooms == {socket.id}
            await socket.broadcast.emit("others")
            await socket.volatile.emit("me")
            await settle()
            assert client.get_waiting() == ['42["me"]']

    async def test_after_the_end_join_does_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.join("a")
            await client.put("41")
            socket.join("b")
            socket.leave("a")
            assert socket.rooms == frozenset()
            assert not sio._namespaces.get("/").adapter._rooms._rooms

    async def test_rooms_of_namespaces_are_apart(self, sio, autojump_clock):
        chat = sio.namespace("/chat")
        async with connect(sio, "40", "40/chat,") as client:
            socket_of(sio).join("room")
            await chat.to("room").emit("x")
            await sio.to("room").emit("y")
            assert await client.get() == '42["y"]'

    async def test_a_socket_may_not_enter_the_room_of_another_one(self, sio, autojump_clock):
        tried = []

        @sio.on("x")
        async def x(socket, room):
            with pytest.raises(ValueError, match="id of another socket"):
                socket.join(room)
            tried.append(socket.rooms == {socket.id})

        async with connect(sio, "40") as client, connect(sio) as other:
            other_id = await other.join()
            await client.put(f'42["x","{other_id}"]')
        assert tried == [True]


class TestToOthers:
    async def test_the_sender_is_excluded(self, sio, autojump_clock):
        async with connect(sio, "40") as a, connect(sio, "40") as b, connect(sio, "40") as c:
            one, two, three = sio.sockets.values()
            for socket in (one, two):
                socket.join("x")
            two.join("y")
            three.join("y")
            for operator, expected in [
                (one.to("x"), "b"),
                (one.in_("x"), "b"),
                (one.to("x", "y"), "bc"),
                (one.to("x").to("y"), "bc"),
                (one.broadcast, "bc"),
                (one.local, "bc"),
                (one.except_("y"), ""),
                (two.except_("y"), "a"),
                (one.except_(two), "c"),
                (one.except_(two.id), "c"),
                (two.to("x", "y").except_(three), "a"),
                (one.to(one.id), ""),
                (one.to(two.id), "b"),
                (one.broadcast.volatile, "bc"),
                (one.to(), "bc"),
            ]:
                await operator.emit("e")
                await settle()
                got = [
                    (name, frames)
                    for name, client in zip("abc", (a, b, c), strict=True)
                    if (frames := client.get_waiting())
                ]
                assert got == [(name, ['42["e"]']) for name in expected]

    async def test_operators_are_values(self, sio, autojump_clock):
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            one, two = sio.sockets.values()
            two.join("x")
            everybody = one.broadcast
            everybody.to("nobody's room").except_(two)
            await everybody.emit("e")
            assert await other.get() == '42["e"]'
            assert client.get_waiting() == []
