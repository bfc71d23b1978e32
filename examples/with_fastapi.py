"""Beside FastAPI: it answers every path but ``/socket.io/``, in the same process and nursery."""

from __future__ import annotations

from functools import partial

import trio
from fastapi import FastAPI

from trio_socketio import Server, Socket, serve

sio = Server()


@sio.on("hello")
async def hello(socket: Socket, name: str) -> str:
    """Answer a greeting."""
    return f"hello {name}"


app = FastAPI()


@app.get("/")
async def home() -> dict[str, int]:
    """Answer with the number of sockets."""
    return {"sockets": len(sio.sockets)}


if __name__ == "__main__":
    trio.run(partial(serve, sio, "127.0.0.1:8000", app=app))
