"""In front of Quart-Trio, which mounts nothing: ``hypercorn -k trio examples.in_front_of_quart:app``.

The host's lifespan runs the server, and Quart's lifespan inside it.
"""

from __future__ import annotations

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
