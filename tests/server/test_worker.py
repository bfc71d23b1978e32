"""The life of one socket: middlewares, the connection's task, events in order, the end."""

from __future__ import annotations

import json
import logging

import pytest
import trio

from tests.support.client import connect, only_session, open_polling, poll, post, settle
from trio_socketio import CloseReason, ConnectionRefused, Disconnected, EngineConfig, Limits, Server
from trio_socketio._engine.transport import MessageTooBig

CALM = EngineConfig(ping_interval=10_000)
"""No pings in the way."""


def errors_of(namespace):
    """What on_error is told, as (event, error)."""
    errors = []

    @namespace.on_error
    async def note(socket, error, event):
        errors.append((event, error))

    return errors


def reasons_of(namespace):
    reasons = []

    @namespace.on_disconnect
    async def note(socket, reason):
        assert type(reason) is str
        assert reason == socket.disconnect_reason
        reasons.append(reason)

    return reasons


def records_of(caplog):
    """What was logged as an error, as (scope, the exception's type)."""
    return [
        (record.name, record.exc_info and record.exc_info[0])
        for record in caplog.records
        if record.levelno >= logging.ERROR
    ]


class TestMiddleware:
    async def test_they_run_in_order_one_after_the_other_before_connect_is_answered(self, sio, autojump_clock):
        ran = []
        for name in ("first", "second", "third"):

            @sio.middleware
            async def step(socket, name=name):
                ran.append(name)
                await trio.sleep(1)
                ran.append(f"{name} done")

        @sio.on_connection
        async def connected(socket):
            ran.append("connection")

        async with connect(sio) as client:
            await client.put("40")
            assert (ran, client.get_waiting()) == (["first"], [])
            assert (await client.get()).startswith('40{"sid"')
            await settle()
            assert trio.current_time() == pytest.approx(3)
        assert ran == ["first", "first done", "second", "second done", "third", "third done", "connection"]

    @pytest.mark.parametrize(
        ("refusal", "answer"),
        [
            (ConnectionRefused(), {"message": "Forbidden"}),
            (ConnectionRefused("why"), {"message": "why"}),
            (ConnectionRefused("why", {"code": [1]}), {"message": "why", "data": {"code": [1]}}),
            (ConnectionRefused("why", 0), {"message": "why", "data": 0}),
            (ConnectionRefused("why", ""), {"message": "why", "data": ""}),
        ],
    )
    async def test_refusal_with_data(self, sio, autojump_clock, caplog, refusal, answer):
        errors, reasons, later = errors_of(sio), reasons_of(sio), []

        @sio.middleware
        async def refuse(socket):
            raise refusal

        @sio.middleware
        async def never(socket):
            later.append(socket)

        sio.on_connection(never)
        async with connect(sio) as client:
            await client.put("40")
            frame = await client.get()
            assert frame.startswith("44")
            assert json.loads(frame[2:]) == answer
            await client.put("40")
            assert await client.get() == frame, "it may try again"
            assert only_session(sio.engine).close_reason is None
        assert not errors and not reasons and not later
        assert not records_of(caplog), "a refusal is no error"

    async def test_a_crash_tells_the_client_nothing_and_the_log_all(self, sio, autojump_clock, caplog):
        errors, reasons = errors_of(sio), reasons_of(sio)
        crash = ValueError("inner secret")

        @sio.middleware
        async def break_down(socket):
            raise crash

        async with connect(sio) as client:
            await client.put("40")
            assert await client.get() == '44{"message":"Internal server error"}'
            assert not sio.sockets
        assert errors == [("middleware", crash)]
        assert records_of(caplog) == [("trio_socketio.socket", ValueError)]
        assert not reasons, "who never was connected is not disconnected"

    async def test_data_that_cannot_be_sent_is_a_crash_of_the_middleware(self, sio, autojump_clock, caplog):
        # The client must get some answer, whatever the application gave as data.
        @sio.middleware
        async def refuse(socket):
            raise ConnectionRefused("no", object())

        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put("40")
            frames = client.get_waiting()
            assert len(frames) == 1, frames
            assert frames[0].startswith("44"), frames
            assert session.close_reason is None
        assert records_of(caplog)

    @pytest.mark.parametrize("ending", ["crash", "refuse", "pass"])
    async def test_the_client_is_gone_meanwhile(self, sio, autojump_clock, caplog, ending):
        ran, reasons = [], reasons_of(sio)

        @sio.middleware
        async def late(socket):
            try:
                await trio.sleep(5)
            except trio.Cancelled:
                ran.append((socket.connected, socket.disconnect_reason))
                if ending == "refuse":
                    raise ConnectionRefused("too late") from None
                raise

        @sio.middleware
        async def next_one(socket):
            ran.append("next")

        async with connect(sio) as client:
            await client.put("40")
            client.cut()
            await trio.sleep(20)
        assert ran == [(False, "transport close")]
        assert not reasons
        assert not sio.sockets
        assert not records_of(caplog)

    async def test_one_that_hangs_costs_only_its_own_namespace(self, autojump_clock):
        sio, ended = Server(CALM, limits=Limits(connect_timeout=45)), []

        @sio.namespace("/chat").middleware
        async def hang(socket):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

        async with sio.running(), connect(sio, "40") as client:
            await trio.sleep(100)
            await client.put("40/chat,")
            assert (await client.get()).startswith('44/chat,{"message":')
            await settle()
            assert ended == [pytest.approx(145)]
            (socket,) = sio.sockets.values()
            assert (socket.connected, socket.transport) == (True, "websocket")

    async def test_rooms_joined_in_a_refused_middleware_are_left(self, sio, autojump_clock):
        rooms = []

        @sio.middleware
        async def refuse(socket):
            socket.join("a", "b")
            rooms.append(socket.rooms)
            raise ConnectionRefused("no")

        async with connect(sio) as client:
            await client.put("40")
            await client.get()
            await sio.to("a").emit("x")
            await client.put("40")
            assert (await client.get()).startswith("44")
        assert rooms == [{"a", "b"}, {"a", "b"}]
        assert not sio._members["/"].adapter._rooms._members
        assert not sio._members["/"].adapter._rooms._rooms

    async def test_rooms_joined_in_a_middleware_are_there_for_the_first_broadcast(self, sio, autojump_clock):
        @sio.middleware
        async def into_room(socket):
            socket.join("a")
            await sio.to("a").emit("not yet")

        async with connect(sio) as client:
            await client.put("40")
            await client.get()
            await sio.to("a").emit("now")
            await settle()
            assert client.get_waiting() == ['42["now"]'], "a socket that has not joined gets no broadcast"

    async def test_the_socket_disconnects_itself_in_a_middleware(self, sio, autojump_clock):
        ran = []

        @sio.middleware
        async def leave(socket):
            socket.disconnect()
            await trio.sleep(0)
            ran.append("after the checkpoint")

        sio.on_connection(leave)
        async with connect(sio) as client:
            await client.put("40")
            assert not sio.sockets
            assert client.get_waiting() == ["41"]
        assert not ran

    async def test_as_many_rooms_as_allowed_still_let_the_socket_in(self, autojump_clock):
        sio = Server(limits=Limits(max_rooms_per_socket=2))

        @sio.middleware
        async def fill(socket):
            socket.join("a", "b")

        async with sio.running(), connect(sio) as client:
            await client.put("40")
            frames = client.get_waiting()
            # Refused by the error of join, or let in; but never a DISCONNECT without a CONNECT.
            assert len(frames) == 1 and frames[0].startswith(('40{"sid"', '44{"message"')), frames

    async def test_short_names_do_not_keep_out_everybody(self, autojump_clock):
        sio = Server(limits=Limits(max_name_length=10))
        async with sio.running(), connect(sio) as client:
            await client.put("40")
            frames = client.get_waiting()
            assert [frame[:7] for frame in frames] == ['40{"sid'], frames


class TestConnectionTask:
    async def test_it_lives_and_is_cancelled_with_the_socket(self, sio, autojump_clock):
        life = []

        @sio.on_connection
        async def member(socket):
            life.append("begins")
            try:
                await trio.sleep_forever()
            finally:
                life.append(f"ends at {trio.current_time():.0f}")

        async with connect(sio, "40") as client:
            await settle()
            assert life == ["begins"]
            await trio.sleep(20)
            await client.put("41")
            assert life == ["begins", "ends at 20"]

    async def test_returning_early_is_fine(self, sio, autojump_clock):
        @sio.on_connection
        async def hello(socket):
            await socket.emit("hello")

        @sio.on("x")
        async def x(socket):
            return "alive"

        async with connect(sio) as client:
            await client.join()
            await trio.sleep(20)
            await client.put('421["x"]')
            assert client.get_waiting() == ['42["hello"]', '431["alive"]']

    async def test_its_finally_sees_rooms_and_reason_and_may_emit_nowait(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def member(socket):
            socket.join("lobby")
            try:
                await trio.sleep_forever()
            finally:
                seen.append((socket.rooms, socket.disconnect_reason, socket.connected, socket.id in sio.sockets))
                sio.to("lobby").emit_nowait("left", socket.id)
                socket.to("lobby").emit_nowait("left too")
                with pytest.raises(Disconnected, match="client namespace disconnect"):
                    socket.emit_nowait("to itself")
                socket.join("another")

        async with connect(sio, "40") as other, connect(sio) as client:
            socket_id = await client.join()
            await client.put("41")
            assert seen == [({socket_id, "lobby"}, "client namespace disconnect", False, False)]
            assert other.get_waiting() == [f'42["left","{socket_id}"]', '42["left too"]']
            assert client.get_waiting() == []
            (rest,) = sio.sockets
            assert sio._members["/"].adapter._rooms._members.keys() == {"lobby", rest}

    async def test_several_run_side_by_side(self, sio, autojump_clock):
        log = []

        for name in "ab":

            @sio.on_connection
            async def handler(socket, name=name):
                for number in range(3):
                    log.append(f"{name}{number}")
                    await trio.sleep(1)

        async with connect(sio, "40"):
            await trio.sleep(5)
        assert [set(log[:2]), set(log[2:4]), set(log[4:])] == [{"a0", "b0"}, {"a1", "b1"}, {"a2", "b2"}]

    @pytest.mark.parametrize("attempt", range(10))
    async def test_what_it_sets_up_before_its_first_checkpoint_is_there_for_the_first_event(
        self, sio, autojump_clock, attempt
    ):
        seen = []

        @sio.on_connection
        async def prepare(socket):
            socket.data["user"] = "ada"
            await trio.lowlevel.checkpoint()

        @sio.on("x")
        async def x(socket):
            seen.append(socket.data["user"])

        async with connect(sio, "40") as client:
            await client.put('42["x"]')
        assert seen == ["ada"]

    async def test_its_error_disconnects_that_socket_only(self, sio, autojump_clock, caplog):
        errors, reasons, b_reasons = errors_of(sio), reasons_of(sio), reasons_of(sio.namespace("/b"))
        crash = LookupError("oops")

        @sio.on_connection
        async def member(socket):
            if socket.auth.get("crash"):
                await trio.sleep(1)
                raise crash

        async with connect(sio, '40{"crash":true}', "40/b,") as client, connect(sio, "40") as other:
            assert await client.get() == "41"
            await settle()
            assert errors == [("connection", crash)]
            assert reasons == ["server namespace disconnect"]
            assert not b_reasons
            assert len(sio.sockets) == 1
            await sio.emit("x")
            await sio.namespace("/b").emit("y")
            assert await other.get() == '42["x"]'
            assert await client.get() == '42/b,["y"]'
        assert records_of(caplog) == [("trio_socketio.socket", LookupError)]

    @pytest.mark.parametrize("where", ["handler", "nursery"])
    async def test_a_client_that_leaves_while_it_is_asked_is_no_error(self, sio, autojump_clock, caplog, where):
        errors, reasons = errors_of(sio), reasons_of(sio)

        @sio.on_connection
        async def ask(socket):
            if where == "handler":
                await socket.call("question")
            else:
                socket.nursery.start_soon(socket.call, "question")

        async with connect(sio, "40") as client:
            await client.get()
            await client.put("41")
        assert reasons == ["client namespace disconnect"]
        assert not errors
        assert not records_of(caplog), "clients leave, that is life, not an error with a traceback"

    async def test_an_error_while_it_is_cancelled_is_contained_too(self, sio, autojump_clock, caplog):
        errors, reasons = errors_of(sio), reasons_of(sio)
        crash = RuntimeError("in finally")

        @sio.on_connection
        async def member(socket):
            try:
                await trio.sleep_forever()
            finally:
                raise crash

        async with connect(sio, "40") as client:
            await client.put("41")
            assert errors == [("connection", crash)]
            assert reasons == ["client namespace disconnect"]
        assert records_of(caplog) == [("trio_socketio.socket", RuntimeError)]


class TestEvents:
    async def test_they_are_handled_in_order_one_at_a_time(self, sio, autojump_clock):
        log = []

        @sio.on("a")
        async def a(socket, number):
            log.append(f"a{number}")
            await trio.sleep((number * 7) % 5)
            log.append(f"a{number} done")

        @sio.on("b")
        async def b(socket, number):
            log.append(f"b{number}")
            await trio.sleep(0)
            log.append(f"b{number} done")

        async with connect(sio, "40") as client:
            await client.put(*[f'42["{"ab"[number % 2]}",{number}]' for number in range(10)])
            await trio.sleep(44)
        expected = [f"{'ab'[number % 2]}{number}{done}" for number in range(10) for done in ("", " done")]
        assert log == expected

    async def test_two_sockets_do_not_wait_for_each_other(self, sio, autojump_clock):
        for namespace in (sio, sio.namespace("/b")):

            @namespace.on("x")
            async def x(socket, seconds):
                await trio.sleep(seconds)
                return seconds

        async with connect(sio, "40", "40/b,") as client, connect(sio, "40") as other:
            await client.put('421["x",10]', '42/b,2["x",1]')
            await other.put('423["x",2]')
            assert await client.get() == "43/b,2[1]"
            assert await other.get() == "433[2]"
            assert await client.get() == "431[10]"
            assert trio.current_time() == pytest.approx(10)

    async def test_concurrent_handlers_run_beside_later_events(self, sio, autojump_clock):
        @sio.on("slow", concurrent=True)
        async def slow(socket, seconds):
            await trio.sleep(seconds)
            return seconds

        @sio.on("quick")
        async def quick(socket):
            return "quick"

        async with connect(sio, "40") as client:
            await client.put('421["slow",3]', '422["slow",1]', '423["quick"]')
            assert await client.get_all(3) == ['433["quick"]', "432[1]", "431[3]"]
            assert trio.current_time() == pytest.approx(3)

    async def test_equal_concurrent_events_are_two(self, sio, autojump_clock):
        count = 0

        @sio.on("x", concurrent=True)
        async def x(socket):
            nonlocal count
            count += 1
            await trio.sleep(1)

        async with connect(sio, "40") as client:
            await client.put('42["x"]', '42["x"]')
            assert count == 2

    async def test_the_limit_of_concurrent_handlers_holds_up_what_comes_behind(self, autojump_clock):
        sio = Server(CALM, limits=Limits(max_concurrent_handlers=2))
        running = 0

        @sio.on("slow", concurrent=True)
        async def slow(socket):
            nonlocal running
            running += 1
            assert running <= 2
            await trio.sleep(10)
            running -= 1

        @sio.on("time")
        async def time(socket):
            return round(trio.current_time())

        async with sio.running(), connect(sio, "40") as client, connect(sio, "40") as other:
            await client.put(*['42["slow"]'] * 3, '421["time"]')
            assert running == 2
            await other.put('42["slow"]', '421["time"]')
            assert await other.get() == "431[0]", "the limit is each socket's own"
            running = 2
            assert await client.get() == "431[10]"

    async def test_an_error_of_a_concurrent_handler_is_contained_and_its_place_is_free_again(
        self, autojump_clock, caplog
    ):
        sio = Server(CALM, limits=Limits(max_concurrent_handlers=1))
        errors = errors_of(sio)

        @sio.on("x", concurrent=True)
        async def x(socket, number):
            await trio.sleep(1)
            raise ValueError(number)

        async with sio.running(), connect(sio, "40") as client:
            await client.put('42["x",1]', '42["x",2]', '42["x",3]')
            await trio.sleep(10)
            assert [(event, error.args) for event, error in errors] == [("x", (1,)), ("x", (2,)), ("x", (3,))]
            assert len(sio.sockets) == 1

    async def test_concurrent_handlers_are_cancelled_with_the_socket(self, sio, autojump_clock):
        ended = []

        @sio.on("x", concurrent=True)
        async def x(socket):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(socket.disconnect_reason)

        async with connect(sio, "40") as client:
            await client.put('42["x"]', '42["x"]')
            await client.put("41")
            assert ended == ["client namespace disconnect"] * 2

    @pytest.mark.parametrize("concurrent", [False, True])
    async def test_a_wrong_number_of_arguments_does_not_call_the_handler(self, sio, autojump_clock, caplog, concurrent):
        errors, called = errors_of(sio), []

        @sio.on("exact", concurrent=concurrent)
        async def exact(socket, one, two):
            called.append((one, two))

        @sio.on("any", concurrent=concurrent)
        async def anything(socket, *args):
            called.append(args)

        @sio.on("none", concurrent=concurrent)
        async def none(socket):
            called.append("none")

        async with connect(sio, "40") as client:
            await client.put('42["exact"]', '421["exact",1]', '42["exact",1,2,3]', '42["none",1]')
            assert called == []
            await client.put('42["exact",1,2]')
            await client.put('42["any"]')
            await client.put('42["any",1,2,3,4]')
            await client.put('42["none"]')
            assert called == [(1, 2), (), (1, 2, 3, 4), "none"]
            assert client.get_waiting() == [], "no acknowledgement for what was not handled"
        assert not errors and not records_of(caplog)

    async def test_a_type_error_of_the_handler_is_not_taken_for_a_wrong_number_of_arguments(self, sio, autojump_clock):
        errors, calls = errors_of(sio), 0

        @sio.on("x")
        async def x(socket):
            nonlocal calls
            calls += 1
            raise TypeError("x() takes 0 positional arguments but 1 was given")

        async with connect(sio, "40") as client:
            await client.put('42["x"]')
        assert calls == 1
        assert [event for event, _ in errors] == ["x"]

    @pytest.mark.parametrize(
        ("packet", "name"), [("42[1,5]", "1"), ("42[1.5,5]", "1.5"), ("42[-3,5]", "-3"), ("42[0,5]", "0")]
    )
    async def test_numbers_as_event_names(self, sio, autojump_clock, packet, name):
        seen = []

        @sio.on(name)
        async def number(socket, value):
            seen.append(value)

        async with connect(sio, "40") as client:
            await client.put(packet)
        assert seen == [5]

    @pytest.mark.parametrize("name", ["true", "null", "{}", "[]"])
    async def test_other_things_as_event_names_close(self, sio, autojump_clock, name):
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put(f"42[{name}]")
            assert session.close_reason is CloseReason.FORCED_CLOSE

    @pytest.mark.parametrize(
        "name", ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    )
    async def test_reserved_names_close(self, sio, autojump_clock, name):
        reasons = reasons_of(sio)
        async with connect(sio, "40") as client:
            await client.put(f'42["{name}"]')
            assert await client.get_close() == []
        assert reasons == ["forced close"]

    async def test_events_that_nobody_handles_are_ignored(self, sio, autojump_clock, caplog):
        async with connect(sio, "40") as client:
            await client.put('42["nobody"]', '421["error"]', "42", '42["__class__"]')
            assert only_session(sio.engine).close_reason is None
            assert client.get_waiting() == []
        assert not records_of(caplog)


class TestAcknowledgements:
    @pytest.mark.parametrize(
        ("value", "frames"),
        [
            (None, ["437[]"]),
            ((), ["437[]"]),
            ("text", ['437["text"]']),
            (0, ["437[0]"]),
            (False, ["437[false]"]),
            ([1, 2], ["437[[1,2]]"]),
            ([], ["437[[]]"]),
            ({"a": None}, ['437[{"a":null}]']),
            ((1, "two", None), ['437[1,"two",null]']),
            ((None,), ["437[null]"]),
            (b"bytes", ['461-7[{"_placeholder":true,"num":0}]', b"bytes"]),
            (
                (b"a", {"b": bytearray(b"b")}),
                ['462-7[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]', b"a", b"b"],
            ),
        ],
    )
    @pytest.mark.parametrize("concurrent", [False, True])
    async def test_the_return_value_is_the_acknowledgement(self, sio, autojump_clock, value, frames, concurrent):
        @sio.on("x", concurrent=concurrent)
        async def x(socket):
            return value

        async with connect(sio, "40") as client:
            await client.put('42["x"]')
            assert client.get_waiting() == [], "nobody asked for one"
            await client.put('427["x"]')
            assert client.get_waiting() == frames

    async def test_in_a_namespace_and_with_id_0(self, sio, autojump_clock):
        @sio.namespace("/chat").on("x")
        async def x(socket):
            return 1

        async with connect(sio, "40/chat,") as client:
            await client.put('42/chat,0["x"]')
            assert client.get_waiting() == ["43/chat,0[1]"]

    async def test_it_waits_for_room_like_any_emit(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=1))

        @sio.on("x")
        async def x(socket, number):
            return number

        async with sio.running(), connect(sio, "40") as client:
            client.reading = trio.Event()
            await client.put(*[f'42{number}["x",{number}]' for number in range(8)])
            assert len(sio.sockets) == 1, "its own slowness stops its own events only"
            client.reading.set()
            await settle()
            assert client.get_waiting() == [f"43{number}[{number}]" for number in range(8)]

    async def test_one_that_cannot_be_sent_is_the_handlers_error(self, sio, autojump_clock, caplog):
        errors = errors_of(sio)

        @sio.on("x")
        async def x(socket):
            return object()

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            assert client.get_waiting() == []
            assert len(sio.sockets) == 1
        assert [(event, type(error)) for event, error in errors] == [("x", TypeError)]

    async def test_a_handler_that_raises_sends_none(self, sio, autojump_clock):
        @sio.on("x")
        async def x(socket):
            raise ValueError

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            assert client.get_waiting() == []


class TestErrors:
    async def test_each_kind_of_handler_under_its_own_name(self, sio, autojump_clock, caplog):
        errors = errors_of(sio)

        async def crash(socket, *args):
            raise ValueError("oops")

        sio.on("an event")(crash)
        sio.on("beside", concurrent=True)(crash)
        sio.on_disconnect(crash)

        @sio.on_connection
        async def connection(socket):
            if socket.auth:
                raise ValueError("oops")

        async with connect(sio, "40") as client:
            await client.put('42["an event"]')
            await client.put('42["beside"]')
            await client.put("41")
            await client.put('40{"x":1}')
        names = [event for event, _ in errors]
        assert names == ["an event", "beside", "disconnect", "connection", "disconnect"]
        assert records_of(caplog) == [("trio_socketio.socket", ValueError)] * 5

    async def test_another_socket_is_not_affected(self, sio, autojump_clock):
        @sio.on("x")
        async def x(socket):
            raise ValueError

        @sio.on("y")
        async def y(socket):
            return "fine"

        async with connect(sio, "40") as client, connect(sio, "40") as other:
            await client.put('421["x"]', '422["y"]')
            await other.put('422["y"]')
            assert client.get_waiting() == other.get_waiting() == ['432["fine"]']

    async def test_groups_of_errors_are_contained_too(self, sio, autojump_clock):
        errors = errors_of(sio)

        async def fail():
            raise ValueError

        @sio.on("x")
        async def x(socket):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                nursery.start_soon(fail)

        async with connect(sio, "40") as client:
            await client.put('42["x"]')
            assert [(event, type(error)) for event, error in errors] == [("x", ExceptionGroup)]
            assert len(sio.sockets) == 1

    async def test_errors_of_on_error_itself(self, sio, autojump_clock, caplog):
        @sio.on_error
        async def broken(socket, error, event):
            raise RuntimeError("in on_error")

        errors = errors_of(sio)

        @sio.on("x")
        async def x(socket):
            raise ValueError

        async with connect(sio, "40") as client:
            await client.put('42["x"]')
            assert len(sio.sockets) == 1
        assert [event for event, _ in errors] == ["x"], "the second one is told all the same"
        assert records_of(caplog) == [("trio_socketio.socket", ValueError), ("trio_socketio.socket", RuntimeError)]

    async def test_a_timeout_of_the_applications_is_an_error_like_any(self, sio, autojump_clock):
        errors = errors_of(sio)

        @sio.on("x")
        async def x(socket):
            with trio.fail_after(1):
                await socket.call("question")

        async with connect(sio, "40") as client:
            await client.put('42["x"]')
            await trio.sleep(2)
            assert [(event, type(error)) for event, error in errors] == [("x", trio.TooSlowError)]

    async def test_to_meet_another_client_that_is_gone_is_reported(self, sio, autojump_clock, caplog):
        caplog.set_level(logging.INFO, logger="trio_socketio.socket")
        async with connect(sio, "40") as other:
            (gone,) = sio.sockets.values()
            await other.put("41")

            @sio.on("x")
            async def x(socket):
                await gone.emit("hello")

            async with connect(sio, "40") as client:
                await client.put('42["x"]')
                assert len(sio.sockets) == 1
        assert "client that is gone" in caplog.text

    async def test_the_client_leaves_before_its_acknowledgement(self, sio, autojump_clock, caplog):
        errors = errors_of(sio)

        @sio.on("x")
        async def x(socket):
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            socket.emit_nowait("to nobody")

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            await client.put("41")
            await trio.sleep(2)
            assert client.get_waiting() == []
        assert not errors and not records_of(caplog)

    @pytest.mark.parametrize(
        "kind", ["middleware", "connection", "event", "concurrent", "disconnect", "error", "nursery"]
    )
    async def test_a_keyboard_interrupt_is_not_swallowed(self, autojump_clock, kind):
        sio = Server(CALM)

        async def interrupt(*args):
            raise KeyboardInterrupt

        async def fail(*args):
            raise ValueError

        async def hold(socket):
            socket.nursery.start_soon(interrupt)

        match kind:
            case "middleware":
                sio.middleware(interrupt)
            case "connection":
                sio.on_connection(interrupt)
            case "event":
                sio.on("x")(interrupt)
            case "concurrent":
                sio.on("x", concurrent=True)(interrupt)
            case "disconnect":
                sio.on_disconnect(interrupt)
            case "error":
                sio.on("x")(fail)
                sio.on_error(interrupt)
            case "nursery":
                sio.on("x")(hold)
        with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True, allow_unwrapped=True):
            async with sio.running(), connect(sio) as client:
                await client.put("40")
                await client.put("41" if kind == "disconnect" else '42["x"]')
                await trio.sleep(100)
        assert not sio.engine.sessions
        assert not sio.sockets


class TestRooms:
    async def test_a_socket_may_not_enter_the_room_of_another_one(self, sio, autojump_clock):
        tried = []

        @sio.on("x")
        async def x(socket, room):
            with pytest.raises(ValueError, match="id of another socket"):
                socket.join(room)
            tried.append(socket.rooms == {socket.id})

        async with connect(sio, "40") as client, connect(sio) as other:
            other_id = await other.join()
            await client.put(f'42["x","{other_id}"]')
        assert tried == [True]


class TestNursery:
    async def test_tasks_live_and_die_with_the_socket(self, sio, autojump_clock):
        ended = []

        async def clock(socket):
            try:
                while True:
                    await trio.sleep(1)
                    await socket.emit("tick")
            finally:
                ended.append(round(trio.current_time()))

        @sio.on("start")
        async def start(socket):
            socket.nursery.start_soon(clock, socket)

        async with connect(sio, "40") as client:
            await client.put('42["start"]')
            assert await client.get_all(3) == ['42["tick"]'] * 3
            await client.put("41")
            assert ended == [3]

    async def test_its_scope_cancels_that_socket(self, sio, autojump_clock):
        reasons = reasons_of(sio)

        @sio.on("x")
        async def x(socket):
            socket.nursery.cancel_scope.cancel()

        async with connect(sio, "40") as client, connect(sio, "40"):
            await client.put('42["x"]')
            await settle()
            assert len(sio.sockets) == 1, "a socket whose tasks are gone is no socket"
            assert len(reasons) == 1
            assert client.get_waiting() == ["41"], "and its client must learn it"

    async def test_a_raising_task_ends_that_socket_only(self, sio, autojump_clock, caplog):
        errors, reasons, ended = errors_of(sio), reasons_of(sio), []
        sio.namespace("/b")

        async def fail():
            await trio.sleep(1)
            raise ValueError("task")

        @sio.on_connection
        async def member(socket):
            if socket.auth:
                socket.nursery.start_soon(fail)
            try:
                await trio.sleep_forever()
            finally:
                ended.append(dict(socket.auth))

        async with connect(sio, '40{"x":1}', "40/b,") as client, connect(sio, "40") as other:
            assert await client.get() == "41"
            await settle()
            assert ended == [{"x": 1}]
            assert reasons == ["server namespace disconnect"]
            assert [event for event, _ in errors] == ["connection"]
            assert pytest.RaisesGroup(ValueError, allow_unwrapped=True, flatten_subgroups=True).matches(errors[0][1])
            assert len(sio.namespace("/b").sockets) == 1
            await sio.emit("x")
            assert await other.get() == '42["x"]'
        assert len(records_of(caplog)) == 1

    async def test_there_is_none_outside(self, sio, autojump_clock):
        tried = []

        async def attempt(socket, *args):
            with pytest.raises(RuntimeError, match="nursery is open while it is connected"):
                socket.nursery  # noqa: B018
            tried.append(socket)

        sio.middleware(attempt)
        sio.on_disconnect(attempt)
        async with connect(sio, "40") as client:
            (socket,) = sio.sockets.values()
            assert isinstance(socket.nursery, trio.Nursery)
            await client.put("41")
            await attempt(socket)
        assert tried == [socket] * 3


class TestDisconnect:
    async def test_on_disconnect_runs_in_order_after_the_tasks_are_gone(self, sio, autojump_clock):
        log = []

        @sio.on_connection
        async def member(socket):
            socket.join("room")
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)
                log.append("task")

        for name in ("first", "second"):

            @sio.on_disconnect
            async def gone(socket, reason, name=name):
                await trio.sleep(1)
                log.append((name, reason, "room" in socket.rooms, socket.connected))

        async with connect(sio, "40") as client:
            await client.put("41")
            await trio.sleep(10)
        reason = "client namespace disconnect"
        assert log == ["task", ("first", reason, True, False), ("second", reason, True, False)]

    async def test_it_is_shielded_and_bounded(self, autojump_clock):
        sio = Server(CALM, limits=Limits(disconnect_timeout=3))
        log = []

        @sio.on_disconnect
        async def slow(socket, reason):
            try:
                await trio.sleep(2)
                log.append("had time")
                await trio.sleep_forever()
            finally:
                log.append(round(trio.current_time()))

        @sio.on_disconnect
        async def second(socket, reason):
            log.append("the second begins")
            await trio.sleep(0)
            log.append("and gets on")

        async with sio.running(), connect(sio, "40") as client:
            await client.put("41")
            await trio.sleep(100)
            # The bound is for all of a socket's handlers together.
            assert log[:2] == ["had time", 3]
            assert "and gets on" not in log
            assert not sio._members["/"].adapter._rooms._rooms

    async def test_when_the_server_ends_it_still_has_its_time(self, autojump_clock):
        sio = Server(CALM, limits=Limits(disconnect_timeout=3))
        log = []

        @sio.on_disconnect
        async def slow(socket, reason):
            await trio.sleep(2)
            log.append(reason)

        with trio.CancelScope() as scope:
            async with sio.running(), connect(sio, "40"):
                scope.cancel()
                await trio.sleep_forever()
        # Server and connection are cancelled in one step, in either order; the handler has run to its end.
        assert len(log) == 1
        assert log[0] in {"server shutting down", "transport close"}
        assert trio.current_time() == pytest.approx(2, abs=0.1)

    REASONS = {
        "client namespace disconnect": lambda client, sio: client.put("41"),
        "server namespace disconnect": None,
        "transport close": lambda client, sio: client.put("1"),
        "transport error": lambda client, sio: client.put("2"),
        "forced close": lambda client, sio: client.put("4nonsense"),
        "parse error": lambda client, sio: client.put("nonsense"),
    }

    @pytest.mark.parametrize("reason", list(REASONS))
    async def test_reasons(self, sio, autojump_clock, reason):
        reasons = reasons_of(sio)
        async with connect(sio, "40") as client:
            (socket,) = sio.sockets.values()
            action = self.REASONS[reason]
            if action is None:
                socket.disconnect()
                await settle()
            else:
                await action(client, sio)
            assert reasons == [reason]
            assert socket.disconnect_reason == reason

    async def test_reason_of_a_lost_connection(self, sio, autojump_clock):
        reasons = reasons_of(sio)
        async with connect(sio, "40") as client:
            client.cut()
            await settle()
            assert reasons == ["transport close"]

    async def test_reason_of_a_message_that_is_too_big(self, sio, autojump_clock):
        reasons = reasons_of(sio)
        async with connect(sio, "40") as client:
            await client.put(MessageTooBig("too big"))
            assert reasons == ["transport error"]

    async def test_reason_of_a_poll_given_up(self, sio, autojump_clock):
        reasons = reasons_of(sio)
        query, _ = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        with trio.move_on_after(1):
            await poll(sio.engine, query)
        await settle()
        assert reasons == ["transport error"]

    async def test_reason_of_silence(self, autojump_clock):
        sio = Server(EngineConfig(ping_interval=25, ping_timeout=20))
        reasons = reasons_of(sio)
        async with sio.running(), connect(sio, "40") as client:
            assert await client.get_close() == ["2"]
            await settle()
            assert reasons == ["ping timeout"]
            assert trio.current_time() == pytest.approx(45)

    async def test_reason_of_a_drained_server(self, autojump_clock):
        sio = Server(CALM)
        reasons = reasons_of(sio)
        async with sio.running(), connect(sio, "40"):
            await sio.drain()
            await settle()
            assert reasons == ["server shutting down"]

    async def test_reason_of_a_server_that_ends(self, autojump_clock):
        sio = Server(CALM)
        reasons = reasons_of(sio)
        async with trio.open_nursery() as nursery:
            leave = trio.Event()

            async def serve(task_status):
                async with sio.running():
                    task_status.started()
                    await leave.wait()

            await nursery.start(serve)
            async with connect(sio, "40") as client:
                leave.set()
                assert await client.get_close() == []
        assert reasons == ["server shutting down"]

    async def test_reason_of_a_slow_consumer(self, sio, autojump_clock):
        reasons = reasons_of(sio)
        async with connect(sio, "40") as client:
            client.reading = trio.Event()
            for _ in range(20):
                sio.emit_nowait("x")
                await settle()
            assert reasons == ["slow consumer"]

    async def test_each_socket_of_a_client_is_told_once(self, sio, autojump_clock):
        reasons = [reasons_of(sio), reasons_of(sio.namespace("/b"))]
        async with connect(sio, "40", "40/b,") as client:
            await client.put("41", "1")
        assert reasons == [["client namespace disconnect"], ["transport close"]]

    async def test_a_handler_that_disconnects_its_own_socket(self, sio, autojump_clock):
        log, reasons = [], reasons_of(sio)

        @sio.on("x")
        async def x(socket):
            await socket.emit("last words")
            socket.disconnect()
            log.append((socket.connected, socket.disconnect_reason))
            with pytest.raises(Disconnected):
                socket.emit_nowait("too late")
            await trio.sleep(0)
            log.append("never")

        async with connect(sio, "40") as client:
            await client.put('421["x"]', '422["x"]')
            assert client.get_waiting() == ['42["last words"]', "41"]
            assert log == [(False, "server namespace disconnect")]
            assert reasons == ["server namespace disconnect"]

    async def test_an_on_disconnect_handler_may_not_keep_the_socket_alive(self, sio, autojump_clock):
        tried = []

        @sio.on_disconnect
        async def gone(socket, reason):
            socket.disconnect()
            socket.disconnect(close=True)
            for attempt in (socket.emit, socket.call):
                with pytest.raises(Disconnected):
                    await attempt("x")
                tried.append(attempt)

        async with connect(sio, "40") as client:
            await client.put("41")
            assert len(tried) == 2


class TestCancellationOfTheServer:
    PHASES = [
        "open",
        "middleware",
        "connected",
        "connection",
        "event",
        "concurrent",
        "call",
        "full queue",
        "disconnect",
    ]

    @pytest.mark.parametrize("phase", PHASES)
    async def test_nothing_is_left(self, autojump_clock, phase):
        sio = Server(CALM, limits=Limits(event_queue=1, event_queue_timeout=1000))
        chat = sio.namespace("/chat")
        begun, ended, reasons = [], [], reasons_of(chat)

        async def hold(socket, *args):
            begun.append(phase)
            socket.join("room")
            try:
                if phase == "call":
                    await socket.call("question")
                await trio.sleep_forever()
            finally:
                ended.append(phase)

        match phase:
            case "middleware":
                chat.middleware(hold)
            case "connection":
                chat.on_connection(hold)
            case "event" | "call" | "full queue":
                chat.on("x")(hold)
            case "concurrent":
                chat.on("x", concurrent=True)(hold)
            case "disconnect":
                chat.on_disconnect(hold)
        with trio.CancelScope() as scope:
            async with sio.running(), connect(sio) as client:
                if phase != "open":
                    await client.put("40/chat,")
                if phase not in {"open", "middleware"}:
                    await client.put(*['42/chat,["x"]'] * (4 if phase == "full queue" else 1))
                if phase == "disconnect":
                    await client.put("41/chat,")
                assert begun == ([phase] if phase not in {"open", "connected"} else [])
                (session,) = sio.engine.sessions.values()
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert begun == ended
        assert not sio.engine.sessions and not sio.engine.is_running
        assert not chat.sockets
        assert session.closed.is_set() and not session.outbox
        rooms = sio._members["/chat"].adapter._rooms
        assert not rooms._members and not rooms._rooms
        assert len(reasons) == (phase not in {"open", "middleware"})
        assert trio.current_time() < 10

        async with sio.running(), connect(sio) as client:
            assert sio.engine.is_running, "it can be run again"

    @pytest.mark.parametrize("attempt", range(5))
    async def test_the_reason_is_the_servers_end(self, autojump_clock, attempt):
        sio, seen = Server(CALM), []
        reasons = reasons_of(sio)

        async def member(socket):
            try:
                await trio.sleep_forever()
            finally:
                await trio.lowlevel.cancel_shielded_checkpoint()
                seen.append(socket.disconnect_reason)

        for _ in range(3):
            sio.on_connection(member)
        async with trio.open_nursery() as nursery:

            async def serve(task_status):
                with trio.CancelScope() as scope:
                    async with sio.running():
                        task_status.started(scope)
                        await trio.sleep_forever()

            scope = await nursery.start(serve)
            async with connect(sio, "40") as client:
                await settle()
                scope.cancel()
                await trio.sleep(1)
                frames = client.get_waiting()
        assert reasons == ["server shutting down"]
        assert seen == ["server shutting down"] * 3
        assert frames == []

    @pytest.mark.parametrize("start", range(0, 60, 10))
    async def test_at_any_moment(self, autojump_clock, caplog, start):
        """The same story, cut off after each number of steps."""
        for steps in range(start, start + 10):
            sio = Server(CALM, limits=Limits(max_concurrent_handlers=2, event_queue=2))
            open_things = 0
            reasons = reasons_of(sio)

            async def hold(socket, *args):
                nonlocal open_things
                open_things += 1
                try:
                    socket.join("room")
                    await socket.emit("hello", b"blob")
                    await socket.broadcast.emit("others")
                    await socket.call("question")
                finally:
                    open_things -= 1
                    sio.to("room").emit_nowait("left")

            async def brief(socket):
                await trio.sleep(0)
                socket.join("early")

            sio.middleware(brief)
            sio.on_connection(hold)
            sio.on("x")(hold)
            sio.on("y", concurrent=True)(hold)

            async def talk():
                async with connect(sio) as client:
                    client.put_nowait("40")
                    assert (await client.get()).startswith("40")
                    client.put_nowait('421["x"]', *['422["y"]'] * 3, '451-["x",{"_placeholder":true,"num":0}]', b"a")
                    for number in range(3):
                        client.put_nowait(f"43{number}[]")
                        await trio.lowlevel.checkpoint()
                    client.put_nowait("41")
                    await trio.sleep_forever()

            with trio.CancelScope() as scope:
                async with sio.running(), trio.open_nursery() as nursery:
                    nursery.start_soon(talk)
                    nursery.start_soon(talk)
                    for _ in range(steps):
                        await trio.lowlevel.checkpoint()
                    sessions = list(sio.engine.sessions.values())
                    scope.cancel()
            assert open_things == 0
            assert not sio.sockets and not sio.engine.sessions
            assert all(session.closed.is_set() for session in sessions), steps
            rooms = sio._members["/"].adapter._rooms
            assert not rooms._members and not rooms._rooms
            assert set(reasons) <= {"server shutting down", "transport close", "client namespace disconnect"}
