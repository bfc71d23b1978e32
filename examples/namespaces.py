"""Two channels on one connection: news for everybody, and a console for those who know the word."""

from __future__ import annotations

import trio

from trio_socketio import ConnectionRefused, Server, Socket, serve

sio = Server()
news = sio.namespace("/news")
console = sio.namespace("/console")


@console.middleware
async def only_staff(socket: Socket) -> None:
    """Refuse whoever doesn't know the word."""
    if socket.auth.get("word") != "open sesame":
        raise ConnectionRefused("staff only")


@news.on_connection
async def welcome(socket: Socket) -> None:
    """Tell a reader how many there are."""
    await socket.emit("readers", len(news.sockets))


@console.on("publish")
async def publish(socket: Socket, headline: str) -> int:
    """Send a headline to all readers; the answer is how many there are."""
    await news.emit("headline", headline)
    return len(news.sockets)


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
