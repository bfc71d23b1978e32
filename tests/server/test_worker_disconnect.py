"""The end of one socket: the handlers that are told, their time, and the reasons."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM, errors_of, forever, reasons_of, records_of, socket_of
from tests.support.client import connect, open_polling, poll, post, settle
from trio_socketio import Disconnected, EngineConfig, Limits, Server
from trio_socketio._engine.transport import StreamFailure


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
            assert not sio._namespaces.get("/").adapter._rooms._rooms

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
            await client.put(StreamFailure("too big"))
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


@pytest.mark.parametrize("how", ["client", "disconnect", "a task raises", "nursery cancelled", "server cancelled"])
@pytest.mark.parametrize("turn", range(5))  # whose turn it is first is by chance
async def test_finally_always_sees_why_and_that_it_is_over(autojump_clock, how, turn):
    sio = Server(CALM)
    seen = []

    async def live(socket, *args):
        try:
            await trio.sleep_forever()
        finally:
            seen.append((socket.connected, socket.disconnect_reason))
            sio.emit_nowait("left")

    async def fail():
        raise ValueError

    sio.on_connection(live)
    with trio.CancelScope() as scope:
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            match how:
                case "client":
                    await client.put("41")
                case "disconnect":
                    socket.disconnect()
                case "a task raises":
                    socket.nursery.start_soon(fail)
                case "nursery cancelled":
                    socket.nursery.cancel_scope.cancel()
                case "server cancelled":
                    scope.cancel()
            await settle()
            assert "left" not in "".join(client.get_waiting())
    reasons = {
        "client": ["client namespace disconnect"],
        "server cancelled": ["server shutting down", "transport close"],  # the client is cancelled, too
    }.get(how, ["server namespace disconnect"])
    assert seen in [[(False, reason)] for reason in reasons]


class TestDrain:
    async def test_that_a_client_is_being_closed_is_no_error_of_its_handlers(self, autojump_clock, caplog):
        sio = Server(CALM)
        errors, reasons = errors_of(sio), reasons_of(sio)
        seen = []

        @sio.on_connection
        async def tick(socket):
            try:
                while True:
                    await socket.emit("tick")
                    await trio.sleep(1)
            finally:
                seen.append(socket.disconnect_reason)

        async with sio.running(), connect(sio, "40") as client:
            client.reading = trio.Event()
            await trio.sleep(2)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sio.drain)
                await trio.sleep(3)
                client.reading.set()
        assert reasons == ["server shutting down"]
        assert not errors and not records_of(caplog)

    async def test_who_waits_for_room_learns_of_it_at_once(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=1))
        async with sio.running(), connect(sio, "40") as client:
            client.reading = trio.Event()
            socket = socket_of(sio)
            for _ in range(2):
                await socket.emit("x")
                await settle()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sio.drain)
                began = trio.current_time()
                with pytest.raises(Disconnected, match="server shutting down"):
                    await socket.emit("x")
                assert trio.current_time() == began
                client.reading.set()

    async def test_nobody_joins_a_session_that_is_closing(self, autojump_clock):
        sio = Server(CALM)
        reasons = reasons_of(sio)
        other = sio.namespace("/other")

        @other.middleware
        async def think(socket):
            await trio.sleep(1)

        other.on_connection(forever)
        reasons_of_other = reasons_of(other)

        async with sio.running(), connect(sio, "40") as client:
            client.reading = trio.Event()
            socket_of(sio).emit_nowait("waits")
            await client.put("40/other,")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sio.drain)
                await trio.sleep(3)
                assert not other.sockets
                client.reading.set()
        assert (reasons, reasons_of_other) == (["server shutting down"], [])


async def test_disconnect_reaches_the_client_behind_a_full_queue(autojump_clock):
    sio = Server(CALM, limits=Limits(send_queue_packets=4))
    other = sio.namespace("/other")
    reasons, reasons_of_other = reasons_of(sio), reasons_of(other)
    async with sio.running(), connect(sio, "40", "40/other,") as client:
        client.reading = trio.Event()
        socket = socket_of(sio, "/other")
        sent = 0
        with pytest.raises(trio.WouldBlock):
            while True:
                socket.emit_nowait("x", sent)
                sent += 1
                await settle()
        socket.disconnect()
        client.reading.set()
        await settle()
        assert client.get_waiting() == [*(f'42/other,["x",{number}]' for number in range(sent)), "41/other,"]
        assert (reasons, reasons_of_other) == ([], ["server namespace disconnect"])
