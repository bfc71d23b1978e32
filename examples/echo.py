"""The smallest server: whatever is said comes back, as acknowledgement."""

from __future__ import annotations

import trio

from trio_socketio import Data, Server, Socket, serve

sio = Server()


@sio.on("echo")
async def echo(socket: Socket, *args: Data) -> tuple[Data, ...]:
    """Acknowledge with the arguments."""
    return args


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
