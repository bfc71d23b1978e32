"""Listeners of what is sent: by a socket, by broadcasts, with questions; whom they are told of, and that they disturb nobody."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM, errors_of, records_of, socket_of
from tests.support.client import connect, settle
from trio_socketio import Disconnected, Limits, Server


class Log:
    """Keeps what a listener is told, as (socket, event, args)."""

    def __init__(self) -> None:
        self.entries: list[tuple[object, str, tuple[object, ...]]] = []

    def __call__(self, socket, event, *args):
        self.entries.append((socket, event, args))

    @property
    def events(self) -> list[str]:
        return [event for _, event, _ in self.entries]


class TestWhatItIsToldOf:
    async def test_emit_emit_nowait_and_call(self, sio, autojump_clock):
        log = Log()
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            assert socket.on_any_outgoing(log) is log
            await socket.emit("a", 1, b"2")
            socket.emit_nowait("b")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(socket.call, "question", "colour?")
                await settle()
                assert log.entries[-1] == (socket, "question", ("colour?",)), (
                    "when it is asked, not when it is answered"
                )
                await client.put('430["red"]')
            assert log.entries == [(socket, "a", (1, b"2")), (socket, "b", ()), (socket, "question", ("colour?",))]

    async def test_broadcasts_once_for_each_recipient(self, sio, autojump_clock):
        log = Log()
        sio.on_any_outgoing(log)
        async with connect(sio, "40"), connect(sio, "40"), connect(sio, "40"):
            first, second, third = sio.sockets.values()
            first.join("a", "b")
            second.join("b")
            await sio.to("a", "b").emit("rooms", b"\x00\x01", {"x": 1})
            assert sorted(log.entries, key=lambda entry: entry[0] is second) == [
                (first, "rooms", (b"\x00\x01", {"x": 1})),
                (second, "rooms", (b"\x00\x01", {"x": 1})),
            ]
            log.entries.clear()
            await third.broadcast.emit("others")
            assert {socket for socket, _, _ in log.entries} == {first, second}

    @pytest.mark.parametrize("level", ["socket", "namespace", "both"])
    async def test_broadcasts_by_level(self, sio, autojump_clock, level):
        own, common = Log(), Log()
        async with connect(sio, "40"), connect(sio, "40"):
            first, second = sio.sockets.values()
            if level != "namespace":
                first.on_any_outgoing(own)
            if level != "socket":
                sio.on_any_outgoing(common)
            sio.emit_nowait("x")
            second.emit_nowait("not for the first")
            await first.volatile.emit("now")
        assert own.entries == ([] if level == "namespace" else [(first, "x", ()), (first, "now", ())])
        if level != "socket":
            assert [event for socket, event, _ in common.entries if socket is first] == ["x", "now"]
            assert [event for socket, event, _ in common.entries if socket is second] == ["x", "not for the first"]

    async def test_broadcast_questions(self, sio, autojump_clock):
        log = Log()
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.on_any_outgoing(log)
            async with sio.call("vote", "tea?") as answers:
                await settle()
                await client.put(client.get_waiting()[0].partition("[")[0].replace("42", "43") + "[1]")
                assert [answer async for _, answer in answers] == [1]
            assert log.entries == [(socket, "vote", ("tea?",))]

    async def test_acknowledgements_and_incoming_events_are_no_such_events(self, sio, autojump_clock):
        log = Log()
        sio.on_any_outgoing(log)

        @sio.on("x")
        async def x(socket):
            return "answer"

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            assert client.get_waiting() == ['431["answer"]']
            socket_of(sio).disconnect()
        assert log.entries == []

    async def test_a_volatile_one_also_when_it_is_dropped(self, sio, autojump_clock):
        log = Log()
        async with connect(sio, "40") as client:
            client.reading = trio.Event()
            socket = socket_of(sio)
            socket.on_any_outgoing(log)
            socket.emit_nowait("first")
            await settle()
            socket.emit_nowait("waits")
            socket.volatile.emit_nowait("dropped")
            client.reading.set()
            await settle()
            assert client.get_waiting() == ['42["first"]', '42["waits"]']
            assert log.events == ["first", "waits", "dropped"]

    async def test_what_could_not_be_sent_is_not_told(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=1))
        log = Log()
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.on_any_outgoing(log)
            with pytest.raises(TypeError):
                socket.emit_nowait("x", object())
            with pytest.raises(ValueError, match="reserved"):
                await socket.emit("connect")
            client.reading = trio.Event()
            socket.emit_nowait("fits")
            await settle()
            socket.emit_nowait("fits too")
            with pytest.raises(trio.WouldBlock):
                socket.emit_nowait("full")
            with trio.move_on_after(1):
                await socket.emit("waits, and is cancelled")
            await client.put("41")
            with pytest.raises(Disconnected):
                socket.emit_nowait("gone")
            with pytest.raises(Disconnected):
                await socket.call("gone")
            assert log.events == ["fits", "fits too"]

    async def test_a_recipient_that_is_cut_off_by_the_broadcast_was_sent_nothing(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=1))
        log = Log()
        sio.on_any_outgoing(log)
        async with sio.running(), connect(sio, "40") as slow, connect(sio, "40"):
            _, quick = sio.sockets.values()
            slow.reading = trio.Event()
            for number in range(3):
                await sio.emit("n", number)
                await settle()
            assert list(sio.sockets.values()) == [quick]
            assert [args for socket, _, args in log.entries if socket is quick] == [(0,), (1,), (2,)]
            assert [args for socket, _, args in log.entries if socket is not quick] == [(0,), (1,)]


class TestOrder:
    async def test_the_namespaces_first_then_the_sockets_prepended_ones_first(self, sio, autojump_clock):
        order = []

        def listener(name):
            return lambda socket, event, *args: order.append(name)

        async with connect(sio, "40"):
            socket = socket_of(sio)
            for name, level, prepend in [
                ("socket 2", socket, False),
                ("socket 1", socket, True),
                ("namespace 2", sio, False),
                ("namespace 3", sio, False),
                ("namespace 1", sio, True),
            ]:
                level.on_any_outgoing(listener(name), prepend=prepend)
            await socket.emit("x")
            expected = ["namespace 1", "namespace 2", "namespace 3", "socket 1", "socket 2"]
            assert order == expected
            await sio.emit("x")
            assert order == expected * 2

    @pytest.mark.parametrize("level", ["socket", "namespace"])
    async def test_off(self, sio, autojump_clock, level):
        first, second = Log(), Log()
        async with connect(sio, "40"):
            socket = socket_of(sio)
            target, other = (socket, sio) if level == "socket" else (sio, socket)
            target.on_any_outgoing(first)
            target.on_any_outgoing(second)
            target.off_any_outgoing(first)
            for emit in (socket.emit, sio.emit):
                await emit("x")
            assert (first.events, second.events) == ([], ["x", "x"])
            with pytest.raises(ValueError, match="is not registered here: nothing to remove"):
                target.off_any_outgoing(first)
            with pytest.raises(ValueError, match="is not registered here"):
                other.off_any_outgoing(second)
            target.off_any_outgoing(second)
            for emit in (socket.emit, sio.emit):
                await emit("y")
            assert second.events == ["x", "x"]
            assert not socket._life.behaviour.has_outgoing
            assert not sio._namespaces.get("/")._watched

    async def test_twice_the_same_is_told_twice(self, sio, autojump_clock):
        log = Log()
        async with connect(sio, "40"):
            socket = socket_of(sio)
            socket.on_any_outgoing(log)
            socket.on_any_outgoing(log)
            await socket.emit("x")
            socket.off_any_outgoing(log)
            await socket.emit("y")
        assert log.events == ["x", "x", "y"]


class TestFaults:
    @pytest.mark.parametrize("level", ["socket", "namespace"])
    async def test_one_that_raises_is_logged_and_disturbs_nobody(self, sio, autojump_clock, caplog, level):
        errors, log = errors_of(sio), Log()

        def fail(socket, event, *args):
            raise RuntimeError("oops")

        async with connect(sio, "40") as client, connect(sio, "40") as other:
            first, _ = sio.sockets.values()
            target = first if level == "socket" else sio
            target.on_any_outgoing(fail)
            target.on_any_outgoing(log)
            await first.emit("x")
            await sio.emit("y")
            await settle()
            assert client.get_waiting() == ['42["x"]', '42["y"]']
            assert other.get_waiting() == ['42["y"]']
        assert log.events == (["x", "y"] if level == "socket" else ["x", "y", "y"])
        assert set(records_of(caplog)) == {("trio_socketio.socket", RuntimeError)}
        assert not errors, "who sends is not to blame, and may be in no handler at all"

    async def test_one_that_removes_itself_or_others(self, sio, autojump_clock):
        log = Log()

        def only_once(socket, event, *args):
            log(socket, event, *args)
            socket.off_any_outgoing(only_once)
            socket.off_any_outgoing(last)

        def last(socket, event, *args):
            log(socket, "last", *args)

        async with connect(sio, "40"):
            socket = socket_of(sio)
            socket.on_any_outgoing(only_once)
            socket.on_any_outgoing(last)
            await socket.emit("x")
            assert log.events == ["x", "last"], "it goes through those that there were"
            await socket.emit("y")
            assert log.events == ["x", "last"]

    async def test_one_that_emits_without_end_is_stopped_by_the_queue(self, sio, autojump_clock, caplog):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.on_any_outgoing(lambda socket, event, *args: socket.emit_nowait("again"))
            await socket.emit("x")
            await settle()
            assert len(client.get_waiting()) == sio.limits.send_queue_packets
            assert records_of(caplog) == [("trio_socketio.socket", trio.WouldBlock)]

    async def test_one_that_disconnects_the_recipients_of_a_broadcast(self, sio, autojump_clock, caplog):
        log = Log()

        def end_all(socket, event, *args):
            log(socket, event)
            sio.disconnect_sockets()

        async with connect(sio, "40") as client, connect(sio, "40") as other:
            sio.on_any_outgoing(end_all)
            await sio.emit("x")
            await settle()
            assert client.get_waiting() == other.get_waiting() == ['42["x"]', "41"]
        assert log.events == ["x"], "who is gone is told of no more"
        assert not records_of(caplog)

    @pytest.mark.parametrize("level", ["socket", "namespace"])
    async def test_wrong_functions(self, sio, autojump_clock, level):
        async def asynchronous(socket, event, *args): ...

        def few(socket): ...

        def many(socket, event, first, *args): ...

        async with connect(sio, "40"):
            target = socket_of(sio) if level == "socket" else sio
            for wrong in (None, "text", asynchronous):
                with pytest.raises(TypeError, match="is not a plain function: write 'def listener"):
                    target.on_any_outgoing(wrong)
            for wrong in (few, many):
                with pytest.raises(TypeError, match="can't be called with 2 arguments: write 'def listener"):
                    target.on_any_outgoing(wrong)
            target.on_any_outgoing(dict.update)  # says nothing of its arguments
            target.on_any_outgoing(print)
            assert len(list(socket_of(sio)._life.behaviour.outgoing)) == 2
