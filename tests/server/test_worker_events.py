"""The events of one socket: in order or side by side, with which arguments and names, and what is answered."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from tests.support.application import CALM, errors_of, reasons_of, records_of
from tests.support.client import connect, only_session, settle
from trio_socketio import CloseReason, Limits, Server


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
        running, most = Counter(), Counter()

        @sio.on("slow", concurrent=True)
        async def slow(socket):
            running[socket.id] += 1
            most[socket.id] = max(most[socket.id], running[socket.id])
            await trio.sleep(10)
            running[socket.id] -= 1

        @sio.on("time")
        async def time(socket):
            return round(trio.current_time())

        async with sio.running(), connect(sio, "40") as client, connect(sio, "40") as other:
            first, second = sio.sockets
            await client.put(*['42["slow"]'] * 3, '421["time"]')
            assert running == {first: 2}
            await other.put('42["slow"]', '421["time"]')
            assert await other.get() == "431[0]", "the limit is each socket's own"
            assert await client.get() == "431[10]"
            await trio.sleep(20)
            assert most == {first: 2, second: 1}

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
            told = "Expected 2 arguments, got 1"
            assert client.get_waiting() == [f'431[{{"error":{{"code":"invalid_arguments","message":"{told}"}}}}]']
            await client.put('42["exact",1,2]')
            await client.put('42["any"]')
            await client.put('42["any",1,2,3,4]')
            await client.put('42["none"]')
            assert called == [(1, 2), (), (1, 2, 3, 4), "none"]
            assert client.get_waiting() == [], "nobody asked"
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
