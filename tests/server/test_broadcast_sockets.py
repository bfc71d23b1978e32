"""What an operator does to sockets over the protocol: into rooms, out of rooms, away."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import connect, settle
from trio_socketio import Socket


@pytest.fixture
async def three(sio):
    """Three clients by letter, and their sockets; a and b are in room x, b in y too."""
    async with connect(sio, "40") as a, connect(sio, "40") as b, connect(sio, "40") as c:
        sockets = dict(zip("abc", sio.sockets.values(), strict=True))
        sockets["a"].join("x")
        sockets["b"].join("x", "y")
        yield dict(zip("abc", (a, b, c), strict=True)), sockets


def rooms(socket: Socket) -> str:
    """The rooms of a socket without its own."""
    return "".join(sorted(socket.rooms - {socket.id}))


class TestRooms:
    async def test_join_and_leave(self, sio, three):
        _, sockets = three
        a, b, c = sockets.values()
        for act, expected in [
            (lambda: sio.sockets_join("z"), ["xz", "xyz", "z"]),
            (lambda: sio.to("x").sockets_leave("z", "nobody's"), ["x", "xy", "z"]),
            (lambda: sio.to("y").sockets_join("u"), ["x", "uxy", "z"]),
            (lambda: sio.in_("y", c.id).sockets_leave("u", "z"), ["x", "xy", ""]),
            (lambda: c.broadcast.sockets_leave("x"), ["", "y", ""]),
            (lambda: sio.except_(b).sockets_join("x", "y"), ["xy", "y", "xy"]),
            (lambda: sio.local.sockets_leave("x", "y"), ["", "", ""]),
            (lambda: sio.sockets_join(), ["", "", ""]),
            (lambda: sio.sockets_leave(), ["", "", ""]),
        ]:
            act()
            assert [rooms(each) for each in (a, b, c)] == expected

    async def test_what_is_sent_then_reaches_them(self, sio, three):
        clients, _ = three
        sio.to("x").sockets_join("z")
        await sio.to("z").emit("e")
        await settle()
        assert [letter for letter, client in clients.items() if client.get_waiting()] == ["a", "b"]

    async def test_who_is_in_too_many_stays_out_and_the_others_enter(self, sio, three, caplog):
        _, sockets = three
        b = sockets["b"]
        sio.sockets_join("1", "2")
        assert [rooms(each) for each in sockets.values()] == ["12x", "xy", "12"]
        (record,) = caplog.records
        assert record.getMessage().startswith(f"/: '{b.id}' stays out: a socket may be in 3 rooms beside its own")

    async def test_what_a_socket_could_not_join_it_does_not(self, sio, three, caplog):
        _, sockets = three
        a, b, _ = sockets.values()
        sio.sockets_join("long" * 1000)
        sio.sockets_join(b.id)
        assert [rooms(each) for each in sockets.values()] == ["x", "xy", ""]
        assert len(caplog.records) == 5, "b is in its own room already"
        with pytest.raises(ValueError, match="a room's name is not empty"):
            sio.sockets_join("")

    async def test_nobody_leaves_the_room_by_which_it_is_found(self, sio, three):
        _, sockets = three
        a = sockets["a"]
        sio.sockets_leave(a.id)
        assert a.id in a.rooms

    async def test_those_who_have_not_joined_yet_or_are_leaving_are_not_moved(self, sio):
        joined = trio.Event()
        left = []

        @sio.middleware
        async def slow(socket):
            socket.join("x")
            await joined.wait()

        @sio.on_disconnect
        async def moved(socket, reason):
            sio.to("x").sockets_join("y")
            left.append(rooms(socket))

        async with connect(sio) as client:
            await client.put("40")
            sio.to("x").sockets_join("y")
            joined.set()
            await settle()
            (socket,) = sio.sockets.values()
            assert rooms(socket) == "x"
            await client.put("41")
            assert left == ["x"]
            assert sio.rooms == {}

    async def test_namespaces_are_apart(self, sio):
        chat = sio.namespace("/chat")
        async with connect(sio, "40", "40/chat,"):
            chat.sockets_join("z")
            (own,), (there,) = sio.sockets.values(), chat.sockets.values()
            assert (rooms(own), rooms(there)) == ("", "z")


class TestDisconnect:
    async def test_all(self, sio, three):
        clients, sockets = three
        sio.disconnect_sockets()
        assert sio.sockets == {}
        await settle()
        assert [client.get_waiting() for client in clients.values()] == [["41"]] * 3
        assert {each.disconnect_reason for each in sockets.values()} == {"server namespace disconnect"}
        assert len(sio.engine.sessions) == 3
        assert sio.rooms == {}

    async def test_those_of_a_room(self, sio, three):
        clients, sockets = three
        sio.to("x").except_("y").disconnect_sockets()
        await settle()
        assert list(sio.sockets.values()) == [sockets["b"], sockets["c"]]
        assert [client.get_waiting() for client in clients.values()] == [["41"], [], []]

    async def test_with_their_connections(self, sio, three):
        clients, _ = three
        chat = sio.namespace("/chat")
        await clients["a"].put("40/chat,")
        await clients["c"].put("40/chat,")
        sio.to("x").disconnect_sockets(close=True)
        assert len(sio.sockets) == len(chat.sockets) == 1
        assert sorted((await clients["a"].get_close())[1:]) == ["41", "41/chat,"]
        assert await clients["b"].get_close() == ["41"]
        await settle()
        assert len(sio.engine.sessions) == 1

    async def test_what_was_sent_before_arrives(self, sio, three):
        clients, _ = three
        await sio.emit("last words")
        sio.disconnect_sockets(close=True)
        for client in clients.values():
            assert await client.get_close() == ['42["last words"]', "41"]

    async def test_by_a_handler_that_ends_with_it(self, sio, three):
        clients, _ = three
        seen = []

        @sio.on("close")
        async def close(socket):
            sio.disconnect_sockets()
            seen.append("synchronous")
            await trio.lowlevel.checkpoint()
            seen.append("never")

        await clients["a"].put('42["close"]')
        assert seen == ["synchronous"]
        assert sio.sockets == {}

    async def test_again_and_nobody(self, sio, three):
        sio.disconnect_sockets()
        sio.disconnect_sockets(close=True)
        sio.to("nobody's").disconnect_sockets()
        assert sio.sockets == {}
