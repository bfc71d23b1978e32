"""What recovery promises, against a model: several clients, rooms, cuts at any moment, and what each of them sees.

Each event has a number. The model knows which events are for which socket; each client must see exactly these, once and
in order, however often its connection was lost and wherever: also when the server has written what the client never read.
"""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.support.client import settle
from tests.support.returning import ReturningClient
from trio_socketio import ConnectionStateRecovery, Disconnected, EngineConfig, Limits, Server
from trio_socketio._server.recovery import Recovery

SOAK = int(os.environ.get("TRIO_SOCKETIO_SOAK", "0"))
"""So many times as many examples, other ones each time."""

EXAMPLES = 40 * max(1, SOAK)
CLIENTS = st.integers(0, 2)
ROOMS = st.sampled_from(["a", "b"])
STEPS = st.one_of(
    st.tuples(st.just("broadcast"), st.lists(ROOMS, max_size=2), st.lists(ROOMS, max_size=1)),
    st.tuples(st.just("broadcast"), st.lists(ROOMS, max_size=2), st.lists(ROOMS, max_size=1)),
    st.tuples(st.just("unicast"), CLIENTS, st.booleans()),
    st.tuples(st.just("emit"), CLIENTS),
    st.tuples(st.just("volatile")),
    st.tuples(st.just("ask"), CLIENTS),
    st.tuples(st.just("join"), CLIENTS, ROOMS),
    st.tuples(st.just("leave"), CLIENTS, ROOMS),
    st.tuples(st.just("read"), CLIENTS, st.integers(1, 4)),
    st.tuples(st.just("read all")),
    st.tuples(st.just("stall"), CLIENTS),
    st.tuples(st.just("cut"), CLIENTS),
    st.tuples(st.just("cut"), CLIENTS),
    st.tuples(st.just("abandon"), CLIENTS),
    st.tuples(st.just("return"), CLIENTS),
    st.tuples(st.just("return"), CLIENTS),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 5.0, 26.0])),
)


class World:
    """The server, its clients, and what the model knows."""

    def __init__(self, recovery: ConnectionStateRecovery, nursery: trio.Nursery) -> None:
        config = EngineConfig(ping_interval=25, ping_timeout=20)
        self.sio = Server(config, limits=Limits(send_queue_packets=6), recovery=recovery)
        self.nursery = nursery
        self.clients = [ReturningClient(self.sio, nursery) for _ in range(3)]
        self.expected: dict[str, list[int]] = {}
        self.rooms: dict[str, set[str]] = {}
        self.volatile: set[int] = set()
        self.number = 0

        @self.sio.middleware
        async def think(socket):
            number = self.next()
            self.expected.setdefault(socket.id, []).append(number)
            socket.emit_nowait("x", number)
            await trio.sleep(1.01)

        @self.sio.on_connection
        async def settle_in(socket):
            self.rooms.setdefault(socket.id, set())
            number = self.next()
            with suppress(Disconnected):
                await socket.emit("x", number)
                self.expected[socket.id].append(number)

    def next(self) -> int:
        self.number += 1
        return self.number

    def expect(self, number: int, ids) -> None:
        for each in ids:
            self.expected[each].append(number)

    # What the server does

    async def broadcast(self, rooms: list[str], excluded: list[str]) -> None:
        number = self.next()
        ids = [each for each, own in self.rooms.items() if (not rooms or own & set(rooms)) and not own & set(excluded)]
        self.expect(number, ids)
        await (self.sio.to(*rooms) if rooms else self.sio).except_(*excluded).emit("x", number)

    async def unicast(self, index: int, binary: bool) -> None:
        if (sid := self.clients[index].sid) in self.rooms:
            number = self.next()
            self.expect(number, [sid])
            await self.sio.to(sid).emit("x", number, b"\0") if binary else self.sio.to(sid).emit_nowait("x", number)

    async def emit(self, index: int) -> None:
        socket = self.sio.sockets.get(self.clients[index].sid or "")
        if socket is not None:
            number = self.next()
            with suppress(trio.WouldBlock, Disconnected):
                socket.emit_nowait("x", number)
                self.expect(number, [socket.id])

    async def volatile_(self) -> None:
        number = self.next()
        self.volatile.add(number)
        await self.sio.volatile.emit("x", number)

    async def ask(self, index: int) -> None:
        socket = self.sio.sockets.get(self.clients[index].sid or "")
        if socket is not None:
            with trio.move_on_after(0.1), suppress(Disconnected):
                await socket.call("question")

    async def join(self, index: int, room: str) -> None:
        if (sid := self.clients[index].sid) in self.rooms:
            self.rooms[sid].add(room)
            self.sio.in_(sid).sockets_join(room)

    async def leave(self, index: int, room: str) -> None:
        if (sid := self.clients[index].sid) in self.rooms:
            self.rooms[sid].discard(room)
            self.sio.in_(sid).sockets_leave(room)

    async def wait(self, seconds: float) -> None:
        await trio.sleep(seconds)

    # What the clients do

    async def read(self, index: int, most: int) -> None:
        await settle()
        self.clients[index].read(most)

    async def read_all(self) -> None:
        await settle()
        for client in self.clients:
            client.read()

    async def stall(self, index: int) -> None:
        if (link := self.clients[index].link) is not None:
            link.reading = trio.Event()

    async def cut(self, index: int) -> None:
        if self.clients[index].link is not None:
            self.clients[index].cut()

    async def abandon(self, index: int) -> None:
        self.clients[index].abandon()

    async def return_(self, index: int) -> None:
        client = self.clients[index]
        client.abandon()
        await client.open()
        await client.join()

    # What is checked

    def check(self) -> None:
        """Whatever a client has seen of its socket is the beginning of what was for it."""
        for client in self.clients:
            seen = self.seen(client)
            assert seen == self.expected.get(client.sid or "", [])[: len(seen)]

    def seen(self, client: ReturningClient) -> list[int]:
        numbers = [args[1] for args in client.events if args[0] == "x"]
        assert len(set(numbers)) == len(numbers), "twice"
        return [number for number in numbers if number not in self.volatile]


async def play(recovery: ConnectionStateRecovery, steps: list[tuple], *, must_recover: bool) -> None:
    async with trio.open_nursery() as nursery:
        world = World(recovery, nursery)
        async with world.sio.running():
            for client in world.clients:
                await client.open()
                await client.join()
            await trio.sleep(2)
            await world.read_all()
            first = [client.sid for client in world.clients]
            for step, *args in steps:
                await getattr(world, {"return": "return_", "volatile": "volatile_"}.get(step, step.replace(" ", "_")))(
                    *args
                )
                world.check()
            # Cut off while the middlewares are asked, for what does not fit any more, it comes once more.
            for attempt in range(2):
                for index in range(3):
                    if attempt == 0 or not world.clients[index].connected:
                        await world.return_(index)
                await trio.sleep(2)
                await world.read_all()
            for client in world.clients:
                assert client.connected
                assert world.seen(client) == world.expected[client.sid]
            if must_recover:
                assert [client.sid for client in world.clients] == first
            for client in world.clients:
                client.cut()
            await settle()
            recovery_state: Recovery = world.sio._recovery
            # Connections that were abandoned are noticed by the heartbeat.
            await trio.sleep(60 + recovery.max_disconnection_duration)
            assert not world.sio.rooms
            assert not recovery_state._lost and not recovery_state._connected
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("handler", ["restart", "keep"])
class TestNothingIsLostAndNothingComesTwice:
    @settings(max_examples=EXAMPLES, derandomize=not SOAK, deadline=None)
    @given(steps=st.lists(STEPS, max_size=40))
    def test_in_time_and_with_room_everybody_recovers(self, handler, steps):
        recovery = ConnectionStateRecovery(handler=handler, max_disconnection_duration=10_000)
        trio.run(lambda: play(recovery, steps, must_recover=True), clock=MockClock(autojump_threshold=0))

    @settings(max_examples=EXAMPLES, derandomize=not SOAK, deadline=None)
    @given(steps=st.lists(STEPS, max_size=40), packets=st.integers(1, 4), duration=st.sampled_from([0.5, 3.0, 60.0]))
    def test_where_it_cannot_be_promised_the_socket_is_new(self, handler, steps, packets, duration):
        recovery = ConnectionStateRecovery(
            handler=handler, max_disconnection_duration=duration, max_packets=packets, max_bytes=200
        )
        trio.run(lambda: play(recovery, steps, must_recover=False), clock=MockClock(autojump_threshold=0))
