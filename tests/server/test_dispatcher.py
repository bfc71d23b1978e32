"""From the queue to the handlers: who sees an event on the way, and that nobody else pays."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.support.application import errors_of, records_of, socket_of
from tests.support.client import connect
from trio_socketio import Disconnected, Limits
from trio_socketio._engine.statistics import Counters
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.containment import Containment
from trio_socketio._server.dispatcher import EVENTS_PER_CHECKPOINT, Dispatcher
from trio_socketio._wire.socket_packet import Event


def recorder(log, name):
    async def listener(socket, event, *args):
        log.append((name, event, args))

    return listener


def middleware(log, name):
    async def note(socket, event):
        log.append((name, list(event)))

    return note


async def echo(socket, *args):
    return args


class FakeLink:
    def __init__(self) -> None:
        self.flushed = 0

    def flush(self) -> None:
        self.flushed += 1


class FakePeer:
    def __init__(self) -> None:
        self.link = FakeLink()


def alone(behaviour: Behaviour) -> tuple[Dispatcher, Containment, FakePeer]:
    """A dispatcher without a network."""
    peer = FakePeer()
    dispatcher = Dispatcher(None, behaviour, peer, Limits(event_queue=1000), Counters())
    return dispatcher, Containment(None, lambda: behaviour, lambda: False, 1), peer


class TestRun:
    async def test_it_ends_when_the_queue_is_closed_and_drops_what_waits(self, autojump_clock):
        behaviour, seen = Behaviour(), []
        dispatcher, containment, peer = alone(behaviour)

        async def handler(socket, number):
            seen.append(number)
            if number == 2:
                dispatcher.close()

        behaviour.events.add("x", handler)
        for number in range(5):
            assert dispatcher.queue.put_nowait(Event("/", ["x", number]), 1)
        async with trio.open_nursery() as nursery:
            await dispatcher.run(nursery, containment)
        assert seen == [0, 1, 2]
        assert peer.link.flushed == 1
        dispatcher.close()

    async def test_handlers_that_never_wait_do_not_starve_other_tasks(self, autojump_clock):
        behaviour, seen, turns = Behaviour(), [], 0
        dispatcher, containment, _ = alone(behaviour)

        async def handler(socket, number):
            seen.append(number)

        async def count():
            nonlocal turns
            while len(seen) < 200:
                turns += 1
                await trio.lowlevel.checkpoint()
            dispatcher.close()

        behaviour.events.add("x", handler)
        for number in range(200):
            assert dispatcher.queue.put_nowait(Event("/", ["x", number]), 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            await dispatcher.run(nursery, containment)
        assert seen == list(range(200))
        assert turns >= 200 // EVENTS_PER_CHECKPOINT - 1

    async def test_a_parsers_arguments_need_not_be_a_list(self, autojump_clock):
        behaviour, seen = Behaviour(), []
        dispatcher, containment, _ = alone(behaviour)
        args = ("x", 1)

        async def change(socket, event):
            event.append(2)

        async def handler(socket, *args):
            seen.append(args)
            dispatcher.close()

        behaviour.packets.add(change)
        behaviour.events.add("x", handler)
        assert dispatcher.queue.put_nowait(Event("/", args), 1)
        async with trio.open_nursery() as nursery:
            await dispatcher.run(nursery, containment)
        assert seen == [(1, 2)]
        assert args == ("x", 1)


class TestOnAny:
    async def test_each_event_also_those_without_a_handler_before_their_handler(self, sio, autojump_clock):
        log = []
        assert sio.on_any(listener := recorder(log, "any")) is listener

        @sio.on("x")
        async def x(socket, *args):
            log.append("handled")

        async with connect(sio, "40") as client:
            await client.put('42["x",1,"two"]', '451-["nobody",{"_placeholder":true,"num":0}]', b"\x00", '42["x"]')
            await client.put("1")
        assert log == [("any", "x", (1, "two")), "handled", ("any", "nobody", (b"\x00",)), ("any", "x", ()), "handled"]

    async def test_the_event_waits_for_it(self, sio, autojump_clock):
        @sio.on_any
        async def slow(socket, event, *args):
            await trio.sleep(5)

        sio.on("x")(echo)
        async with connect(sio, "40") as client:
            await client.put('421["x",1]', '422["x",2]')
            assert await client.get() == "431[1]"
            assert trio.current_time() == pytest.approx(5)
            assert await client.get() == "432[2]"
            assert trio.current_time() == pytest.approx(10)

    async def test_order(self, sio, autojump_clock):
        log = []
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            for name, level, prepend in [
                ("socket 2", socket, False),
                ("socket 1", socket, True),
                ("namespace 2", sio, False),
                ("namespace 1", sio, True),
                ("namespace 3", sio, False),
                ("socket 3", socket, False),
            ]:
                level.on_any(recorder(log, name), prepend=prepend)
            await client.put('42["x"]')
        assert [name for name, _, _ in log] == [f"{level} {n}" for level in ("namespace", "socket") for n in (1, 2, 3)]

    async def test_a_sockets_own_is_told_of_its_events_only(self, sio, autojump_clock):
        log = []
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            first, _ = sio.sockets.values()
            first.on_any(recorder(log, "own"))
            await other.put('42["other"]')
            await client.put('42["mine"]')
        assert log == [("own", "mine", ())]

    @pytest.mark.parametrize("level", ["socket", "namespace"])
    async def test_off(self, sio, autojump_clock, level):
        log = []
        async with connect(sio, "40") as client:
            target, other = (socket_of(sio), sio) if level == "socket" else (sio, socket_of(sio))
            first, second = recorder(log, 1), recorder(log, 2)
            target.on_any(first)
            target.on_any(second)
            target.off_any(first)
            await client.put('42["x"]')
            for mistake, function in ((target, first), (other, second)):
                with pytest.raises(ValueError, match="is not registered here: nothing to remove"):
                    mistake.off_any(function)
            target.off_any(second)
            await client.put('42["y"]')
            assert log == [(2, "x", ())]
            assert not socket_of(sio)._life.behaviour.filters_events

    async def test_one_registered_or_removed_in_the_midst_of_a_burst_counts_from_the_next_event_on(
        self, sio, autojump_clock
    ):
        log = []
        listener = recorder(log, "any")

        @sio.on("begin")
        async def begin(socket):
            sio.on_any(listener)

        @sio.on("end")
        async def end(socket):
            sio.off_any(listener)

        async with connect(sio, "40") as client:
            socket_of(sio).on("x")(echo)  # it has a behaviour of its own, too
            await client.put('42["x",0]', '42["begin"]', '42["x",1]', '42["end"]', '42["x",2]')
        assert log == [("any", "x", (1,)), ("any", "end", ())]

    async def test_one_that_raises_is_contained_and_the_event_goes_on(self, sio, autojump_clock, caplog):
        errors, log = errors_of(sio), []

        @sio.on_any
        async def fail(socket, event, *args):
            raise ValueError("oops")

        sio.on_any(recorder(log, "second"))
        sio.on("x")(echo)
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            await client.put('421["x",1]')
            await other.put('422["x",2]')
            assert (client.get_waiting(), other.get_waiting()) == (["431[1]"], ["432[2]"])
            assert len(sio.sockets) == 2
        assert log == [("second", "x", (1,)), ("second", "x", (2,))]
        assert [(event, type(error)) for event, error in errors] == [("x", ValueError)] * 2
        assert records_of(caplog) == [("trio_socketio.socket", ValueError)] * 2

    async def test_one_that_removes_itself(self, sio, autojump_clock):
        log = []

        @sio.on_any
        async def first(socket, event, *args):
            log.append(event)
            sio.off_any(first)

        sio.on_any(recorder(log, "second"))
        async with connect(sio, "40") as client:
            await client.put('42["x"]', '42["y"]')
        assert log == ["x", ("second", "x", ()), ("second", "y", ())]

    async def test_it_changes_nothing(self, sio, autojump_clock):
        @sio.on_any
        async def change(socket, event, *args):
            del event, args

        sio.on("x")(echo)
        async with connect(sio, "40") as client:
            await client.put('421["x",1]')
            assert client.get_waiting() == ["431[1]"]

    async def test_one_that_disconnects_is_the_last_to_see_the_event(self, sio, autojump_clock):
        log = []

        @sio.on_any
        async def end(socket, event, *args):
            socket.disconnect()

        sio.on_any(recorder(log, "second"))
        sio.packet_middleware(middleware(log, "middleware"))

        @sio.on("x")
        async def x(socket):
            log.append("handled")

        async with connect(sio, "40") as client:
            await client.put('42["x"]', '42["x"]')
            assert client.get_waiting() == ["41"]
        assert log == []

    @pytest.mark.parametrize("level", ["socket", "namespace"])
    async def test_wrong_functions(self, sio, autojump_clock, level):
        async def few(socket): ...

        async with connect(sio, "40"):
            target = socket_of(sio) if level == "socket" else sio
            for wrong in (None, print, lambda *args: None):
                with pytest.raises(TypeError, match="is not an async function: write 'async def listener"):
                    target.on_any(wrong)
            with pytest.raises(TypeError, match="can't be called with 2 arguments: write 'async def listener"):
                target.on_any(few)


async def test_a_misfit_is_told_to_who_debugs(sio, autojump_clock, caplog):
    caplog.set_level(logging.DEBUG, "trio_socketio.socket")

    @sio.on("x")
    async def x(socket, one): ...

    async with connect(sio, "40") as client:
        await client.put('42["x"]')
    assert any("event 'x' rejected: 'Expected 1 arguments, got 0'" in message for message in caplog.messages), (
        caplog.messages
    )


async def test_an_answer_to_who_has_gone_is_no_error(sio, autojump_clock, caplog):
    errors = errors_of(sio)

    @sio.on("x", concurrent=True)
    async def x(socket):
        socket.disconnect()
        with pytest.raises(Disconnected):
            socket.emit_nowait("late")
        return "late"

    async with connect(sio, "40") as client:
        await client.put('421["x"]')
        assert client.get_waiting() == ["41"]
    assert not errors and not records_of(caplog)
