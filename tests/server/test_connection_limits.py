"""What a client may not take too long for, and what a full queue costs whom."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM, forever
from tests.support.client import connect, only_session, open_polling, poll, post, settle
from trio_socketio import CloseReason, ConnectionRefused, Limits, Server


class TestConnectTimeout:
    async def test_nobody_joined(self, autojump_clock):
        sio = Server(CALM, limits=Limits(connect_timeout=45))
        async with sio.running(), connect(sio) as client:
            session = only_session(sio.engine)
            assert await client.get_close() == []
            assert trio.current_time() == pytest.approx(45)
            assert session.close_reason is CloseReason.FORCED_SERVER_CLOSE

    async def test_refused_attempts_do_not_prolong_it(self, autojump_clock):
        sio = Server(CALM, limits=Limits(connect_timeout=45))
        async with sio.running(), connect(sio) as client:
            await trio.sleep(44)
            await client.put("40/nobody,")
            assert await client.get_close() == ['44/nobody,{"message":"Invalid namespace"}']
            assert trio.current_time() == pytest.approx(45)

    async def test_joined_once_is_enough_for_ever(self, autojump_clock):
        sio = Server(CALM, limits=Limits(connect_timeout=45))
        async with sio.running(), connect(sio, "40") as client:
            await client.put("41")
            await trio.sleep(1000)
            assert only_session(sio.engine).close_reason is None

    async def test_a_hanging_middleware_is_cancelled_by_it(self, autojump_clock):
        sio = Server(CALM, limits=Limits(connect_timeout=45))
        ended = []

        @sio.middleware
        async def hang(socket):
            socket.join("room")
            try:
                await trio.sleep_forever()
            finally:
                ended.append((trio.current_time(), socket.disconnect_reason))

        async with sio.running(), connect(sio) as client:
            began = trio.current_time()
            await client.put("40")
            assert await client.get_close() == []
            assert ended == [(pytest.approx(began + 45), "forced server close")]
            assert not sio.sockets
            assert not sio._namespaces.get("/").adapter._rooms._members, "the rooms are left"

    async def test_a_hanging_middleware_of_a_second_namespace_is_ended_by_it_too(self, autojump_clock):
        # Namespace.middleware: "One that hangs is ended by Limits.connect_timeout."
        sio = Server(CALM, limits=Limits(connect_timeout=45))
        ended = []

        @sio.namespace("/chat").middleware
        async def hang(socket):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

        async with sio.running(), connect(sio, "40") as client:
            await client.put("40/chat,")
            await trio.sleep(1000)
            assert ended == [pytest.approx(45)]


class TestAttachments:
    async def test_they_are_put_in_their_places(self, sio, autojump_clock):
        @sio.on("x")
        async def x(socket, *args):
            return args

        async with connect(sio, "40") as client:
            await client.put(
                '452-1["x",{"_placeholder":true,"num":1},{"deep":[{"_placeholder":true,"num":0}]},"text"]',
                b"zero",
                b"one",
            )
            assert await client.get_all(3) == [
                '462-1[{"_placeholder":true,"num":0},{"deep":[{"_placeholder":true,"num":1}]},"text"]',
                b"one",
                b"zero",
            ]

    async def test_text_between_them_closes(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put('451-["x",{"_placeholder":true,"num":0}]', '42["y"]')
            await client.get_close()
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_they_must_come_in_time_and_their_coming_ends_the_clock(self, autojump_clock):
        sio = Server(CALM, limits=Limits(attachments_timeout=30))
        seen = []

        @sio.on("x")
        async def x(socket, *args):
            seen.append(args)

        async with sio.running(), connect(sio, "40") as client:
            session = only_session(sio.engine)
            head = '452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
            await client.put(head)
            await trio.sleep(29)
            await client.put(b"a", b"b")
            await trio.sleep(100)
            assert seen == [(b"a", b"b")]
            assert session.close_reason is None
            began = trio.current_time()
            await client.put(head)
            await trio.sleep(20)
            await client.put(b"a")  # An attachment on the way does not prolong it.
            assert await client.get_close() == []
            assert trio.current_time() == pytest.approx(began + 30)
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_their_bytes_count_for_the_event_queue(self, autojump_clock):
        sio = Server(CALM, limits=Limits(event_queue_bytes=1000, event_queue_timeout=5))
        sio.on("x")(forever)
        head = '451-["x",{"_placeholder":true,"num":0}]'
        async with sio.running(), connect(sio, "40") as client:
            await client.put(head, b"x" * 900)  # is being handled
            await client.put(head, b"x" * 900)  # waits
            began = trio.current_time()
            await client.put(head, b"x" * 900)  # is too much
            assert await client.get() == "41"
            assert trio.current_time() == pytest.approx(began + 5)


class TestFullEventQueue:
    async def test_only_the_socket_whose_queue_is_full_pays(self, autojump_clock):
        sio = Server(CALM, limits=Limits(event_queue=2, event_queue_timeout=10))
        stuck = sio.namespace("/stuck")
        stuck.on("x")(forever)
        reasons = []

        @stuck.on_disconnect
        async def gone(socket, reason):
            reasons.append(reason)

        @sio.on("echo")
        async def echo(socket, *args):
            return args

        async with sio.running(), connect(sio, "40", "40/stuck,") as client, connect(sio, "40") as other:
            client.put_nowait(*['42/stuck,["x"]'] * 4, '421["echo",1]')
            await other.put('422["echo",2]')
            assert await other.get() == "432[2]"
            assert trio.current_time() < 1
            assert await client.get_all(2) == ["41/stuck,", "431[1]"]
            assert trio.current_time() == pytest.approx(10, abs=0.1)
            await settle()
            assert reasons == [CloseReason.EVENT_QUEUE_FULL]
            assert await client.join("/stuck")

    async def test_it_is_the_wait_that_is_bounded_not_the_work(self, autojump_clock):
        sio = Server(CALM, limits=Limits(event_queue=1, event_queue_timeout=10))
        seen = []

        @sio.on("x")
        async def x(socket, number):
            await trio.sleep(9)
            seen.append(number)

        async with sio.running(), connect(sio, "40") as client:
            await client.put(*[f'42["x",{number}]' for number in range(10)])
            await trio.sleep(100)
            assert seen == list(range(10)), "each event waited 9 seconds for its place, none for 10"

    async def test_the_socket_ends_while_the_reader_waits_for_room(self, autojump_clock):
        sio = Server(CALM, limits=Limits(event_queue=1, event_queue_timeout=100))
        sio.on("x")(forever)

        @sio.namespace("/b").on("ping me")
        async def ping_me(socket):
            return "pong"

        async with sio.running(), connect(sio, "40", "40/b,") as client:
            (socket,) = sio.sockets.values()
            await client.put(*['42["x"]'] * 3, '42/b,1["ping me"]')
            assert client.get_waiting() == []
            socket.disconnect()
            assert await client.get_all(2) == ["41", '43/b,1["pong"]'], "what it waited for is given up at once"
            assert trio.current_time() < 1

    async def test_on_long_polling_the_post_waits(self, autojump_clock):
        sio = Server(CALM, limits=Limits(event_queue=1, event_queue_timeout=10))
        seen = []

        @sio.on("x")
        async def x(socket, number):
            await trio.sleep(5)
            seen.append(number)

        async with sio.running():
            query, session = await open_polling(sio.engine)
            await post(sio.engine, query, b"40")
            await poll(sio.engine, query)
            body = "\x1e".join(f'42["x",{number}]' for number in range(4)).encode()
            assert (await post(sio.engine, query, body)).status == 200
            assert trio.current_time() == pytest.approx(10)
            await trio.sleep(20)
            assert seen == [0, 1, 2, 3]
            assert session.close_reason is None

    async def test_an_answer_is_settled_while_the_handler_runs_and_events_wait(self, autojump_clock):
        sio = Server(CALM, limits=Limits(event_queue=10))

        @sio.on("start")
        async def start(socket):
            return await socket.call("question")

        async with sio.running(), connect(sio, "40") as client:
            await client.put('421["start"]', '42["other"]', '42["other"]')
            assert await client.get() == '420["question"]'
            await client.put('430["answer"]')
            assert await client.get() == '431["answer"]'

    async def test_the_clients_disconnect_is_settled_while_a_handler_runs(self, sio, autojump_clock):
        ended = []

        @sio.on("x")
        async def x(socket):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(socket.disconnect_reason)

        async with connect(sio, "40") as client:
            await client.put('42["x"]', '42["x"]')
            await client.put("41")
            assert ended == ["client namespace disconnect"], "the second one has not begun"


class TestSlowClients:
    async def test_an_answer_for_which_there_is_no_room_ends_the_session(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=2))
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append(reason)

        async with sio.running(), connect(sio, "40") as client:
            client.reading = trio.Event()
            await client.put(*["40/nobody,"] * 8)
            assert reasons == ["slow consumer"]
            assert not sio.engine.sessions

    async def test_a_refusal_that_comes_when_the_session_is_closing_already(self, autojump_clock):
        sio = Server(CALM)
        let_on = trio.Event()

        @sio.namespace("/late").middleware
        async def late(socket):
            await let_on.wait()
            raise ConnectionRefused("too late anyway")

        async with sio.running(), connect(sio, "40") as client:
            await client.put("40/late,")
            client.reading = trio.Event()
            sio.emit_nowait("waits")
            await settle()
            session = only_session(sio.engine)
            session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
            let_on.set()
            await settle()
            client.reading.set()
            assert await client.get_close() == ['42["waits"]']
            assert session.close_reason is CloseReason.SERVER_SHUTTING_DOWN
