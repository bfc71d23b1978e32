"""Mounted in FastAPI, under stock hypercorn: ``hypercorn -k trio examples.mounted_fastapi:app``.

An application that is mounted gets no lifespan: so the outer one runs the server in its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from trio_socketio import ASGIApp, Server, Socket

sio = Server()


@sio.on("hello")
async def hello(socket: Socket, name: str) -> str:
    """Answer a greeting."""
    return f"hello {name}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the server as long as the application."""
    async with sio.running():
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/socket.io", ASGIApp(sio))


@app.get("/")
async def home() -> dict[str, int]:
    """Answer with the number of sockets."""
    return {"sockets": len(sio.sockets)}
