"""The end of one socket: the handlers that are told, their time, and the reasons."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM, reasons_of
from tests.support.client import connect, open_polling, poll, post, settle
from trio_socketio import Disconnected, EngineConfig, Limits, Server
from trio_socketio._engine.transport import MessageTooBig


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
