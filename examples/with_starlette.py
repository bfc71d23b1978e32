"""Beside Starlette: it answers every path but ``/socket.io/``, in the same process and nursery."""

from __future__ import annotations

from functools import partial

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from trio_socketio import Server, Socket, serve

sio = Server()


@sio.on("hello")
async def hello(socket: Socket, name: str) -> str:
    """Answer a greeting."""
    return f"hello {name}"


async def home(request: Request) -> PlainTextResponse:
    """Answer with the number of sockets."""
    return PlainTextResponse(f"{len(sio.sockets)} sockets")


app = Starlette(routes=[Route("/", home)])


if __name__ == "__main__":
    trio.run(partial(serve, sio, "127.0.0.1:8000", app=app))
