"""Packet middlewares: they change events, or stop them; whatever they do, order and back-pressure hold, and nobody else pays."""

from __future__ import annotations

import itertools

import pytest
import trio

from tests.support.application import CALM, errors_of, records_of, socket_of
from tests.support.client import connect, settle
from trio_socketio import CloseReason, Limits, Server


def recorder(log, name):
    async def listener(socket, event, *args):
        log.append((name, event, args))

    return listener


def middleware(log, name):
    async def note(socket, event):
        log.append((name, list(event)))

    return note


def misfit(expected: int, got: int) -> str:
    """What the client is answered to other arguments than a handler takes."""
    return f'{{"error":{{"code":"invalid_arguments","message":"Expected {expected} arguments, got {got}"}}}}'


async def echo(socket, *args):
    return args


class TestPacketMiddlewares:
    async def test_in_their_order_behind_on_any_and_before_the_handler(self, sio, autojump_clock):
        log = []
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.packet_middleware(middleware(log, "socket 1"))
            sio.packet_middleware(first := middleware(log, "namespace 1"))
            assert sio.packet_middleware(first) is first
            socket.packet_middleware(middleware(log, "socket 2"))
            socket.on_any(recorder(log, "any"))

            @sio.on("join")
            async def join(socket, *args):
                log.append("handled")

            await client.put('42["join","woot",{"a":1}]')
        event = ["join", "woot", {"a": 1}]
        assert log == [
            ("any", "join", ("woot", {"a": 1})),
            *((name, event) for name in ("namespace 1", "namespace 1", "socket 1", "socket 2")),
            "handled",
        ]

    async def test_what_one_changes_later_ones_and_the_handler_see(self, sio, autojump_clock):
        log = []

        @sio.packet_middleware
        async def change(socket, event):
            event[1] += 1
            event.append("wrap")

        sio.packet_middleware(middleware(log, "next"))
        sio.on("x")(echo)
        async with connect(sio, "40") as client:
            await client.put('421["x",1]')
            assert client.get_waiting() == ['431[2,"wrap"]']
        assert log == [("next", ["x", 2, "wrap"])]

    async def test_another_name_means_another_handler_and_the_acknowledgement_stays(self, sio, autojump_clock):
        @sio.packet_middleware
        async def rename(socket, event):
            event[:] = ["new", *event]

        sio.on("new")(echo)

        @sio.on("old")
        async def old(socket): ...

        async with connect(sio, "40") as client:
            await client.put('421["old",1]')
            assert client.get_waiting() == ['431["old",1]']

    async def test_the_arguments_that_it_leaves_must_fit(self, sio, autojump_clock):
        @sio.packet_middleware
        async def cut(socket, event):
            del event[2:]

        @sio.on("x")
        async def x(socket, one):
            return one

        async with connect(sio, "40") as client:
            await client.put('421["x",1,2,3]', '422["x"]')
            assert client.get_waiting() == ["431[1]", f"432[{misfit(1, 0)}]"]

    @pytest.mark.parametrize("level", ["socket", "namespace"])
    async def test_one_that_raises_drops_the_event_and_tells_on_error(self, sio, autojump_clock, caplog, level):
        errors, log = errors_of(sio), []
        sio.on("x")(echo)
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            first, _ = sio.sockets.values()
            target = first if level == "socket" else sio

            @target.packet_middleware
            async def refuse(socket, event):
                if event[1] == "bad":
                    raise ValueError("Authentication error")

            target.packet_middleware(middleware(log, "next"))

            @first.on_error
            async def tell(socket, error, event):
                await socket.emit("failed", event, str(error))

            await client.put('421["x","bad"]', '422["x","good"]')
            await other.put('423["x","good"]')
            assert client.get_waiting() == ['42["failed","x","Authentication error"]', '432["good"]']
            assert other.get_waiting() == ['433["good"]']
        assert log == [("next", ["x", "good"])] * (1 if level == "socket" else 2)
        assert [(event, type(error)) for event, error in errors] == [("x", ValueError)]
        assert records_of(caplog) == [("trio_socketio.socket", ValueError)]

    @pytest.mark.parametrize("left", [[], [None], [5, "x"], [["x"]], [b"x"]])
    async def test_one_that_leaves_no_name_has_failed(self, sio, autojump_clock, left):
        errors, log = errors_of(sio), []

        @sio.packet_middleware
        async def lose(socket, event):
            if event[1:] == [1]:
                event[:] = left

        sio.packet_middleware(middleware(log, "next"))
        sio.on("x")(echo)
        async with connect(sio, "40") as client:
            await client.put('421["x",1]', '422["x",2]')
            assert client.get_waiting() == ["432[2]"]
        assert log == [("next", ["x", 2])]
        ((event, error),) = errors
        assert (event, type(error)) == ("x", TypeError)
        assert "lose" in str(error)
        assert "has left no name in event[0]: raise, to stop an event" in str(error)

    async def test_errors_beside_a_changed_name_are_told_under_the_name_that_it_saw(self, sio, autojump_clock):
        errors = errors_of(sio)

        @sio.packet_middleware
        async def rename(socket, event):
            event[0] = "new"

        @sio.packet_middleware
        async def fail(socket, event):
            event[0] = "newest"
            raise ValueError

        async with connect(sio, "40") as client:
            await client.put('42["old"]')
        assert [event for event, _ in errors] == ["new"]

    async def test_one_that_waits_is_cancelled_with_the_socket(self, sio, autojump_clock):
        ended = []

        @sio.packet_middleware
        async def hang(socket, event):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(socket.disconnect_reason)

        sio.on("x")(echo)
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            await client.put('421["x"]')
            await client.put("41")
            assert ended == ["client namespace disconnect"]
            assert client.get_waiting() == []
            await other.put('421["x"]')
            list(sio.sockets.values())[0].disconnect(close=True)
            await settle()
            assert ended[1:] == ["server namespace disconnect"]

    async def test_one_that_disconnects_without_raising_is_the_last_to_see_the_event(self, sio, autojump_clock):
        log = []

        @sio.packet_middleware
        async def end(socket, event):
            socket.disconnect()

        sio.packet_middleware(middleware(log, "next"))

        @sio.on("x")
        async def x(socket):
            log.append("handled")

        async with connect(sio, "40") as client:
            await client.put('421["x"]', '422["x"]')
            assert client.get_waiting() == ["41"]
        assert log == []

    async def test_one_may_ask_the_client(self, sio, autojump_clock):
        @sio.packet_middleware
        async def confirm(socket, event):
            event.append(await socket.call("sure?"))

        sio.on("x")(echo)
        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            assert await client.get() == '420["sure?"]'
            await client.put('430["yes"]')
            assert client.get_waiting() == ['431["yes"]']

    async def test_the_client_that_leaves_meanwhile_is_no_error(self, sio, autojump_clock, caplog):
        errors = errors_of(sio)

        @sio.packet_middleware
        async def confirm(socket, event):
            with trio.CancelScope(shield=True):
                await socket.call("sure?")

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            await client.put("41")
        assert not errors and not records_of(caplog)

    async def test_one_that_raises_a_group_beside_its_cancellation(self, autojump_clock):
        sio = Server(CALM)
        errors = errors_of(sio)

        async def fail():
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError

        @sio.packet_middleware
        async def both(socket, event):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                nursery.start_soon(trio.sleep_forever)

        with trio.CancelScope() as scope:
            async with sio.running(), connect(sio, "40") as client:
                await client.put('42["x"]')
                scope.cancel()
        assert scope.cancelled_caught
        assert [(event, type(error)) for event, error in errors] == [("x", ValueError)]

    @pytest.mark.parametrize("kind", ["any", "packets"])
    async def test_a_keyboard_interrupt_is_not_swallowed(self, autojump_clock, kind):
        sio = Server(CALM)

        async def interrupt(*args):
            raise KeyboardInterrupt

        (sio.on_any if kind == "any" else sio.packet_middleware)(interrupt)
        with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True, allow_unwrapped=True):
            async with sio.running(), connect(sio, "40") as client:
                await client.put('42["x"]')
                await trio.sleep(100)
        assert not sio.sockets

    @pytest.mark.parametrize("level", ["socket", "namespace"])
    async def test_wrong_functions(self, sio, autojump_clock, level):
        async def many(socket, event, following): ...

        async with connect(sio, "40"):
            target = socket_of(sio) if level == "socket" else sio
            with pytest.raises(TypeError, match="is not an async function: write 'async def middleware"):
                target.packet_middleware(lambda socket, event: None)
            with pytest.raises(TypeError, match="can't be called with 2 arguments: write 'async def middleware"):
                target.packet_middleware(many)


class TestOrderAndBackPressure:
    """Whatever is in an event's way."""

    async def test_events_stay_in_order_behind_slow_middlewares_and_listeners(self, sio, autojump_clock):
        seen = []
        pause = itertools.cycle((3, 0, 2, 1))

        @sio.packet_middleware
        async def wait(socket, event):
            await trio.sleep(next(pause))

        @sio.on_any
        async def wait_too(socket, event, *args):
            await trio.sleep(next(pause))

        @sio.on("x")
        async def x(socket, number):
            seen.append(number)

        async with connect(sio, "40") as client:
            await client.put(*[f'42["x",{number}]' for number in range(10)])
            await trio.sleep(31)
        assert seen == list(range(10))

    @pytest.mark.parametrize("kind", ["any", "packets"])
    async def test_one_that_hangs_ends_its_own_socket_only(self, autojump_clock, kind):
        sio = Server(CALM, limits=Limits(event_queue=2, event_queue_timeout=5))
        stuck = sio.namespace("/stuck")
        reasons = []

        async def hang(socket, *args):
            await trio.sleep_forever()

        (stuck.on_any if kind == "any" else stuck.packet_middleware)(hang)
        sio.on("echo")(echo)

        @stuck.on_disconnect
        async def gone(socket, reason):
            reasons.append(reason)

        async with sio.running(), connect(sio, "40", "40/stuck,") as client, connect(sio, "40") as other:
            await client.put(*['42/stuck,["x"]'] * 4, '421["echo","alive"]')
            await other.put('422["echo","quick"]')
            assert other.get_waiting() == ['432["quick"]'], "other clients notice nothing"
            assert await client.get() == "41/stuck,"
            assert await client.get() == '431["alive"]'
            assert reasons == [CloseReason.EVENT_QUEUE_FULL]

    async def test_concurrent_handlers_come_behind_the_middlewares_in_order(self, sio, autojump_clock):
        started = []

        @sio.packet_middleware
        async def wait(socket, event):
            await trio.sleep(3 - event[1])

        @sio.on("x", concurrent=True)
        async def x(socket, number):
            started.append(number)
            await trio.sleep_forever()

        async with connect(sio, "40") as client:
            await client.put('42["x",1]', '42["x",2]', '42["x",3]')
            await trio.sleep(10)
        assert started == [1, 2, 3]
