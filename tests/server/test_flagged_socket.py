"""``socket.volatile``: whom it reaches, and that nothing of it waits."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints, assert_no_checkpoints

from tests.support.client import connect, open_polling, poll, post, request, settle
from trio_socketio import EngineConfig, FlaggedSocket, HTTPCompression, Server


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
        FlaggedSocket(None, None, None)


LONG = "x" * 200
"""The name of an event that gets shorter by being compressed."""


class TestCompress:
    """Whether an answer to a poll is compressed; the bytes are those of ``tests/engine/test_compression.py``."""

    GZIP = {"accept-encoding": "gzip"}

    @pytest.fixture
    async def server(self, autojump_clock):
        server = Server(EngineConfig(http_compression=HTTPCompression(threshold=0)))
        async with server.running():
            yield server

    async def joined(self, server):
        query, _ = await open_polling(server.engine)
        await post(server.engine, query, b"40")
        await poll(server.engine, query)
        (socket,) = server.sockets.values()
        return query, socket

    async def is_compressed(self, server, query):
        answer = await server.engine.handle_http(request(query, headers=self.GZIP), None)
        assert answer.status == 200
        return ("content-encoding", "gzip") in answer.headers

    @pytest.mark.parametrize(("send", "compressed"), [
        (lambda sio, socket: socket.emit(LONG), True),
        (lambda sio, socket: socket.compress(False).emit(LONG), False),
        (lambda sio, socket: socket.compress().emit(LONG), True),
        (lambda sio, socket: socket.compress(False).compress(True).emit(LONG), True),
        (lambda sio, socket: sio.emit(LONG), True),
        (lambda sio, socket: sio.compress(False).emit(LONG), False),
        (lambda sio, socket: sio.to(socket.id).compress(False).emit(LONG, b"1"), False),
        (lambda sio, socket: sio.compress(False).compress().emit(LONG), True),
    ])  # fmt: skip
    async def test_of_an_event(self, server, autojump_clock, send, compressed):
        query, socket = await self.joined(server)
        await send(server, socket)
        assert await self.is_compressed(server, query) is compressed

    async def test_one_packet_that_is_worth_it_is_enough(self, server, autojump_clock):
        query, socket = await self.joined(server)
        await socket.compress(False).emit(LONG)
        await socket.emit(LONG)
        assert await self.is_compressed(server, query)

    async def test_of_questions(self, server, autojump_clock, nursery):
        query, socket = await self.joined(server)
        nursery.start_soon(socket.compress(False).call, "q")
        await settle()
        assert not await self.is_compressed(server, query)
        async with server.compress(False).call("q"):
            assert not await self.is_compressed(server, query)
        await post(server.engine, query, b"430[]")

    async def test_with_volatile_in_either_order(self, server, autojump_clock, nursery):
        query, socket = await self.joined(server)
        for flagged in (socket.volatile.compress(False), socket.compress(False).volatile):
            answers = []

            async def wait() -> None:
                answers.append(await self.is_compressed(server, query))  # noqa: B023 - it is done within the turn

            flagged.emit_nowait("dropped: nobody polls")
            async with trio.open_nursery() as polling:
                polling.start_soon(wait)
                await settle()
                flagged.emit_nowait("now")
            assert answers == [False]


async def test_a_volatile_question_is_refused_at_once(sio, autojump_clock):
    async with connect(sio, "40") as client:
        (socket,) = sio.sockets.values()
        with pytest.raises(ValueError, match="a volatile event may be dropped"):
            await socket.volatile.call("q")
        assert client.get_waiting() == []


async def test_a_question_without_flags_is_as_the_sockets_own(sio, autojump_clock, nursery):
    async with connect(sio, "40") as client:
        (socket,) = sio.sockets.values()
        nursery.start_soon(client.put, '430["yes"]')
        assert await socket.compress(False).call("q") == "yes"


async def test_events_of_both_kinds_are_shown_to_listeners(sio, autojump_clock):
    async with connect(sio, "40") as client:
        (socket,) = sio.sockets.values()
        seen = []

        @socket.on_any_outgoing
        def listen(socket, event, *args):
            seen.append((event, *args))

        await socket.volatile.emit("a", 1)
        await socket.compress(False).emit("b", 2)
        socket.compress(False).emit_nowait("c")
        assert seen == [("a", 1), ("b", 2), ("c",)]
        await settle()
        assert client.get_waiting() == ['42["a",1]', '42["b",2]', '42["c"]']
