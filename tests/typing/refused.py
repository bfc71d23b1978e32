"""What type checkers must refuse: each line that says so, with the error that mypy and pyright call it; and no other line."""

from __future__ import annotations

from typing import Protocol

from trio_socketio import BroadcastOperator, Server, Socket, event_name


class ToClient(Protocol):
    async def message(self, text: str) -> None: ...

    async def vote(self, question: str) -> bool: ...

    async def positional(self, text: str, /) -> None: ...

    def synchronous(self, text: str) -> None: ...

    @event_name("other")
    async def renamed(self, text: str) -> None: ...


async def sends(socket: Socket, others: BroadcastOperator) -> None:
    await socket.emit(ToClient.messages, "text")  # refused: attr-defined, reportAttributeAccessIssue
    await socket.emit(ToClient.message, 5)  # refused: call-overload, reportArgumentType
    await socket.emit(ToClient.message)  # refused: call-overload, reportCallIssue
    await socket.emit(ToClient.message, "text", "more")  # refused: call-overload, reportCallIssue
    await socket.emit(ToClient.positional, text="text")  # refused: call-overload, reportCallIssue
    await socket.emit(ToClient.synchronous, "text")  # refused: call-overload, reportArgumentType
    await socket.emit(ToClient.renamed, 5)  # refused: call-overload, reportArgumentType
    await socket.emit("message", object())  # refused: call-overload, reportArgumentType
    await socket.emit(5)  # refused: call-overload, reportArgumentType
    await socket.emit()  # refused: call-overload, reportCallIssue
    socket.emit_nowait(ToClient.message, 5)  # refused: call-overload, reportArgumentType
    await others.emit(ToClient.message, 5)  # refused: call-overload, reportArgumentType
    await others.to("lobby").emit(ToClient.messages, "text")  # refused: attr-defined, reportAttributeAccessIssue
    others.emit_nowait(ToClient.message)  # refused: call-overload, reportCallIssue


async def asks(socket: Socket) -> None:
    await socket.call(ToClient.vote, 5)  # refused: call-overload, reportArgumentType
    await socket.call(ToClient.vote)  # refused: call-overload, reportCallIssue
    await socket.call(ToClient.votes, "ok?")  # refused: attr-defined, reportAttributeAccessIssue
    answer = await socket.call(ToClient.vote, "ok?")
    text: str = answer  # refused: assignment, reportAssignmentType
    print(text)


async def everywhere(sio: Server, socket: Socket) -> None:
    await sio.emit(ToClient.message, 5)  # refused: call-overload, reportArgumentType
    await sio.emit(ToClient.messages, "text")  # refused: attr-defined, reportAttributeAccessIssue
    await socket.volatile.emit(ToClient.message, 5)  # refused: call-overload, reportArgumentType
    await sio.gather(ToClient.vote, 5)  # refused: call-overload, reportArgumentType


def handlers(sio: Server) -> None:
    @sio.on(ToClient.vote)  # refused: arg-type, reportArgumentType
    async def other_argument(socket: Socket, question: int) -> bool:
        return question == 1

    @sio.on(ToClient.vote)  # refused: arg-type, reportArgumentType
    async def no_argument(socket: Socket) -> bool:
        return True

    @sio.on(ToClient.vote)  # refused: arg-type, reportArgumentType
    async def other_answer(socket: Socket, question: str) -> str:
        return question

    @sio.on(ToClient.vote)  # refused: arg-type, reportArgumentType
    async def other_name(socket: Socket, text: str) -> bool:
        return text == "ok?"

    @sio.on(ToClient.votes)  # refused: attr-defined, reportAttributeAccessIssue
    async def no_event(socket: Socket) -> None: ...

    print(other_argument, no_argument, other_answer, other_name, no_event)


@event_name(5)  # refused: arg-type, reportArgumentType
async def number(self: object) -> None: ...


@event_name("synchronous")  # refused: type-var, reportArgumentType
def synchronous(self: object) -> None: ...
