"""The tutorial, first step: answer one event."""

from __future__ import annotations

import trio

from trio_socketio import Server, Socket, serve

sio = Server()


@sio.on("say")
async def say(socket: Socket, text: str) -> str:
    """Answer whoever says something."""
    return f"you said {text}"


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
