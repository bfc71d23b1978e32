"""Contracts over the wire: what a client receives, and what its answers become."""

from __future__ import annotations

from typing import Protocol

import pytest
import trio

from tests.support.application import errors_of, socket_of
from tests.support.client import connect
from trio_socketio import InvalidAnswer, event_name


class ToClient(Protocol):
    async def message(self, text: str) -> None: ...

    @event_name("private message")
    async def private_message(self, text: str, picture: bytes) -> None: ...

    async def vote(self, question: str) -> bool: ...

    async def disconnect(self) -> None: ...


async def test_emit(sio, autojump_clock):
    async with connect(sio, "40") as client:
        socket = socket_of(sio)
        await socket.emit(ToClient.message, "a")
        socket.emit_nowait(ToClient.private_message, "b", b"\xff")
        await sio.to(socket.id).emit(ToClient.message, "c")
        sio.to(socket.id).emit_nowait(ToClient.message, "d")
        assert await client.get_all(5) == [
            '42["message","a"]',
            '451-["private message","b",{"_placeholder":true,"num":0}]',
            b"\xff",
            '42["message","c"]',
            '42["message","d"]',
        ]


async def test_call(sio, nursery, autojump_clock):
    async with connect(sio, "40") as client:
        socket, answers = socket_of(sio), []

        async def ask():
            answers.append(await socket.call(ToClient.vote, "ok?"))

        nursery.start_soon(ask)
        assert await client.get() == '420["vote","ok?"]'
        await client.put("430[true]")
        assert answers == [True]


@pytest.mark.parametrize("answer", ['["yes"]', "[]", "[true,true]", "[null]"])
async def test_an_answer_that_is_not_the_contracts(sio, autojump_clock, answer):
    errors = errors_of(sio)

    @sio.on("ask")
    async def ask(socket):
        await socket.call(ToClient.vote, "ok?")

    async with connect(sio, "40") as client:
        await client.put('42["ask"]')
        assert await client.get() == '420["vote","ok?"]'
        await client.put(f"430{answer}")
        assert len(sio.sockets) == 1
    assert [(event, type(error)) for event, error in errors] == [("ask", InvalidAnswer)]


async def test_misuse(sio, autojump_clock):
    async with connect(sio, "40") as client:
        socket = socket_of(sio)
        for target in (socket, sio.to(socket.id)):
            with pytest.raises(TypeError, match="keyword argument 'text'"):
                await target.emit(ToClient.message, text="a")
            with pytest.raises(ValueError, match="'disconnect' is reserved"):
                await target.emit(ToClient.disconnect)
            with pytest.raises(TypeError, match="an event's name is text, or a function of a contract class"):
                await target.emit(test_emit, 1)
        with pytest.raises(ValueError, match="'disconnect' is reserved"):
            await socket.call(ToClient.disconnect)
        await trio.sleep(1)
        assert client.get_waiting() == []
