"""The tutorial, third step: a task that lives as long as its client."""

from __future__ import annotations

import trio

from trio_socketio import Server, Socket, serve

sio = Server()


@sio.on_connection
async def stay(socket: Socket) -> None:
    """Tell the others that somebody has come, and that they have gone."""
    name = str(socket.auth.get("name", "somebody"))[:40]
    socket.data["name"] = name
    await socket.broadcast.emit("joined", name)
    try:
        await trio.sleep_forever()
    finally:
        sio.emit_nowait("left", name, socket.disconnect_reason)


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
