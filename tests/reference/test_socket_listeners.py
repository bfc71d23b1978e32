"""The reference's cases of listeners to all events and of middlewares for them, for each way of being served."""

from __future__ import annotations

import pytest

from tests.support.raw_client import raw_client
from trio_socketio import Server


class Told:
    """Keeps the names under which listeners were told of events."""

    def __init__(self) -> None:
        self.log: list[object] = []

    def listener(self, name: str):
        async def listener(socket, event, *args):
            self.log.append((name, event, *args))

        return listener

    def outgoing(self, name: str):
        def listener(socket, event, *args):
            self.log.append((name, event, *args))

        return listener


@pytest.fixture
def told():
    return Told()


def serving(prepare) -> Server:
    """A server that prepares each socket, and answers "done" when all before it is handled."""
    server = Server()

    @server.on_connection
    async def member(socket):
        prepare(socket)

    @server.on("done")
    async def done(socket): ...

    return server


async def run(way, server, *frames):
    """Join, send, and return what has come until it is done."""
    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40", *frames, '429["done"]')
        received = []
        while not received or received[-1] != "439[]":
            received += await websocket.receive_without_pings(1)
        return received[1:-1]


async def test_on_any(way, told):
    def prepare(socket):
        socket.on_any(told.listener("any"))

    assert await run(way, serving(prepare), '42["my-event","123"]') == []
    assert told.log == [("any", "my-event", "123"), ("any", "done")]


async def test_on_any_prepend_and_off(way, told):
    def prepare(socket):
        first, removed = told.listener("first"), told.listener("removed")
        socket.on_any(removed)
        socket.on_any(told.listener("third"))
        socket.on_any(told.listener("second"), prepend=True)
        socket.on_any(first, prepend=True)
        socket.off_any(removed)

    await run(way, serving(prepare), '42["my-event","123"]')
    assert [name for name, event, *_ in told.log if event == "my-event"] == ["first", "second", "third"]


async def test_on_any_outgoing(way, told):
    def prepare(socket):
        socket.on_any_outgoing(told.outgoing("out"))
        socket.emit_nowait("my-event", "123")

    assert await run(way, serving(prepare)) == ['42["my-event","123"]']
    assert told.log == [("out", "my-event", "123")], "acknowledgements are no events"


@pytest.mark.parametrize("args", [("123",), (bytes([1, 2, 3]),)])
async def test_on_any_outgoing_of_broadcasts(way, told, args):
    def prepare(socket):
        socket.on_any_outgoing(told.outgoing("out"))
        server.emit_nowait("my-event", *args)

    server = serving(prepare)
    assert len(await run(way, server)) == (1 if args == ("123",) else 2)
    assert told.log == [("out", "my-event", *args)]


async def test_on_any_outgoing_prepend_and_off(way, told):
    def prepare(socket):
        removed = told.outgoing("removed")
        socket.on_any_outgoing(removed)
        socket.on_any_outgoing(told.outgoing("third"))
        socket.on_any_outgoing(told.outgoing("second"), prepend=True)
        socket.on_any_outgoing(told.outgoing("first"), prepend=True)
        socket.off_any_outgoing(removed)
        socket.emit_nowait("my-event", "123")

    await run(way, serving(prepare))
    assert [name for name, *_ in told.log] == ["first", "second", "third"]


async def test_middlewares_are_called_in_order_and_change_the_event(way, told):
    def prepare(socket):
        @socket.packet_middleware
        async def first(socket, event):
            told.log.append(list(event))
            event[0:1] = ["wrap", "join"] if event[0] == "join" else event[0:1]

        @socket.packet_middleware
        async def second(socket, event):
            told.log.append(list(event))

        @socket.on("wrap")
        async def wrap(socket, *args):
            return args

    assert await run(way, serving(prepare), '421["join","woot"]') == ['431["join","woot"]']
    assert told.log[:2] == [["join", "woot"], ["wrap", "join", "woot"]]


async def test_a_middleware_that_raises_stops_the_event_and_tells_the_sockets_on_error(way, told):
    def prepare(socket):
        @socket.packet_middleware
        async def refuse(socket, event):
            if event[0] == "join":
                raise ValueError("Authentication error")

        @socket.packet_middleware
        async def count(socket, event):
            told.log.append(event[0])

        @socket.on_error
        async def tell(socket, error, event):
            await socket.emit("refused", event, str(error))

        @socket.on("join")
        async def join(socket, *args):
            told.log.append("never")

    received = await run(way, serving(prepare), '421["join","woot"]')
    assert received == ['42["refused","join","Authentication error"]'], "no acknowledgement"
    assert told.log == ["done"]
