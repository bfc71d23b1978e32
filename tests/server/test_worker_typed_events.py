"""Typed events over the wire: what reaches the handler, what the client is told instead, what is logged and counted."""

from __future__ import annotations

import json
import logging

import msgspec
import pytest
import trio

from tests.support.application import CALM, errors_of, records_of
from tests.support.client import connect, settle
from trio_socketio import Data, EventRejected, Limits, Server, Socket


class Message(msgspec.Struct):
    text: str
    picture: bytes = b""


def answered(frame: str | bytes, ack_id: int = 1) -> dict[str, object]:
    """The error of a structured acknowledgement."""
    assert isinstance(frame, str)
    prefix = f"43{ack_id}"
    assert frame.startswith(prefix)
    (argument,) = json.loads(frame.removeprefix(prefix))
    assert list(argument) == ["error"]
    return argument["error"]


@pytest.mark.parametrize("concurrent", [False, True])
class TestInvalid:
    async def test_what_fits_reaches_the_handler_decoded(self, sio, autojump_clock, concurrent):
        seen = []

        @sio.on("say", concurrent=concurrent)
        async def say(socket: Socket, message: Message, *times: float):
            seen.append((message, times))
            return len(seen)

        async with connect(sio, "40") as client:
            await client.put('421["say",{"text":"a"},1,2.5]')
            assert await client.get() == "431[1]"
            await client.put('451-2["say",{"text":"b","picture":{"_placeholder":true,"num":0}}]', b"\xff\0")
            assert await client.get() == "432[2]"
        assert seen == [(Message("a"), (1.0, 2.5)), (Message("b", b"\xff\0"), ())]
        assert sio.statistics().invalid_events == 0

    async def test_what_does_not_fit_is_answered_counted_and_passed_over(self, sio, autojump_clock, caplog, concurrent):
        caplog.set_level(logging.DEBUG, "trio_socketio.socket")
        errors, called = errors_of(sio), []

        @sio.on("say", concurrent=concurrent)
        async def say(socket: Socket, message: Message):
            called.append(message)

        async with connect(sio, "40") as client:
            await client.put('421["say",{"text":5}]', '42["say",{}]', '421["say"]', '421["say",{"text":"a"},1]')
            assert [answered(frame) for frame in client.get_waiting()] == [
                {"code": "invalid_arguments", "message": "Expected `str`, got `int` - at `$[0].text`"},
                {"code": "invalid_arguments", "message": "Expected 1 arguments, got 0"},
                {"code": "invalid_arguments", "message": "Expected 1 arguments, got 2"},
            ]
            assert called == []
            assert sio.statistics().invalid_events == 4
            await client.put('421["say",{"text":"a"}]')
            assert await client.get() == "431[]"
        assert called == [Message("a")]
        assert not errors and not records_of(caplog)
        logged = [record.getMessage() for record in caplog.records if "rejected" in record.getMessage()]
        assert len(logged) == 4
        assert logged[1].endswith(": event 'say' rejected: 'Object missing required field `text` - at `$[0]`'")

    async def test_an_error_of_the_type_itself_is_the_applications(self, sio, autojump_clock, caplog, concurrent):
        errors = errors_of(sio)

        class Broken(msgspec.Struct):
            def __post_init__(self):
                raise LookupError("a mistake")

        @sio.on("x", concurrent=concurrent)
        async def x(socket, broken: Broken): ...

        async with connect(sio, "40") as client:
            await client.put('421["x",{}]')
            assert client.get_waiting() == []
            assert len(sio.sockets) == 1
        assert [(event, type(error)) for event, error in errors] == [("x", LookupError)]
        assert sio.statistics().invalid_events == 0

    async def test_answers_wait_for_room_like_any_other(self, autojump_clock, concurrent):
        sio = Server(CALM, limits=Limits(send_queue_packets=1))

        @sio.on("x", concurrent=concurrent)
        async def x(socket, number: int): ...

        async with sio.running(), connect(sio, "40") as client:
            client.reading = trio.Event()
            await client.put(*['421["x","a"]'] * 8)
            assert len(sio.sockets) == 1
            client.reading.set()
            await settle()
            assert len(client.get_waiting()) == 8

    async def test_long_text_of_the_client_comes_back_short(self, sio, autojump_clock, caplog, concurrent):
        caplog.set_level(logging.DEBUG, "trio_socketio.socket")

        class Closed(msgspec.Struct, forbid_unknown_fields=True): ...

        @sio.on("x", concurrent=concurrent)
        async def x(socket, closed: Closed): ...

        async with connect(sio, "40") as client:
            await client.put(f'421["x",{{"{"a" * 10_000}\\nforged":1}}]')
            frame = await client.get()
            assert len(frame) < 500
            assert answered(frame)["code"] == "invalid_arguments"
        (logged,) = [record.getMessage() for record in caplog.records if "rejected" in record.getMessage()]
        assert "\n" not in logged and len(logged) < 500


@pytest.mark.parametrize("concurrent", [False, True])
class TestRejected:
    async def test_a_handler_refuses(self, sio, autojump_clock, caplog, concurrent):
        errors = errors_of(sio)

        @sio.on("x", concurrent=concurrent)
        async def x(socket: Socket, how: str) -> Data:
            if how == "plainly":
                raise EventRejected
            if how == "in a nursery":
                async with trio.open_nursery():
                    raise EventRejected("from inside")
            raise EventRejected("too late", {"closed": [1, b"\xff"]})

        async with connect(sio, "40") as client:
            await client.put('421["x","plainly"]', '42["x","plainly"]', '421["x","in a nursery"]')
            assert [answered(frame) for frame in client.get_waiting()] == [
                {"code": "rejected", "message": "Rejected"},
                {"code": "rejected", "message": "from inside"},
            ]
            await client.put('421["x","with data"]')
            assert client.get_waiting() == [
                '461-1[{"error":{"code":"rejected","message":"too late","data":{"closed":[1,{"_placeholder":true,"num":0}]}}}]',
                b"\xff",
            ]
            assert len(sio.sockets) == 1
        assert not errors and not records_of(caplog)
        assert sio.statistics().invalid_events == 0

    async def test_data_that_cannot_be_sent_is_the_handlers_error(self, sio, autojump_clock, caplog, concurrent):
        errors = errors_of(sio)

        @sio.on("x", concurrent=concurrent)
        async def x(socket):
            raise EventRejected("no", object())

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            assert client.get_waiting() == []
            assert len(sio.sockets) == 1
        assert [(event, type(error)) for event, error in errors] == [("x", TypeError)]

    async def test_together_with_another_error_both_are_reported(self, sio, autojump_clock, caplog, concurrent):
        errors = errors_of(sio)

        @sio.on("x", concurrent=concurrent)
        async def x(socket):
            raise ExceptionGroup("both", [EventRejected("no"), LookupError()])

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            assert client.get_waiting() == []
        ((_, error),) = errors
        assert [type(part) for part in error.exceptions] == [EventRejected, LookupError]

    async def test_a_cancellation_beside_it_goes_on(self, sio, autojump_clock, caplog, concurrent):
        ended = []

        @sio.on("x", concurrent=concurrent)
        async def x(socket):
            try:
                await trio.sleep_forever()
            except trio.Cancelled as cancelled:
                ended.append(socket.disconnect_reason)
                raise BaseExceptionGroup("both", [cancelled, EventRejected("too late")]) from None

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            await client.put("41")
            assert ended == ["client namespace disconnect"]
            assert client.get_waiting() == []
        assert not records_of(caplog)

    async def test_a_client_that_is_gone_is_no_error(self, sio, autojump_clock, caplog, concurrent):
        errors = errors_of(sio)

        @sio.on("x", concurrent=concurrent)
        async def x(socket: Socket):
            socket.disconnect()
            raise EventRejected("too late")

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            assert client.get_waiting() == ["41"]
        assert not errors and not records_of(caplog)


async def test_a_packet_middleware_refuses(sio, autojump_clock, caplog):
    errors, handled = errors_of(sio), []

    @sio.packet_middleware
    async def only_small(socket, event):
        event[1:] = [*event[1:], "added"]
        if len(event) > 3:
            raise EventRejected("too much", len(event))

    @sio.on("x")
    async def x(socket, *args: str):
        handled.append(args)

    async with connect(sio, "40") as client:
        await client.put('421["x","a"]', '42["x","a","b"]', '422["x","a","b"]', '423["x",5]')
        told = client.get_waiting()
        assert told[0] == "431[]"
        assert answered(told[1], 2) == {"code": "rejected", "message": "too much", "data": 4}
        assert answered(told[2], 3)["code"] == "invalid_arguments"
        assert len(told) == 3
    assert handled == [("a", "added")]
    assert not errors and not records_of(caplog)


async def test_a_handler_for_one_event_waits_for_one_that_fits(sio, autojump_clock):
    handled = []

    @sio.on_connection
    async def register(socket: Socket):
        @socket.once("x")
        async def x(socket: Socket, number: int):
            handled.append(number)

    async with connect(sio, "40") as client:
        await client.put('421["x",1,2]')
        assert answered(await client.get())["message"] == "Expected 1 arguments, got 2"
        await client.put('422["x","a"]')
        assert answered(await client.get(), 2)["message"] == "Expected `int`, got `str` - at `$[0]`"
        await client.put('422["x",1]', '42["x",2]')
        assert await client.get() == "432[]"
    assert handled == [1]


async def test_elsewhere_it_is_an_error_like_any_other(sio, autojump_clock, caplog):
    errors = errors_of(sio)

    @sio.on_connection
    async def join(socket):
        raise EventRejected("no event")

    async with connect(sio, "40") as client:
        await client.get_all(1)
    assert [(event, type(error)) for event, error in errors] == [("connection", EventRejected)]


async def test_a_handler_with_an_annotation_that_cannot_be_decoded_is_not_registered(sio, autojump_clock):
    with pytest.raises(TypeError, match="the annotation of 'other' can't be used to decode what clients send"):

        @sio.on("x")
        async def x(socket: Socket, other: Socket): ...

    @sio.on("x")
    async def right(socket: Socket, other: str): ...
