"""Errors of the application: whose they are, who is told, and that nobody else pays."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM, errors_of, records_of
from tests.support.client import connect
from trio_socketio import Disconnected, Server


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

    @pytest.mark.parametrize("where", ["connection", "x", "socket.nursery"])
    async def test_on_error_may_wait_although_the_socket_ends(self, sio, autojump_clock, where):
        told = []

        @sio.on_error
        async def tell(socket, error, event):
            await trio.sleep(3)
            told.append(event)

        @sio.on_connection
        async def connection(socket):
            if where == "connection":
                raise ValueError
            if where == "socket.nursery":
                socket.nursery.start_soon(int, "no number")

        @sio.on("x")
        async def x(socket):
            socket.disconnect()
            raise ValueError

        async with connect(sio, "40") as client:
            await client.put('42["x"]')
            await trio.sleep(4)
        assert told == ["x" if where == "x" else "connection"]

    async def test_on_disconnect_and_its_errors_have_their_time_together(self, autojump_clock):
        sio = Server(CALM)
        ended = []

        @sio.on_disconnect
        async def fail(socket, reason):
            raise ValueError

        sio.on_disconnect(fail)

        @sio.on_error
        async def hang(socket, error, event):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

        async with sio.running(), connect(sio, "40") as client:
            began = trio.current_time()
            await client.put("41")
            await trio.sleep(100)
        assert ended == [began + sio.limits.disconnect_timeout] * len(ended)
        assert ended

    async def test_an_error_of_one_task_is_reported_as_it_is(self, sio, autojump_clock):
        errors = errors_of(sio)

        async def fail():
            raise ValueError

        @sio.on_connection
        async def connection(socket):
            socket.nursery.start_soon(fail)

        async with connect(sio, "40"):
            await trio.sleep(1)
        assert [(event, type(error)) for event, error in errors] == [("connection", ValueError)]

    async def test_on_error_that_hangs_is_given_up(self, sio, autojump_clock):
        @sio.on_error
        async def hang(socket, error, event):
            await trio.sleep_forever()

        @sio.on("x")
        async def x(socket):
            raise ValueError

        @sio.on("y")
        async def y(socket):
            return "on time"

        async with connect(sio, "40") as client:
            began = trio.current_time()
            await client.put('42["x"]', '420["y"]')
            assert await client.get() == '430["on time"]'
            assert trio.current_time() - began == sio.limits.disconnect_timeout

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

    async def test_to_meet_another_client_that_is_gone_is_reported(self, sio, autojump_clock):
        errors = errors_of(sio)
        async with connect(sio, "40") as other:
            (gone,) = sio.sockets.values()
            await other.put("41")

            @sio.on("x")
            async def x(socket):
                await gone.emit("hello")

            async with connect(sio, "40") as client:
                await client.put('42["x"]')
                assert len(sio.sockets) == 1
        assert [(event, type(error)) for event, error in errors] == [("x", Disconnected)]

    @pytest.mark.parametrize("kind", ["connection", "event", "group"])
    async def test_that_the_client_leaves_while_it_is_asked_is_none(self, sio, autojump_clock, caplog, kind):
        errors = errors_of(sio)

        async def ask(socket):
            await socket.call("question")

        async def ask_twice(socket):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, socket)
                nursery.start_soon(ask, socket)

        register = sio.on_connection if kind == "connection" else sio.on("x")
        register(ask_twice if kind == "group" else ask)
        async with connect(sio) as client:
            await client.put("40")
            await client.put('42["x"]')
            client.put_nowait("1")
            await trio.sleep(1)
        assert not errors and not records_of(caplog)

    @pytest.mark.parametrize("kind", ["middleware", "connection", "event", "concurrent", "disconnect", "nursery"])
    async def test_one_of_a_cancelled_handler_stays_here_and_the_cancellation_goes_on(self, autojump_clock, kind):
        """A nursery hands over both in one group."""
        sio = Server(CALM)
        errors = errors_of(sio)

        async def fail():
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError

        async def handler(socket, *args):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                nursery.start_soon(trio.sleep_forever)

        async def hold(socket):
            socket.nursery.start_soon(handler, socket)

        registers = {"middleware": sio.middleware, "connection": sio.on_connection, "disconnect": sio.on_disconnect}
        registers.get(kind, sio.on("x", concurrent=kind == "concurrent"))(hold if kind == "nursery" else handler)
        with trio.CancelScope() as scope:
            async with sio.running(), connect(sio) as client:
                await client.put("40")
                if kind != "middleware":
                    await client.put("41" if kind == "disconnect" else '42["x"]')
                scope.cancel()
        assert scope.cancelled_caught
        assert [type(error) for _, error in errors] == [ValueError]

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
