"""The traps of the design again, with streams, listeners and packet middlewares in the way of each event."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM
from tests.support.client import connect, only_session, settle
from trio_socketio import CloseReason, EngineConfig, Limits, Server


def put_in_the_way(sio: Server, pause: float = 0.0) -> list[int]:
    """Register one of each; return what the stream's reader sees, and takes its time for."""
    seen: list[int] = []

    @sio.on_any
    async def listen(socket, event, *args):
        await trio.sleep(pause)

    @sio.packet_middleware
    async def pass_through(socket, event):
        await trio.lowlevel.checkpoint()

    sio.on_any_outgoing(lambda socket, event, *args: None)

    @sio.on_connection
    async def read(socket):
        async for event in socket:
            await trio.sleep(pause)
            seen.extend(event.args)

    return seen


async def test_ordered_events_per_socket(sio, autojump_clock):
    streamed, seen = put_in_the_way(sio), []

    @sio.on("n")
    async def number(socket, value):
        await trio.sleep((7 * value) % 5 / 10)
        seen.append(value)

    async with connect(sio, "40") as client:
        await client.put(*[f'42["n",{value}]' for value in range(20)], '421["n",20]')
        assert await client.get() == "431[]"
    assert seen == streamed == list(range(21))


async def test_await_call_in_each_of_them_does_not_deadlock(sio, autojump_clock):
    asked = []

    async def ask(socket, who):
        asked.append(await socket.call(who))

    @sio.on_any
    async def listen(socket, event, *args):
        await ask(socket, "any")

    @sio.packet_middleware
    async def check(socket, event):
        await ask(socket, "middleware")

    @sio.on_connection
    async def read(socket):
        async for _ in socket:
            await ask(socket, "stream")

    @sio.on("x")
    async def x(socket):
        await ask(socket, "handler")

    async with connect(sio, "40") as client:
        await client.put('429["x"]')
        frames = []
        while frames[-1:] != ["439[]"]:
            frames.append(await client.get())
            if frames[-1].startswith("42"):
                await client.put(f"43{frames[-1][2]}[{len(frames)}]")
        whom = ["any", "handler", "middleware", "stream"]
        assert sorted(frame[3:] for frame in frames[:-1]) == [f'["{who}"]' for who in whom]
    assert sorted(asked) == [1, 2, 3, 4]


async def test_a_slow_reader_never_looks_like_a_ping_timeout(autojump_clock):
    sio = Server(
        EngineConfig(ping_interval=25, ping_timeout=20), limits=Limits(event_queue=1, event_queue_timeout=1000)
    )
    seen = put_in_the_way(sio, pause=100)
    async with sio.running(), connect(sio, "40") as client:
        client.answers_pings = True
        await client.put(*[f'42["n",{value}]' for value in range(5)])
        session = only_session(sio.engine)
        await trio.sleep(700)
        assert session.close_reason is None
        assert seen == [0, 1, 2, 3, 4]


async def test_a_stream_that_nobody_reads_does_not_starve_neighbours(autojump_clock):
    sio = Server(limits=Limits(event_queue=2, event_queue_timeout=5))
    stuck = sio.namespace("/stuck")

    @stuck.on_connection
    async def hold(socket):
        async with socket.events():
            await trio.sleep_forever()

    @sio.on("echo")
    async def echo(socket, value):
        return value

    async with sio.running(), connect(sio, "40", "40/stuck,") as client:
        (socket,) = stuck.sockets.values()
        await client.put(*['42/stuck,["x"]'] * 4, '421["echo","alive"]')
        began = trio.current_time()
        assert await client.get() == "41/stuck,"
        assert await client.get() == '431["alive"]'
        assert trio.current_time() - began == 5
        assert socket.disconnect_reason == CloseReason.EVENT_QUEUE_FULL


async def test_a_broadcast_in_whose_midst_rooms_and_listeners_change(autojump_clock):
    sio = Server(CALM, limits=Limits(send_queue_packets=10))
    told = []

    @sio.on_connection
    async def enter(socket):
        socket.join("all")

        def listen(socket, event, *args):
            told.append((event, *args))
            socket.leave("all")
            socket.off_any_outgoing(listen)
            sio.to("all").emit_nowait("left", *args)

        socket.on_any_outgoing(listen)

    async with sio.running(), connect(sio, "40") as first, connect(sio, "40") as second, connect(sio, "40") as third:
        await sio.to("all").emit("n", 1)
        await settle()
        frames = [client.get_waiting() for client in (first, second, third)]
    assert all(each[0] == '42["n",1]' for each in frames), "whom it was for had it before anybody was told"
    assert sorted(len(each) for each in frames) == [1, 2, 3], "and who left in the midst got no more"
    assert told[0] == ("n", 1)
    assert len(told) == 3


@pytest.mark.parametrize("where", ["any", "packets", "stream", "handler"])
async def test_a_server_that_is_cancelled_in_the_midst_leaves_nothing(autojump_clock, where):
    sio = Server(CALM)
    ended = []

    async def hang(socket, *args):
        try:
            await trio.sleep_forever()
        finally:
            ended.append((socket.connected, socket.disconnect_reason is None, socket.rooms == {socket.id}))

    match where:
        case "any":
            sio.on_any(hang)
        case "packets":
            sio.packet_middleware(hang)
        case "handler":
            sio.on("x")(hang)
        case "stream":

            @sio.on_connection
            async def read(socket):
                async for _ in socket:
                    await hang(socket)

    with trio.CancelScope() as scope:
        async with sio.running(), connect(sio, "40") as client:
            await client.put('421["x"]', '422["x"]')
            scope.cancel()
            await trio.sleep_forever()
    assert ended == [(False, False, True)]
    assert not sio.sockets and not sio.rooms and not sio.engine.sessions
