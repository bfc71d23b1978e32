"""Contracts over the wire: what a client receives, and what its answers become."""

from __future__ import annotations

import re
from typing import Protocol

import pytest
import trio

from tests.support.application import errors_of, socket_of
from tests.support.client import connect
from trio_socketio import InvalidAnswer, Namespace, Server, event_name


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


class FromClient(Protocol):
    async def say(self, text: str) -> int: ...

    @event_name("private message")
    async def private_message(self, text: str) -> None: ...


async def test_handlers(sio, autojump_clock):
    seen = []

    @sio.on(FromClient.say)
    async def say(socket, text: str) -> int:
        seen.append(text)
        return len(text)

    @sio.on_connection
    async def join(socket):
        @socket.once(FromClient.private_message)
        async def private_message(socket, text: str) -> None:
            seen.append(f"private {text}")

    with pytest.raises(ValueError, match="the event 'say' has a handler already"):
        sio.on("say")(say)
    async with connect(sio, "40") as client:
        await client.put('421["say","abc"]', '42["private message","a"]', '42["private message","b"]')
        assert await client.get() == "431[3]"
    assert seen == ["abc", "private a"]


class Good(Protocol):
    async def message(self, text: str) -> None: ...

    async def vote(self, question: str) -> bool: ...


async def test_a_namespace_with_a_contract(sio, autojump_clock):
    chat = sio.namespace("/chat", contract=Good)
    async with connect(sio, "40/chat,", "40") as client:
        socket = socket_of(sio, "/chat")
        targets = [chat, chat.to("room"), chat.local.volatile, socket.to("room"), socket.volatile, socket.broadcast]
        for target in [*targets, socket]:
            with pytest.raises(ValueError, match="'messages' is no event of the contract Good: did you mean 'message'"):
                await target.emit("messages", "a")
            with pytest.raises(ValueError, match="is no event of the contract Good"):
                target.emit_nowait(FromClient.say, "a")
        with pytest.raises(ValueError, match="is no event of the contract Good"):
            await socket.call("votes", "ok?")
        with pytest.raises(ValueError, match="is no event of the contract Good"):
            await chat.gather("votes", "ok?")
        with pytest.raises(ValueError, match="is no event of the contract Good"):
            async with chat.call("votes", "ok?"):
                pass
        (remote,) = await chat.fetch_sockets()
        with pytest.raises(ValueError, match="is no event of the contract Good"):
            await remote.emit("messages")
        assert client.get_waiting() == []
        await socket.emit("message", "a")
        await chat.emit(Good.message, "b")
        await remote.emit(Good.message, "c")
        await sio.emit("messages", "other namespaces have none")
        assert await client.get_all(4) == [
            '42/chat,["message","a"]',
            '42/chat,["message","b"]',
            '42/chat,["message","c"]',
            '42["messages","other namespaces have none"]',
        ]


async def test_a_remote_sockets_answer(sio, nursery, autojump_clock):
    async with connect(sio, "40") as client:
        (remote,) = await sio.fetch_sockets()
        answers = []

        async def ask():
            answers.append(await remote.call(ToClient.vote, "ok?"))
            with pytest.raises(InvalidAnswer, match="the answer to 'vote'"):
                await remote.call(ToClient.vote, "ok?")
            answers.append("refused")

        nursery.start_soon(ask)
        for answer in ("true", '"yes"'):
            question = await client.get()
            await client.put(f"43{question[2]}[{answer}]")
        assert answers == [True, "refused"]


async def test_a_family_with_a_contract(sio, autojump_clock):
    family = sio.namespace(re.compile(r"/shop/[a-z]+"), contract=Good)
    async with connect(sio, "40/shop/a,") as client:
        (socket,) = family.sockets.values()
        for target in (family, socket, sio.namespace("/shop/a")):
            with pytest.raises(ValueError, match="'messages' is no event of the contract Good"):
                await target.emit("messages")
        await family.emit(Good.message, "a")
        assert await client.get() == '42/shop/a,["message","a"]'


def test_which_contract_a_namespace_has():
    class Chat(Namespace):
        """Class-based."""

    sio = Server()
    with pytest.raises(TypeError, match="a contract is a class whose methods are the events"):
        sio.namespace(re.compile("/x"), contract="Good")
    sio.namespace(re.compile("/x"), contract=Good)
    assert sio.namespace("/chat", contract=Good) is sio.namespace("/chat", contract=Good) is sio.namespace("/chat")
    with pytest.raises(ValueError, match="the namespace has the contract Good already: not FromClient too"):
        sio.namespace("/chat", contract=FromClient)
    with pytest.raises(ValueError, match="the namespace has the contract Good already: not FromClient too"):
        Chat(sio, "/chat", contract=FromClient)
    chat = Chat(sio, "/other", contract=Good)
    with pytest.raises(ValueError, match="'messages' is no event of the contract Good"):
        chat.emit_nowait("messages")
    sio.namespace("/", contract=Good)
    with pytest.raises(ValueError, match="'messages' is no event of the contract Good"):
        sio.emit_nowait("messages")
