import trio

from trio_socketio import Server, Socket, serve

sio = Server()


@sio.on("message")
async def message(socket: Socket, text: str) -> str:
    await socket.broadcast.emit("message", text)
    return "stored"


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
