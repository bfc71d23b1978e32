"""A small chat: who says a name may come in, and hears what the others say. Its tests stand beside it."""

from __future__ import annotations

import trio

from trio_socketio import (
    CloseReason,
    ConnectionRefused,
    ConnectionStateRecovery,
    Limits,
    OpenNamespace,
    Server,
    Socket,
)

MAX_TEXT = 200


async def archive(name: str, text: str) -> None:
    """Keep what was said: in a real chat the work of a database."""
    await trio.lowlevel.checkpoint()
    del name, text


def make_server() -> Server:
    """Make the chat's server: a new one for each test."""
    sio = Server(
        recovery=ConnectionStateRecovery(max_disconnection_duration=120.0), limits=Limits(send_queue_packets=200)
    )
    chat = sio.namespace("/chat")
    let_members_in(chat)
    let_members_talk(chat)
    return sio


def let_members_in(chat: OpenNamespace) -> None:
    """Register what tells who is there."""

    @chat.middleware
    async def check_name(socket: Socket) -> None:
        name = socket.auth.get("name")
        if not isinstance(name, str) or not name.strip():
            raise ConnectionRefused("say who you are", {"missing": "name"})
        socket.data["name"] = name

    @chat.on_connection
    async def come(socket: Socket) -> None:
        if not socket.recovered:
            socket.join("lobby")
            await socket.to("lobby").emit("came", socket.data["name"])

    @chat.on_expired  # who has only lost the connection may come back
    async def go(socket: Socket) -> None:
        await chat.to("lobby").emit("left", socket.data["name"])

    @chat.on_disconnect
    async def leave(socket: Socket, reason: str) -> None:
        if reason == CloseReason.CLIENT_NAMESPACE_DISCONNECT:
            await go(socket)


def let_members_talk(chat: OpenNamespace) -> None:
    """Register what members say."""

    @chat.on("say")
    async def say(socket: Socket, text: str) -> str:
        if len(text) > MAX_TEXT:
            return f"no more than {MAX_TEXT} characters, please"
        await archive(socket.data["name"], text)
        await socket.to("lobby").emit("said", socket.data["name"], text)
        return "said"

    @chat.on("typing")
    async def typing(socket: Socket) -> None:
        await socket.to("lobby").volatile.emit("typing", socket.data["name"])
