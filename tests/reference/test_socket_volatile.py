"""The reference's cases of volatile events, on both transports, in virtual time: each is sent now, or dropped."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from tests.support.application import CALM, socket_of
from tests.support.client import connect, open_polling, poll, post, settle
from trio_socketio import Server, Socket

EVENT = '42["e","data"]'
BINARY = ['451-["e",{"_placeholder":true,"num":0}]', "bAQID"]


class Case:
    """A socket that is idle; ``tell`` lets the server say something, and returns all that arrives of it."""

    def __init__(self, sio: Server) -> None:
        self.sio = sio

    @property
    def socket(self) -> Socket:
        return socket_of(self.sio)

    async def tell(self, say: Callable[[Socket], None]) -> list[str]:
        raise NotImplementedError


class ByPolling(Case):
    query = ""

    async def tell(self, say: Callable[[Socket], None]) -> list[str]:
        got: list[str] = []

        async def get() -> None:
            got.extend((await poll(self.sio.engine, self.query)).body.decode().split("\x1e"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(get)
            await settle()
            say(self.socket)
            await settle()
            # What was queued behind the answer that was on its way comes by the next GET.
            self.socket.emit_nowait("fence")
            await settle()
        while got[-1] != '42["fence"]':
            await get()
        return got[:-1]


class ByWebSocket(Case):
    client = None

    async def tell(self, say: Callable[[Socket], None]) -> list[str]:
        assert self.client is not None
        say(self.socket)
        await settle()
        return ["bAQID" if frame == b"\1\2\3" else frame for frame in self.client.get_waiting()]


@pytest.fixture(params=["polling", "ws"])
async def case(request, autojump_clock):
    sio = Server(CALM)
    async with sio.running():
        if request.param == "polling":
            case = ByPolling(sio)
            case.query, _ = await open_polling(sio.engine)
            await post(sio.engine, case.query, b"40")
            await poll(sio.engine, case.query)
            yield case
        else:
            case = ByWebSocket(sio)
            async with connect(sio, "40") as case.client:
                yield case


async def test_alone(case):
    assert await case.tell(lambda socket: socket.volatile.emit_nowait("e", "data")) == [EVENT]
    # And again, once the first has been taken.
    assert await case.tell(lambda socket: socket.volatile.emit_nowait("e", "data")) == [EVENT]


async def test_behind_a_regular_event(case):
    def say(socket: Socket) -> None:
        socket.emit_nowait("e", "data")
        socket.volatile.emit_nowait("e", "dropped")

    assert await case.tell(say) == [EVENT]


async def test_only_the_first_of_two(case):
    def say(socket: Socket) -> None:
        socket.volatile.emit_nowait("e", "data")
        socket.volatile.emit_nowait("e", "dropped")

    assert await case.tell(say) == [EVENT]


@pytest.mark.parametrize("to_all", [False, True])
async def test_only_the_first_of_two_with_binary(case, to_all):
    def say(socket: Socket) -> None:
        for data in (b"\1\2\3", b"\4\5\6"):
            (case.sio if to_all else socket).volatile.emit_nowait("e", data)

    assert await case.tell(say) == BINARY


async def test_a_regular_event_behind_one_that_was_dropped(case):
    def say(socket: Socket) -> None:
        socket.emit_nowait("e", "data")
        socket.volatile.emit_nowait("e", "dropped")
        socket.emit_nowait("e", "data")

    assert await case.tell(say) == [EVENT, EVENT]


async def test_of_a_namespace(case):
    def say(socket: Socket) -> None:
        case.sio.emit_nowait("e", "data")
        case.sio.volatile.emit_nowait("e", "dropped")

    assert await case.tell(say) == [EVENT]
    assert await case.tell(lambda socket: case.sio.volatile.emit_nowait("e", "data")) == [EVENT]
