"""The server that the load generator measures: ``python benchmarks/server.py PORT``.

Event ``echo`` is acknowledged with its argument, ``shout`` sends ``news`` to every socket, and every socket is in the
room ``all``. ``PING_INTERVAL`` (seconds, in the environment) sets the heartbeat.

The same under stock hypercorn, from the top of the repository, with what a server of many clients should set::

    hypercorn -k trio -c benchmarks/hypercorn.toml -b 127.0.0.1:PORT benchmarks.server:app
"""

from __future__ import annotations

import os
import sys

import trio

from trio_socketio import ASGIApp, Data, EngineConfig, Server, Socket, serve

sio = Server(EngineConfig(ping_interval=float(os.environ.get("PING_INTERVAL", "25"))))


@sio.on_connection
async def enter(socket: Socket) -> None:
    """Put everybody into one room."""
    socket.join("all")


@sio.on("echo")
async def echo(socket: Socket, data: Data) -> Data:
    """Acknowledge with the argument."""
    return data


@sio.on("shout")
async def shout(socket: Socket, data: Data) -> None:
    """Send the argument to everybody."""
    await sio.to("all").emit("news", data)


app = ASGIApp(sio)

if __name__ == "__main__":
    trio.run(serve, sio, f"127.0.0.1:{int(sys.argv[1])}")
