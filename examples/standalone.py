"""A server in a nursery of its own program, beside a task that feeds it."""

from __future__ import annotations

import trio

from trio_socketio import Server, serve

sio = Server()


async def tell_the_time() -> None:
    """Send the time to everybody, ten times a second; whoever can't keep up misses some."""
    while True:
        await sio.volatile.emit("time", trio.current_time())
        await trio.sleep(0.1)


async def main(bind: str = "127.0.0.1:8000") -> None:
    """Serve until the port is closed from outside: Ctrl-C cancels both tasks."""
    async with trio.open_nursery() as nursery:
        serving = await nursery.start(serve, sio, bind)
        print(f"listening on {serving.urls[0]}")
        nursery.start_soon(tell_the_time)


if __name__ == "__main__":
    try:
        trio.run(main)
    except* KeyboardInterrupt:
        print("bye")
