"""A client's connection: joining and leaving namespaces, what closes it, what a full queue costs whom."""

from __future__ import annotations

import base64
import json
import logging
import random

import pytest
import trio

from tests.support.client import connect, only_session, open_polling, open_stream, poll, post, settle
from trio_socketio import CloseReason, ConnectionRefused, EngineConfig, Limits, Server

CALM = EngineConfig(ping_interval=10_000)
"""No pings in the way."""


async def forever(socket, *args):
    await trio.sleep_forever()


class TestJoining:
    async def test_connect_is_answered_with_an_id_of_20_characters_that_is_not_the_sid(self, sio, autojump_clock):
        async with connect(sio) as client:
            await client.put("40")
            answer = await client.get()
            (socket,) = sio.sockets.values()
            assert answer == f'40{{"sid":"{socket.id}"}}'
            assert len(socket.id) == 20
            assert socket.id != only_session(sio.engine).sid

    async def test_each_namespace_has_its_own_id_and_auth(self, sio, autojump_clock):
        chat = sio.namespace("/chat")
        async with connect(sio) as client:
            root = await client.join(auth={"a": 1})
            other = await client.join("/chat", auth={"b": {"c": [2]}})
            assert root != other
            assert sio.sockets[root].auth == {"a": 1}
            assert chat.sockets[other].auth == {"b": {"c": [2]}}

    async def test_no_auth_is_an_empty_object_of_its_own(self, sio, autojump_clock):
        async with connect(sio) as one, connect(sio) as two:
            first, second = sio.sockets, sio.sockets
            assert not first and not second
            first, second = await one.join(), await two.join()
            assert sio.sockets[first].auth == {}
            assert sio.sockets[first].auth is not sio.sockets[second].auth

    @pytest.mark.parametrize("auth", ["[]", "null", '"x"', "true", "{"])
    async def test_an_auth_that_is_no_object_closes(self, sio, autojump_clock, auth):
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put(f"40{auth}")
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE
            assert not sio.sockets

    async def test_an_unknown_namespace_is_refused_and_the_connection_kept(self, sio, autojump_clock):
        async with connect(sio) as client:
            await client.put("40/nobody,", '40/nobody,{"token":1}')
            assert await client.get_all(2) == ['44/nobody,{"message":"Invalid namespace"}'] * 2
            await client.join()
            assert only_session(sio.engine).close_reason is None

    async def test_too_many_namespaces_and_a_place_that_is_free_again(self, sio, autojump_clock):
        for name in "abcd":
            sio.namespace(name)
        async with connect(sio, "40/a,", "40/b,", "40/c,") as client:
            await client.put("40/d,")
            assert await client.get() == '44/d,{"message":"Too many namespaces"}'
            await client.put("41/a,")
            await client.join("/d")
            assert not sio.namespace("/a").sockets

    async def test_a_refused_namespace_takes_no_place(self, autojump_clock):
        sio = Server(limits=Limits(max_namespaces=1))

        @sio.namespace("/closed").middleware
        async def refuse(socket):
            raise ConnectionRefused("no")

        async with sio.running(), connect(sio) as client:
            for _ in range(3):
                await client.put("40/closed,")
                assert await client.get() == '44/closed,{"message":"no"}'
            await client.join()

    @pytest.mark.parametrize("again", ["40", '40{"a":1}'])
    async def test_a_second_connect_closes_and_ends_all_sockets(self, sio, autojump_clock, again):
        reasons = []
        for namespace in (sio, sio.namespace("/chat")):

            @namespace.on_disconnect
            async def gone(socket, reason):
                reasons.append((socket.namespace, reason))

        async with connect(sio, "40", "40/chat,") as client:
            await client.put(again)
            assert await client.get_close() == []
        assert sorted(reasons) == [("/", "forced close"), ("/chat", "forced close")]

    async def test_a_second_connect_while_the_first_is_being_examined_closes(self, sio, autojump_clock):
        sio.middleware(forever)
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put("40", "40")
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE

    @pytest.mark.parametrize("packet", ['42["x"]', '421["x"]', "41", "430[]", '44{"message":"x"}'])
    @pytest.mark.parametrize("joining", [False, True])
    async def test_packets_before_connect_is_answered_close(self, sio, autojump_clock, packet, joining):
        called = []
        sio.middleware(forever)

        @sio.on("x")
        async def x(socket):
            called.append(socket)

        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put(*["40"] * joining, packet)
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE
        assert not called

    @pytest.mark.parametrize(
        "head", ['451-["x",{"_placeholder":true,"num":0}]', '461-0[{"_placeholder":true,"num":0}]']
    )
    async def test_a_binary_packet_before_connect_closes_before_its_attachments_are_kept(
        self, sio, autojump_clock, head
    ):
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put(head)
            assert session.close_reason is CloseReason.FORCED_CLOSE, "it is kept, though nobody has joined"

    async def test_packets_for_another_namespace_than_the_joined_one_close(self, sio, autojump_clock):
        sio.namespace("/chat")
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put('42/chat,["x"]')
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE


class TestLeaving:
    async def test_packets_for_a_namespace_just_left_by_the_server_are_ignored(self, sio, autojump_clock):
        called = []

        @sio.on("x")
        async def x(socket):
            called.append(socket)

        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            (socket,) = sio.sockets.values()
            socket.disconnect()
            await client.put('42["x"]', '421["x"]', "430[]", '451-["x",{"_placeholder":true,"num":0}]', b"x", "41")
            assert await client.get() == "41"
            await client.join()
            assert client.get_waiting() == []
            assert session.close_reason is None
            assert not called

    async def test_events_after_the_clients_own_disconnect_close(self, sio, autojump_clock):
        # "event for a namespace not joined": the client knows that it has left.
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put("41")
            assert session.close_reason is None
            await client.put('42["x"]')
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_events_after_a_refused_connect_close(self, sio, autojump_clock):
        @sio.middleware
        async def refuse(socket):
            raise ConnectionRefused("no")

        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put("40")
            assert await client.get() == '44{"message":"no"}'
            await client.put('42["x"]')
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_leaving_and_joining_again_at_once(self, sio, autojump_clock):
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(1)
            reasons.append((socket.id, reason))

        async with connect(sio) as client:
            first = await client.join()
            began = trio.current_time()
            client.put_nowait("41")
            second = await client.join()
            assert trio.current_time() == began, "the new socket waits for nothing of the old one"
            assert first != second
            assert list(sio.sockets) == [second]
            await trio.sleep(2)
            assert reasons == [(first, "client namespace disconnect")]
            assert sio.sockets[second].connected

    async def test_the_rooms_of_the_new_socket_are_its_own(self, sio, autojump_clock):
        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(1)

        async with connect(sio) as client:
            first = await client.join()
            sio.sockets[first].join("lobby")
            client.put_nowait("41")
            second = await client.join()
            await trio.sleep(2)
            await sio.to("lobby").emit("old room")
            assert sio.sockets[second].rooms == {second}
            await settle()
            assert client.get_waiting() == []

    async def test_a_socket_that_ended_does_not_push_out_its_successor(self, sio, autojump_clock):
        async with connect(sio) as client:
            await client.join()
            session = only_session(sio.engine)
            connection = session._handler
            (old,) = connection._workers.values()
            client.put_nowait("41")
            await client.join()
            connection.ended(old)
            (new,) = connection._workers.values()
            assert new is not old
            assert new.socket.connected


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
            assert not sio._members["/"].adapter._rooms._members, "the rooms are left"

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
            assert ended and ended[0] < 100, "it hangs for ever"


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


async def test_disconnect_all_tells_every_namespace_and_then_closes(autojump_clock):
    sio = Server(CALM)
    names = ["/", "/b", "/c"]
    reasons = {}
    for name in names:

        @sio.namespace(name).on_disconnect
        async def gone(socket, reason):
            reasons[socket.namespace] = reason

    async with sio.running(), connect(sio, "40", "40/b,", "40/c,") as client, connect(sio, "40") as other:
        (socket,) = sio.namespace("/b").sockets.values()
        (session,) = [session for session in sio.engine.sessions.values() if session is socket._life.session]
        socket.emit_nowait("first this")
        socket.disconnect(close=True)
        frames = await client.get_close()
        assert frames[0] == '42/b,["first this"]'
        assert sorted(frames[1:]) == ["41", "41/b,", "41/c,"]
        assert reasons == dict.fromkeys(names, "server namespace disconnect")
        assert session.sid not in sio.engine.sessions
        assert len(sio.sockets) == 1
        await other.put("40/b,")
        assert json.loads((await other.get()).removeprefix("40/b,"))


async def test_disconnect_all_on_long_polling(autojump_clock):
    sio = Server(CALM)
    async with sio.running():
        query, session = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        (socket,) = sio.sockets.values()
        socket.disconnect(close=True)
        assert (await poll(sio.engine, query)).body == b"41"
        assert (await poll(sio.engine, query)).body == b"6\x1e1"
        assert (await poll(sio.engine, query)).status == 400
        assert session.closed.is_set()


def frames_of(response):
    """The frames in a poll's answer, as they would be on a WebSocket; without NOOPs."""
    packets = response.body.decode().split("\x1e")
    return [base64.b64decode(packet[1:]) if packet[0] == "b" else packet for packet in packets if packet != "6"]


class TestLongPolling:
    async def join(self, sio):
        query, session = await open_polling(sio.engine)
        assert (await post(sio.engine, query, b"40")).body == b"ok"
        (answer,) = frames_of(await poll(sio.engine, query))
        return query, session, sio.sockets[json.loads(answer[2:])["sid"]]

    @pytest.mark.parametrize("packet_first", [True, False])
    async def test_a_poll_given_up_as_its_packet_comes_loses_and_doubles_nothing(self, autojump_clock, packet_first):
        sio, answers = Server(CALM), []
        async with sio.running():
            query, session, socket = await self.join(sio)
            async with trio.open_nursery() as nursery:
                scope = trio.CancelScope()

                @nursery.start_soon
                async def get():
                    with scope:
                        answers.append(await poll(sio.engine, query))

                await settle()
                if packet_first:
                    socket.emit_nowait("x")
                    scope.cancel()
                else:
                    scope.cancel()
                    socket.emit_nowait("x")
            again = []
            with trio.move_on_after(1):
                again.append(await poll(sio.engine, query))
            delivered = [frame for answer in answers + again if answer.status == 200 for frame in frames_of(answer)]
            # In the client's hands once; or lost with its session, never without.
            assert delivered == ['42["x"]'] or (delivered == [] and session.closed.is_set() and not socket.connected)

    async def test_packets_are_in_one_answer_only(self, autojump_clock):
        sio = Server(CALM)
        async with sio.running():
            query, session, socket = await self.join(sio)
            socket.emit_nowait("x", b"a")
            assert frames_of(await poll(sio.engine, query)) == ['451-["x",{"_placeholder":true,"num":0}]', b"a"]
            with trio.move_on_after(1) as scope:
                await poll(sio.engine, query)
            assert scope.cancelled_caught, "nothing more to say"

    async def test_a_slow_handler_never_looks_like_a_ping_timeout_on_long_polling(self, autojump_clock):
        # The client has one POST at a time: its pong must wait until that which fills the queue is answered.
        sio = Server(
            EngineConfig(ping_interval=5, ping_timeout=2), limits=Limits(event_queue=1, event_queue_timeout=100)
        )

        @sio.on("x")
        async def x(socket):
            await trio.sleep(30)

        async with sio.running():
            query, session, socket = await self.join(sio)
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def get():
                    assert frames_of(await poll(sio.engine, query)) == ["2"]

                body = "\x1e".join(['42["x"]'] * 4).encode()
                assert (await post(sio.engine, query, body)).body == b"ok"
                assert trio.current_time() > 50
                assert (await post(sio.engine, query, b"3")).body == b"ok"
            assert session.close_reason is None
            assert socket.connected

    @pytest.mark.parametrize("seed", range(10))
    async def test_an_upgrade_under_load_loses_and_doubles_nothing_and_keeps_the_order(self, autojump_clock, seed):
        sio, choose = Server(CALM), random.Random(seed)
        received = []
        async with sio.running():
            query, session, socket = await self.join(sio)

            async def emit():
                for number in range(60):
                    await socket.emit("n", number, bytes([number]))
                    await trio.sleep(choose.random() / 10)

            async def poll_on():
                while (answer := await poll(sio.engine, query)).status == 200:
                    received.extend(frames_of(answer))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(emit)
                nursery.start_soon(poll_on)
                await trio.sleep(choose.uniform(0, 2))
                async with open_stream(sio.engine, query.replace("polling", "websocket")) as client:
                    await client.put("2probe")
                    assert await client.get() == "3probe"
                    await trio.sleep(choose.uniform(0, 0.3))
                    await client.put("5")
                    await trio.sleep(10)
                    assert session.transport.name == "websocket"
                    assert client.get_waiting() == self.expected()[len(received) :]
                    assert 0 < len(received) < 120
                    assert received == self.expected()[: len(received)]

    def expected(self):
        return [
            frame
            for number in range(60)
            for frame in (f'451-["n",{number},{{"_placeholder":true,"num":0}}]', bytes([number]))
        ]


async def test_traces(autojump_clock, caplog):
    caplog.set_level(logging.DEBUG, logger="trio_socketio.socket")
    sio = Server(CALM)
    async with sio.running(), connect(sio, "40") as client:
        await client.put('42["a secret of 300 letters","' + "s" * 300 + '"]', "4399[]")
    assert "a secret of 300 letters" in caplog.text
    assert "s" * 250 not in caplog.text
    assert "an answer that nobody waits for" in caplog.text
    assert "sends" in caplog.text
