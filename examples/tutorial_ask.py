"""The tutorial, last step: let in only some, and ask them something."""

from __future__ import annotations

import hmac

import trio

from trio_socketio import ConnectionRefused, Disconnected, Server, Socket, serve

sio = Server()


@sio.middleware
async def authenticate(socket: Socket) -> None:
    """Let in whoever knows the token."""
    token = socket.auth.get("token")
    if not isinstance(token, str) or not hmac.compare_digest(token.encode(), b"s3cret"):
        raise ConnectionRefused("bad token", {"code": 401})


@sio.on_connection
async def ask(socket: Socket) -> None:
    """Ask for a colour, and tell everybody."""
    try:
        with trio.fail_after(5):
            colour = await socket.call("which colour?")
    except (trio.TooSlowError, Disconnected):
        colour = "none"
    await sio.emit("colour", socket.id, colour)


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
