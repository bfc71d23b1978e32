"""Only those with a token are let in; a client is told why it is refused."""

from __future__ import annotations

import hmac

import trio

from trio_socketio import ConnectionRefused, Server, Socket, serve

TOKENS = {"ada": "s3cret", "bob": "hunter2"}

sio = Server()


@sio.middleware
async def authenticate(socket: Socket) -> None:
    """Check the credentials that the client sent: ``io(url, {auth: {name, token}})``."""
    name, token = socket.auth.get("name"), socket.auth.get("token")
    if not isinstance(name, str) or not isinstance(token, str):
        raise ConnectionRefused("name and token, please", {"code": 400})
    if not hmac.compare_digest(TOKENS.get(name, "").encode(), token.encode()):
        raise ConnectionRefused("wrong name or token", {"code": 401})
    socket.data["name"] = name


@sio.on("who am I")
async def who_am_i(socket: Socket) -> str:
    """Say what the middleware found out."""
    return str(socket.data["name"])


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
