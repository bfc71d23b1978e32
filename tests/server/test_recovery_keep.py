"""handler="keep": the socket and its tasks live on in the gap, and nothing of them is left when it does not end well."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import errors_of, reasons_of
from tests.support.client import settle
from tests.support.returning import assert_nothing_left, clients_of, lose, recovering
from trio_socketio import ConnectionRefused, Disconnected, Limits


class TestTheGap:
    async def test_handlers_and_the_sockets_tasks_live_on_and_emit_reaches_the_client(self, autojump_clock):
        sio = recovering(handler="keep")
        reasons, ended = reasons_of(sio), []

        async def tick(socket):
            for number in range(10):
                await socket.emit("tick", number)
                await trio.sleep(1)

        @sio.on_connection
        async def live(socket):
            socket.nursery.start_soon(tick, socket)
            try:
                await trio.sleep_forever()
            finally:
                ended.append(socket.id)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            (socket,) = sio.sockets.values()
            await trio.sleep(2.5)
            client.read()
            await lose(client)
            assert not socket.connected
            assert socket.disconnect_reason == "transport close"
            assert repr(socket).endswith("lost>")
            await trio.sleep(3)
            await client.connect()
            assert client.recovered and sio.sockets[client.sid] is socket
            assert socket.connected and socket.recovered and socket.disconnect_reason is None
            await trio.sleep(10)
            client.read()
            assert client.events == [["tick", number] for number in range(10)]
            assert not reasons and not ended
        assert reasons == ["server shutting down"] and ended == [client.sid]
        assert_nothing_left(sio)

    async def test_call_raises_and_what_waits_for_an_answer_does(self, autojump_clock):
        sio = recovering(handler="keep")
        log = []

        @sio.on_connection
        async def ask(socket):
            for _ in range(3):
                try:
                    log.append(await socket.call("question"))
                except Disconnected as error:
                    log.append(error.reason)
                    await trio.sleep(10)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            assert client.events == [["question", "?"]]
            await lose(client)
            assert log == ["transport close"]
            await trio.sleep(11)
            assert log == ["transport close"] * 2
            await client.connect()
            await trio.sleep(10)
            link = client.link
            (frame,) = link.get_waiting()
            await client.say(f'43{frame.removeprefix("42").partition("[")[0]}["yes"]')
            assert log == ["transport close", "transport close", "yes"]

    async def test_a_broadcast_question_passes_it_over(self, autojump_clock):
        sio = recovering(handler="keep")
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            assert await sio.gather("question") == {}

    async def test_who_waits_for_room_is_let_go_on(self, autojump_clock):
        sio = recovering(handler="keep", limits=Limits(send_queue_packets=2))
        sent = []

        @sio.on_connection
        async def send(socket):
            for number in range(10):
                await socket.emit("x", number)
                sent.append(number)

        async with clients_of(sio) as client_of:
            client = client_of()
            link = await client.open()
            link.reading = trio.Event()
            await client.join()
            assert len(sent) < 10
            client.cut()
            await settle()
            assert len(sent) == 10
            await client.open()
            await client.join()
            client.read()
            assert not client.recovered, "it has never got its pid"
            client.abandon()
        assert_nothing_left(sio)

    async def test_a_question_that_waits_for_room_fails(self, autojump_clock):
        sio = recovering(handler="keep", limits=Limits(send_queue_packets=2))
        failed = []

        @sio.on_connection
        async def ask(socket):
            await socket.emit("x", 1)
            await socket.emit("x", 2)
            try:
                await socket.call("question")
            except Disconnected as error:
                failed.append(error.reason)
            await trio.sleep_forever()

        async with clients_of(sio) as client_of:
            client = client_of()
            link = await client.open()
            link.reading = trio.Event()
            await client.join()
            assert not failed
            client.cut()
            await settle()
            assert failed == ["transport close"]
            assert len(sio._recovery) == 1

    async def test_events_that_waited_are_handled_and_their_answers_go_nowhere(self, autojump_clock):
        sio = recovering(handler="keep")
        handled = []

        @sio.on("x")
        async def slow(socket, number):
            await trio.sleep(1)
            handled.append((number, socket.connected))
            return number

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            for number in range(5):
                client.put(f'42{number}["x",{number}]')
            await settle()
            await lose(client)
            await trio.sleep(2.5)
            link = await client.open()
            await client.join()
            await trio.sleep(10)
            assert handled == [(0, False), (1, False), (2, True), (3, True), (4, True)]
            # Its questions have new numbers in a new connection: the old ones would be taken for theirs.
            assert [frame[:2] for frame in link.get_waiting()] == ["40"]
            await client.say('420["x",5]')
            await trio.sleep(2)
            assert link.get_waiting() == ["430[5]"]

    async def test_concurrent_handlers_and_streams(self, autojump_clock):
        sio = recovering(handler="keep")
        log = []

        @sio.on("concurrent", concurrent=True)
        async def concurrent(socket):
            await trio.sleep(5)
            await socket.emit("done", socket.connected)
            return "to nobody"

        @sio.on_connection
        async def read(socket):
            async with socket.events("streamed") as events:
                async for event in events:
                    log.append(event.args)
                    await trio.sleep(5)
                    if event.wants_answer:
                        await event.answer("late")
                        log.append(event.wants_answer)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            client.put('420["concurrent"]')
            client.put('421["streamed",1]')
            client.put('42["streamed",2]')
            await settle()
            await lose(client)
            await trio.sleep(1)
            await client.connect()
            await client.say('42["streamed",3]')
            await trio.sleep(20)
            assert log == [(1,), False, (2,), (3,)]
            client.read()
            assert client.events == [["done", True]]
            await client.say('427["streamed",4]')
            await trio.sleep(6)
            assert client.link.get_waiting() == ['437["late"]']

    async def test_what_is_registered_for_the_socket_alone_stays(self, autojump_clock):
        sio = recovering(handler="keep")
        sent, heard = [], []

        @sio.on_connection
        async def register(socket):
            @socket.on("x")
            async def hear(socket, value):
                heard.append(value)

            @socket.on_any_outgoing
            def show(socket, event, *args):
                sent.append((event, *args))

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await sio.emit("a", 1)
            await lose(client)
            await client.connect()
            await sio.emit("a", 2)
            await sio.sockets[client.sid].emit("a", 3)
            await client.say('42["x",1]')
            assert sent == [("a", 1), ("a", 2), ("a", 3)] and heard == [1]

    async def test_rooms_can_be_entered_in_the_gap(self, autojump_clock):
        sio = recovering(handler="keep")
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            (socket,) = sio.sockets.values()
            await lose(client)
            socket.join("room")
            await sio.to("room").emit("x", 1)
            await client.connect()
            assert client.events == [["x", 1]]


class TestTheEndOfTheGap:
    async def test_time_is_up(self, autojump_clock):
        sio = recovering(handler="keep", max_disconnection_duration=10)
        log = []

        @sio.on_connection
        async def live(socket):
            socket.join("room")
            try:
                await trio.sleep_forever()
            finally:
                log.append(("handler", socket.disconnect_reason, "room" in socket.rooms))

        @sio.on_disconnect
        async def gone(socket, reason):
            log.append(("disconnect", reason, "room" in socket.rooms, socket.recovered))

        @sio.on_expired
        async def expired(socket):
            log.append(("expired", "room" in socket.rooms))

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            for _ in range(2):
                await lose(client)
                await trio.sleep(9)
                assert not log
                await client.connect()
            await lose(client)
            await trio.sleep(11)
            reason = "transport close"
            assert log == [
                ("handler", reason, True),
                ("disconnect", reason, True, False),
                ("expired", True),
            ]
            assert_nothing_left(sio)

    @pytest.mark.parametrize("by", ["itself", "the namespace", "its task", "its nursery", "its handler"])
    async def test_ended_in_the_gap(self, autojump_clock, caplog, by):
        sio = recovering(handler="keep")
        go, reasons, expired, met = trio.Event(), reasons_of(sio), [], []

        @sio.on_expired
        async def gone(socket):
            expired.append(socket.id)

        async def fail():
            await go.wait()
            raise ValueError("no")

        @sio.on_connection
        async def live(socket):
            met.append(socket)
            if by == "its task" and len(met) == 1:
                socket.nursery.start_soon(fail)
            if by == "its handler" and len(met) == 1:
                await fail()
            await trio.sleep_forever()

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            (socket,) = sio.sockets.values()
            await lose(client)
            match by:
                case "itself":
                    socket.disconnect()
                case "the namespace":
                    sio.disconnect_sockets(close=True)
                case "its nursery":
                    socket.nursery.cancel_scope.cancel()
                case _:
                    go.set()
            await settle()
            assert reasons == ["transport close"] and expired == [socket.id]
            assert not socket.connected
            assert_nothing_left(sio)
            with pytest.raises(Disconnected):
                await socket.emit("x")
            await client.connect()
            assert client.connected and not client.recovered

    async def test_a_handler_that_does_not_expect_the_gap_ends_its_socket(self, autojump_clock, caplog):
        # Else the client would come back to a socket with nothing behind it.
        sio = recovering(handler="keep")
        errors, reasons, met = errors_of(sio), reasons_of(sio), []

        @sio.on_connection
        async def ask(socket):
            met.append(socket.id)
            await socket.call("question")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            await lose(client)
            assert reasons == ["transport close"]
            await client.connect()
            assert not client.recovered and met == [first, client.sid]
        assert not errors and not caplog.records

    async def test_a_handler_that_fails_when_it_sees_that_the_client_is_gone_while_it_returns(
        self, autojump_clock, caplog
    ):
        sio = recovering(handler="keep")
        errors, go = errors_of(sio), trio.Event()

        @sio.middleware
        async def slow(socket):
            await trio.sleep(5 * socket.recovered)

        @sio.on_connection
        async def ask(socket):
            await go.wait()
            await socket.call("question")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.open()
            await client.join()
            go.set()
            await settle()
            client.read()
            assert client.refused == "Forbidden"
            assert_nothing_left(sio)
        assert [(event, type(error)) for event, error in errors] == [("connection", Disconnected)]

    async def test_a_handler_that_has_returned_is_no_end(self, autojump_clock):
        sio = recovering(handler="keep")

        @sio.on_connection
        async def short(socket):
            await socket.emit("welcome")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.connect()
            assert client.recovered and client.events == [["welcome"]]

    async def test_an_event_handler_that_fails_fails_for_itself(self, autojump_clock, caplog):
        sio = recovering(handler="keep")
        errors = errors_of(sio)

        @sio.on("x")
        async def ask(socket):
            await trio.sleep(1)
            await socket.call("question")

        @sio.on("y")
        async def fail(socket):
            raise ValueError("no")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            client.put('42["x"]')
            client.put('42["y"]')
            await settle()
            await lose(client)
            await trio.sleep(2)
            assert [(event, str(error)) for event, error in errors] == [("y", "no")]
            await client.connect()
            assert client.recovered

    async def test_refused_on_its_return(self, autojump_clock):
        sio = recovering(handler="keep")
        log = []

        @sio.middleware
        async def guard(socket):
            if socket.recovered:
                raise ConnectionRefused("banned")

        @sio.on_connection
        async def live(socket):
            try:
                await trio.sleep_forever()
            finally:
                log.append("handler")

        @sio.on_disconnect
        async def gone(socket, reason):
            log.append(reason)

        @sio.on_expired
        async def expired(socket):
            log.append("expired")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.connect()
            assert client.refused == "banned"
            assert log == ["handler", "transport close", "expired"]
            assert_nothing_left(sio)

    async def test_a_newcomer_is_refused_or_leaves_as_ever(self, autojump_clock):
        sio = recovering(handler="keep")
        reasons = reasons_of(sio)

        @sio.middleware
        async def guard(socket):
            if socket.auth.get("bad"):
                raise ConnectionRefused("no")
            await trio.sleep(1)

        async with clients_of(sio) as client_of:
            assert (await client_of().connect(bad=True)).refused == "no"
            client = client_of()
            await client.open()
            await client.join()
            await lose(client)
            await trio.sleep(2)
            assert not reasons and len(sio._recovery) == 0
            assert_nothing_left(sio)
