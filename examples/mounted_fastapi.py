"""Mounted in FastAPI, under stock hypercorn: ``hypercorn -k trio examples.mounted_fastapi:app``.

An application that is mounted gets no lifespan: so the outer one runs the server in its own.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import hypercorn.trio
import trio
from fastapi import FastAPI
from hypercorn.config import Config

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


async def main(bind: str = "127.0.0.1:8000") -> None:
    """Do what the command does: serve until a signal comes."""
    config = Config()
    config.bind = [bind]
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        # hypercorn has types of its own for applications and triggers
        await hypercorn.trio.serve(app, config, shutdown_trigger=signals.__anext__)  # type: ignore[arg-type] # any awaitable will do


if __name__ == "__main__":
    trio.run(main)
