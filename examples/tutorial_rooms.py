"""The tutorial, second step: rooms, and events for all who are in one."""

from __future__ import annotations

import trio

from trio_socketio import Server, Socket, serve

sio = Server()


@sio.on("enter")
async def enter(socket: Socket, room: str) -> None:
    """Put a client into a room."""
    socket.join(room)


@sio.on("say")
async def say(socket: Socket, room: str, text: str) -> str:
    """Tell everybody else in a room what a client says."""
    if room not in socket.rooms:
        return "you are not in that room"
    await socket.to(room).emit("said", text)
    return "delivered"


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
