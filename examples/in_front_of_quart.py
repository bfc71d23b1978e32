"""In front of Quart-Trio, which mounts nothing: ``hypercorn -k trio examples.in_front_of_quart:app``.

The host's lifespan runs the server, and Quart's lifespan inside it.
"""

from __future__ import annotations

import signal

import hypercorn.trio
import trio
from hypercorn.config import Config
from quart_trio import QuartTrio

from trio_socketio import ASGIApp, Server, Socket

sio = Server()
quart = QuartTrio(__name__)


@sio.on("hello")
async def hello(socket: Socket, name: str) -> str:
    """Answer a greeting."""
    return f"hello {name}"


@quart.route("/")
async def home() -> dict[str, int]:
    """Answer with the number of sockets."""
    return {"sockets": len(sio.sockets)}


app = ASGIApp(sio, quart)


async def main(bind: str = "127.0.0.1:8000") -> None:
    """Do what the command does: serve until a signal comes."""
    config = Config()
    config.bind = [bind]
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        # hypercorn has types of its own for applications and triggers
        await hypercorn.trio.serve(app, config, shutdown_trigger=signals.__anext__)  # type: ignore[arg-type] # any awaitable will do


if __name__ == "__main__":
    trio.run(main)
