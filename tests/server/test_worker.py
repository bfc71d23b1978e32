"""The task of one socket: its connection handlers, its nursery, and how they end with it."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import errors_of, reasons_of, records_of
from tests.support.client import connect, settle
from trio_socketio import Disconnected


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
                with pytest.raises(Disconnected, match=socket.disconnect_reason):
                    socket.emit_nowait("to itself")
                socket.join("another")
                seen.append("its finally was run to its end")

        async with connect(sio, "40") as other, connect(sio) as client:
            socket_id = await client.join()
            await client.put("41")
            assert seen == [
                ({socket_id, "lobby"}, "client namespace disconnect", False, False),
                "its finally was run to its end",
            ]
            assert other.get_waiting() == [f'42["left","{socket_id}"]', '42["left too"]']
            assert client.get_waiting() == []
            (rest,) = sio.sockets
            assert sio._namespaces.get("/").adapter._rooms._members.keys() == {"lobby", rest}

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
                socket.nursery  # noqa: B018 - reading it raises
            tried.append(socket)

        sio.middleware(attempt)
        sio.on_disconnect(attempt)
        async with connect(sio, "40") as client:
            (socket,) = sio.sockets.values()
            assert isinstance(socket.nursery, trio.Nursery)
            await client.put("41")
            await attempt(socket)
        assert tried == [socket] * 3
