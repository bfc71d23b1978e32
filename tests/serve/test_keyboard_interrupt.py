"""Ctrl-C in an embedded server: it ends the program, wherever it hits."""

from __future__ import annotations

import signal

import pytest
import trio

from tests.support.raw_client import raw_client
from trio_socketio import EngineConfig, Server, serve


def interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


def run(sio: Server, *packets: str) -> None:
    """A program without handlers of its own for signals, and a client of it."""

    async def main() -> None:
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                serving = await nursery.start(serve, sio, "127.0.0.1:0")
                async with raw_client(serving.urls[0]) as client, client.session() as websocket:
                    await websocket.send(*packets)
                    while True:
                        await websocket.receive()

    trio.run(main)


def leaves(raised: BaseException) -> set[type[BaseException]]:
    if isinstance(raised, BaseExceptionGroup):
        return set().union(*map(leaves, raised.exceptions))
    return {type(raised)}


def interrupted(raised: BaseException) -> bool:
    # The client may have seen its end.
    return KeyboardInterrupt in leaves(raised) and leaves(raised).isdisjoint({AssertionError, trio.TooSlowError})


def test_in_the_middle_of_a_handshake():
    with pytest.raises(BaseException, check=interrupted):
        run(Server(EngineConfig(headers=interrupt)))


@pytest.mark.parametrize("registered", ["middleware", "on_connection"])
def test_in_a_function_of_the_application(registered):
    sio = Server()

    @getattr(sio, registered)
    async def joins(socket):
        interrupt()
        # It is raised here and now: an endless loop could be ended.
        raise AssertionError

    with pytest.raises(BaseException, check=interrupted):
        run(sio, "40")


def test_in_an_event_handler():
    sio = Server()

    @sio.on("event")
    async def event(socket):
        interrupt()
        raise AssertionError

    with pytest.raises(BaseException, check=interrupted):
        run(sio, "40", '42["event"]')
