"""A chat with rooms, presence, typing, pictures and delivery ticks: the demo's server, and an example.

    client -> server                        answer                          server -> the room
    enter   room                            {members, history}              presence room, members
    leave   room                            {}                              presence room, members
    say     room, text                      {id}                            said     message
    picture room, kind, bytes               {id}                            said     message
    typing  room                            -                               typing   room, name
    rename  name                            {name}                          presence ...
    clock   number                          the same number                 -

Whatever a client sends is checked before it is used; what doesn't fit is answered ``{"error": ...}``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Any, TypeAlias

import trio

from trio_socketio import Server, Socket, serve

Answer: TypeAlias = dict[str, Any]

MAX_NAME = 40
MAX_TEXT = 2000
MAX_PICTURE = 900_000
MAX_ROOMS = 10
"""Rooms of one client; the server keeps a room's history while somebody is in it."""
HISTORY = 50
PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


class Chat:
    """Registers its handlers on a server."""

    def __init__(self, sio: Server) -> None:
        self.sio: Server = sio
        self.history: dict[str, deque[Answer]] = {}
        self.ids: Iterator[int] = count(1)
        sio.on_connection(self.stay)
        for handler in (self.enter, self.leave, self.say, self.picture, self.typing, self.rename, self.clock):
            sio.on(handler.__name__)(handler)

    async def stay(self, socket: Socket) -> None:
        """Live as long as the client does, and tell its rooms when it goes."""
        name = socket.auth.get("name")
        socket.data["name"] = name if is_text(name, MAX_NAME) else "somebody"
        try:
            await trio.sleep_forever()
        finally:
            for room in chat_rooms(socket):
                self.tell_presence(room, without=socket)

    async def enter(self, socket: Socket, room: object) -> Answer:
        """Enter a room."""
        if not is_text(room, MAX_NAME):
            return {"error": f"a room's name has 1 to {MAX_NAME} characters"}
        if len(chat_rooms(socket)) >= MAX_ROOMS:
            return {"error": f"you are in {MAX_ROOMS} rooms already"}
        socket.join(f"room:{room}")
        self.tell_presence(f"room:{room}")
        return {"members": self.members(f"room:{room}"), "history": list(self.history.get(f"room:{room}", ()))}

    async def leave(self, socket: Socket, room: object) -> Answer:
        """Leave a room."""
        socket.leave(f"room:{room}")
        self.tell_presence(f"room:{room}")
        return {}

    async def say(self, socket: Socket, room: object, text: object) -> Answer:
        """Say something in a room."""
        if not is_text(text, MAX_TEXT):
            return {"error": f"a message has 1 to {MAX_TEXT} characters"}
        return await self.publish(socket, f"room:{room}", {"text": text})

    async def picture(self, socket: Socket, room: object, kind: object, content: object) -> Answer:
        """Show a picture in a room."""
        if kind not in PICTURES or not isinstance(content, bytes) or len(content) > MAX_PICTURE:
            return {"error": f"a picture is a PNG, JPEG, GIF or WebP of at most {MAX_PICTURE // 1000} kB"}
        return await self.publish(socket, f"room:{room}", {"kind": kind, "picture": content})

    async def publish(self, socket: Socket, room: str, content: Answer) -> Answer:
        """Keep a message and send it to everybody else in the room; the answer is the sender's tick."""
        if room not in socket.rooms:
            return {"error": "you are not in that room"}
        message = {"id": next(self.ids), "room": room.removeprefix("room:"), "name": socket.data["name"], **content}
        if "text" in content:
            self.history.setdefault(room, deque(maxlen=HISTORY)).append(message)
        await socket.to(room).emit("said", message)
        return {"id": message["id"]}

    async def typing(self, socket: Socket, room: object) -> None:
        """Show that somebody is typing: worth something now or never."""
        if f"room:{room}" in socket.rooms:
            await socket.to(f"room:{room}").volatile.emit("typing", str(room), socket.data["name"])

    async def rename(self, socket: Socket, name: object) -> Answer:
        """Take another name."""
        if not is_text(name, MAX_NAME):
            return {"error": f"a name has 1 to {MAX_NAME} characters"}
        socket.data["name"] = name
        for room in chat_rooms(socket):
            self.tell_presence(room)
        return {"name": name}

    async def clock(self, socket: Socket, number: object) -> object:
        """Answer at once: the client measures the round trip."""
        del socket
        return number if isinstance(number, (int, float)) else 0

    def members(self, room: str, without: Socket | None = None) -> list[str]:
        """Return the names of those who are in a room."""
        sockets = self.sio.sockets.values()
        return sorted(
            socket.data.get("name", "") for socket in sockets if socket is not without and room in socket.rooms
        )

    def tell_presence(self, room: str, without: Socket | None = None) -> None:
        """Tell a room who is in it; forget a room that is empty."""
        members = self.members(room, without)
        self.sio.to(room).emit_nowait("presence", room.removeprefix("room:"), members)
        if not members:
            self.history.pop(room, None)


def is_text(value: object, most: int) -> bool:
    """Say whether a client sent text of a reasonable length."""
    return isinstance(value, str) and 0 < len(value.strip()) <= len(value) <= most


def chat_rooms(socket: Socket) -> list[str]:
    """Return the rooms that a client entered: all but the one of its id."""
    return [room for room in socket.rooms if room.startswith("room:")]


if __name__ == "__main__":
    trio.run(serve, Chat(Server()).sio, "127.0.0.1:8000")
