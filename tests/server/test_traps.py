"""Each trap of the design, by its name."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import connect, only_session, open_polling, open_stream, poll, post, request, settle
from trio_socketio import CloseReason, EngineConfig, Limits, Server
from trio_socketio._asgi.http import serve_http


async def test_ordered_events_per_socket(sio, autojump_clock):
    seen = []

    @sio.on("n")
    async def number(socket, value):
        await trio.sleep((7 * value) % 5 / 10)
        seen.append(value)

    async with connect(sio, "40") as client:
        await client.put(*[f'42["n",{value}]' for value in range(20)], '421["n",20]')
        assert await client.get() == "431[]"
    assert seen == list(range(21))


async def test_await_call_inside_a_handler_of_the_same_socket_does_not_deadlock(sio, autojump_clock):
    @sio.on("start")
    async def start(socket):
        return await socket.call("question", "colour?")

    async with connect(sio, "40") as client:
        await client.put('425["start"]')
        assert await client.get() == '420["question","colour?"]'
        await client.put('430["red"]')
        assert await client.get() == '435["red"]'


async def test_call_behind_a_full_event_queue_ends_with_that_socket(autojump_clock):
    sio = Server(limits=Limits(event_queue=3, event_queue_timeout=10))
    reasons = []

    @sio.on("start")
    async def start(socket):
        await socket.call("question")

    @sio.on_disconnect
    async def gone(socket, reason):
        reasons.append(reason)

    async with sio.running(), connect(sio, "40") as client:
        await client.put('42["start"]')
        assert await client.get() == '420["question"]'
        # Its answer stands behind more events than the queue holds: only the bound on the stall gets out of that.
        await client.put(*['42["start"]'] * 5, "430[]")
        assert await client.get() == "41"
        await settle()
        assert reasons == [CloseReason.EVENT_QUEUE_FULL]
        assert trio.current_time() > 9
        await client.put("40")
        assert (await client.get()).startswith('40{"sid"')


async def test_a_slow_handler_never_looks_like_a_ping_timeout(autojump_clock):
    sio = Server(
        EngineConfig(ping_interval=25, ping_timeout=20), limits=Limits(event_queue=1, event_queue_timeout=1000)
    )

    @sio.on("slow")
    async def slow(socket):
        await trio.sleep(200)

    async with sio.running(), connect(sio, "40") as client:
        await client.put(*['42["slow"]'] * 4)
        session = only_session(sio.engine)
        for _ in range(9):
            # The client answers each ping at once, but nobody reads: the reader waits for room in the event queue.
            assert await client.get() == "2"
            await client.put("3")
            assert session.close_reason is None
            if trio.current_time() > 300:
                break


async def test_a_full_event_queue_of_one_namespace_does_not_starve_its_neighbours(autojump_clock):
    sio = Server(limits=Limits(event_queue=2, event_queue_timeout=5))

    @sio.namespace("/stuck").on("x")
    async def stuck(socket):
        await trio.sleep_forever()

    @sio.on("echo")
    async def echo(socket, value):
        return value

    async with sio.running(), connect(sio, "40", "40/stuck,") as client:
        await client.put(*['42/stuck,["x"]'] * 4, '421["echo","alive"]')
        began = trio.current_time()
        assert await client.get() == "41/stuck,"
        assert await client.get() == '431["alive"]'
        assert trio.current_time() - began == 5
        assert set(sio.sockets) and not sio.namespace("/stuck").sockets


async def test_binary_packets_travel_whole_never_interleaved(sio, autojump_clock):
    @sio.on("go")
    async def go(socket):
        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(socket.emit, "blob", bytes([number]) * 3, bytes([number]) * 4)

    async with connect(sio, "40") as client:
        await client.put('42["go"]')
        for _ in range(6):
            head, first, second = await client.get_all(3)
            assert head.startswith('452-["blob"')
            assert (first[0], len(first), len(second)) == (second[0], 3, 4)


async def test_connect_is_answered_before_anything_the_connection_handler_emits(sio, autojump_clock):
    @sio.on_connection
    async def greet(socket):
        socket.emit_nowait("hello")

    async with connect(sio) as client:
        await client.put("40")
        assert (await client.get()).startswith('40{"sid"')
        assert await client.get() == '42["hello"]'


async def test_disconnect_work_runs_shielded_with_a_deadline(sio, autojump_clock):
    began, ended = [], []

    @sio.on_disconnect
    async def tidy(socket, reason):
        began.append(trio.current_time())
        try:
            await trio.sleep(1)
            ended.append("one second is fine")
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time() - began[0])

    async with connect(sio, "40"):
        pass
    await trio.sleep(20)
    assert ended == ["one second is fine", pytest.approx(sio.limits.disconnect_timeout, abs=0.1)]


async def test_a_poll_cancelled_with_packets_in_hand_loses_none_and_doubles_none(sio, autojump_clock):
    query, session = await open_polling(sio.engine)
    assert (await post(sio.engine, query, b"40")).body == b"ok"
    await poll(sio.engine, query)
    (socket,) = sio.sockets.values()
    sent = []

    async def send(message):
        sent.append(message)

    to_app, receive = trio.open_memory_channel(10)
    to_app.send_nowait({"type": "http.request"})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, sio.engine, request(query), receive.receive, send)
        await settle()
        # The client goes in the very instant in which the packet comes.
        socket.emit_nowait("late")
        to_app.send_nowait({"type": "http.disconnect"})
    # Either it was delivered, or the session is over: never a session that goes on without it.
    assert not sent
    assert session.close_reason is CloseReason.TRANSPORT_ERROR
    assert not socket.connected


async def test_a_broadcast_while_rooms_change(autojump_clock):
    sio = Server(limits=Limits(send_queue_packets=2))

    @sio.on_connection
    async def enter(socket):
        socket.join("all")
        try:
            await trio.sleep_forever()
        finally:
            sio.to("all").emit_nowait("left", socket.id)

    async with sio.running(), connect(sio, "40") as slow, connect(sio, "40") as quick:
        slow.reading = trio.Event()
        for number in range(6):
            # The slow one's queue overflows in the midst of a broadcast: it leaves its rooms, the other gets everything.
            await sio.to("all").emit("n", number)
            await settle()
        messages = quick.get_waiting()
        assert [message for message in messages if '"n"' in message] == [f'42["n",{number}]' for number in range(6)]
        assert sum('"left"' in message for message in messages) == 1
        assert len(sio.sockets) == 1


async def test_a_burst_of_broadcasts_makes_nobody_slow_who_reads(autojump_clock):
    sio = Server(limits=Limits(send_queue_packets=100))
    async with sio.running(), connect(sio, "40") as quick, connect(sio, "40") as frozen:
        quick.turns = frozen.turns = 10
        frozen.reading = trio.Event()
        for number in range(2000):
            await sio.emit("number", number)
        await settle()
        assert quick.get_waiting() == [f'42["number",{number}]' for number in range(2000)]
        assert len(sio.sockets) == 1, "who reads nothing is dropped, and nobody has waited for it"
        assert trio.current_time() < 1


async def test_frame_5_and_a_poll_racing_each_other(sio, autojump_clock):
    for poll_first in (True, False):
        query, session = await open_polling(sio.engine)
        async with open_stream(sio.engine, query.replace("polling", "websocket")) as client:
            await client.put("2probe")
            assert await client.get() == "3probe"
            answers = []

            async def ask(query=query, answers=answers):
                answers.append(await poll(sio.engine, query))

            async with trio.open_nursery() as nursery:
                if poll_first:
                    nursery.start_soon(ask)
                    await settle()
                await client.put("5")
                if not poll_first:
                    await settle()
                    nursery.start_soon(ask)
            assert [answer.status for answer in answers] == [400]
            assert session.transport.name == "websocket"
            assert session.close_reason is None


async def test_deadlines_are_absolute_and_are_also_checked_when_a_request_arrives(autojump_clock):
    sio = Server(EngineConfig(ping_interval=25, ping_timeout=20), limits=Limits(connect_timeout=1000))
    async with sio.running():
        query, session = await open_polling(sio.engine)
        autojump_clock.autojump_threshold = float("inf")
        autojump_clock.jump(25)
        await settle()
        # The clock is past the deadline, and the request is here before the session's own timer could run.
        autojump_clock.jump(20)
        response = await poll(sio.engine, query)
        assert (response.status, session.close_reason) == (400, CloseReason.PING_TIMEOUT)
        autojump_clock.autojump_threshold = 0
