"""A poll: what clients send is checked before a handler sees it, and so is what they answer."""

from __future__ import annotations

from typing import Annotated, Protocol

import msgspec
import trio

from trio_socketio import Disconnected, EventRejected, InvalidAnswer, Server, Socket, serve

sio = Server()


class Poll(msgspec.Struct):
    """What a client sends to have the others asked."""

    question: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10


class ToClient(Protocol):
    """The events that clients receive: for type checkers; nobody makes an instance."""

    async def vote(self, question: str) -> bool:
        """Ask for a yes or a no."""

    async def result(self, question: str, yes: int) -> None:
        """Tell how it went."""


@sio.on("poll")
async def poll(socket: Socket, poll: Poll) -> int:
    """Ask everybody; the acknowledgement says how many are for it."""
    voters = [voter for voter in sio.sockets.values() if voter is not socket]
    if not voters:
        raise EventRejected("nobody is here to be asked")
    yes = 0

    async def ask(voter: Socket) -> None:
        nonlocal yes
        try:
            yes += await voter.call(ToClient.vote, poll.question)
        except (Disconnected, InvalidAnswer):
            return

    with trio.move_on_after(poll.seconds):
        async with trio.open_nursery() as nursery:
            for voter in voters:
                nursery.start_soon(ask, voter)
    await socket.broadcast.emit(ToClient.result, poll.question, yes)
    return yes


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
