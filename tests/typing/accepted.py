# pyright: strict
"""What type checkers accept, and what they take it for; nobody runs this. ``refused.py`` is what they must not accept."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol, assert_type

import msgspec
import trio

from trio_socketio import BroadcastOperator, Data, FlaggedSocket, Namespace, RemoteSocket, Server, Socket, event_name


class Poll(msgspec.Struct):
    question: str


class ToClient(Protocol):
    async def message(self, text: str) -> None: ...

    async def vote(self, question: str, seconds: float = 10) -> bool: ...

    async def choose(self, poll: Poll, /) -> tuple[int, str]: ...

    async def numbers(self, *numbers: int) -> list[int]: ...

    @event_name("private message")
    async def private_message(self, text: str) -> None: ...


class Plain:
    """A contract need not be a Protocol."""

    async def message(self, text: str) -> None: ...


class Emitter(Protocol):
    """What code that is given a socket may ask for."""

    async def emit(self, event: str, *args: Data) -> None: ...


class Asker(Protocol):
    """Likewise."""

    async def call(self, event: str, *args: Data) -> Any: ...


async def by_name(socket: Socket, others: BroadcastOperator) -> None:
    assert_type(await socket.emit("message"), None)
    await socket.emit("message", "text", 1, None, {"a": [b"bytes", 1.5]})
    assert_type(socket.emit_nowait("message", 1), None)
    assert_type(await socket.call("vote", "ok?"), Any)
    await others.emit("message", "text")
    others.emit_nowait("message", "text")


async def by_function(socket: Socket, others: BroadcastOperator) -> None:
    assert_type(await socket.emit(ToClient.message, "text"), None)
    await socket.emit(ToClient.private_message, "text")
    await socket.emit(Plain.message, "text")
    assert_type(socket.emit_nowait(ToClient.message, "text"), None)
    await others.emit(ToClient.message, "text")
    await others.to("lobby").emit(ToClient.vote, "ok?", 5)
    others.emit_nowait(ToClient.choose, Poll("which?"))


async def answers(socket: Socket) -> None:
    assert_type(await socket.call(ToClient.message, "text"), None)
    assert_type(await socket.call(ToClient.vote, "ok?"), bool)
    assert_type(await socket.call(ToClient.vote, "ok?", 5), bool)
    assert_type(await socket.call(ToClient.choose, Poll("which?")), tuple[int, str])
    assert_type(await socket.call(ToClient.numbers), list[int])
    assert_type(await socket.call(ToClient.numbers, 1, 2, 3), list[int])


async def everywhere(sio: Server, namespace: Namespace, volatile: FlaggedSocket, remote: RemoteSocket) -> None:
    await sio.emit(ToClient.message, "text")
    await sio.emit("message", "text")
    namespace.emit_nowait(ToClient.message, "text")
    await volatile.emit(ToClient.message, "text")
    await remote.emit(ToClient.message, "text")
    assert_type(await remote.call(ToClient.vote, "ok?"), bool)
    assert_type(await namespace.to("lobby").gather(ToClient.vote, "ok?"), dict[str, Any])
    async with sio.call(ToClient.vote, "ok?") as answers:
        async for socket_id, _ in answers:
            assert_type(socket_id, str)
    sio.namespace("/chat", contract=ToClient)


def handlers(sio: Server) -> None:
    @sio.on("message")
    async def by_name(socket: Socket, text: str) -> str:
        return text

    @sio.on(ToClient.vote, concurrent=True)
    async def vote(socket: Socket, question: str, seconds: float = 10) -> bool:
        return question == "ok?" and seconds > 5

    @sio.namespace("/chat").on(ToClient.choose)
    async def choose(socket: Socket, any_name: Poll) -> tuple[int, str]:
        return 1, any_name.question

    @sio.on_connection
    async def join(socket: Socket) -> None:
        @socket.once(ToClient.message)
        async def once(socket: Socket, text: str) -> None: ...

        print(once)

    print(by_name, vote, choose, join)


async def in_tasks(socket: Socket, nursery: trio.Nursery) -> None:
    nursery.start_soon(socket.emit, "message", "text")
    nursery.start_soon(partial(socket.emit, "message", "text"))


def as_an_emitter(socket: Socket, others: BroadcastOperator) -> list[Emitter]:
    return [socket, others]


def as_an_asker(socket: Socket) -> Asker:
    return socket
