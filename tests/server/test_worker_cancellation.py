"""A server that is cancelled: whatever a socket is at, nothing is left of it."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM, reasons_of
from tests.support.client import connect, settle
from trio_socketio import Limits, Server


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
        rooms = sio._namespaces.get("/chat").adapter._rooms
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
            rooms = sio._namespaces.get("/").adapter._rooms
            assert not rooms._members and not rooms._rooms
            assert set(reasons) <= {"server shutting down", "transport close", "client namespace disconnect"}
