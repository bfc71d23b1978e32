"""A stream's slow reader slows down its own client only; and what readers may answer."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM, socket_of
from tests.support.client import connect, settle
from trio_socketio import CloseReason, Disconnected, Limits, Server


async def echo(socket, *args):
    return args


def numbers(*values: int) -> list[str]:
    return [f'42["n",{value}]' for value in values]


class TestBackPressure:
    async def test_a_slow_reader_slows_down_its_own_client_only(self, autojump_clock):
        sio = Server(CALM, limits=Limits(event_queue=3, event_queue_timeout=1000))
        seen, handled = [], []

        @sio.on("n")
        async def number(socket, value):
            handled.append(value)
            return value

        async with sio.running(), connect(sio, "40") as client, connect(sio, "40") as other:
            slow, _ = sio.sockets.values()

            async def read():
                async for event in slow:
                    await trio.sleep(10)
                    seen.append(event.args[0])

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                await client.put(*numbers(*range(10)))
                # One is being read, one waits for the reader, three are in the queue, one waits for room: the rest is
                # not even read from the network.
                assert handled == [0]
                assert client._from_client.statistics().current_buffer_used == 4
                await other.put(*[f'42{value}["n",{value}]' for value in range(100, 110)])
                assert other.get_waiting() == [f"43{value}[{value}]" for value in range(100, 110)]
                await trio.sleep(105)
                assert seen == list(range(10))
                assert [value for value in handled if value < 100] == list(range(10))
                nursery.cancel_scope.cancel()

    async def test_one_that_nobody_reads_ends_its_socket_at_last(self, autojump_clock):
        sio = Server(CALM, limits=Limits(event_queue=2, event_queue_timeout=5))
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            async with socket.events() as events:
                await client.put(*numbers(*range(10)))
                await trio.sleep(6)
                assert socket.disconnect_reason == CloseReason.EVENT_QUEUE_FULL
                assert [event async for event in events] == []
            assert client.get_waiting() == ["41"]

    async def test_events_that_a_stream_does_not_want_pass_it(self, sio, autojump_clock):
        sio.on("x")(echo)
        async with connect(sio, "40") as client, socket_of(sio).events("n") as events:
            await client.put('421["x",1]')
            assert client.get_waiting() == ["431[1]"]
            await client.put(*numbers(1), '422["x",2]')
            assert client.get_waiting() == [], "what comes behind one that it wants waits"
            assert (await anext(events)).args == (1,)
            await settle()
            assert client.get_waiting() == ["432[2]"]


class TestAnswers:
    async def test_an_event_without_a_handler_is_answered_once(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            async with socket_of(sio).events() as events:
                client.put_nowait('427["n",1]', '42["n",2]')
                event = await anext(events)
                assert event.wants_answer
                await event.answer("one", b"2")
                assert not event.wants_answer
                with pytest.raises(RuntimeError, match="'n' wants no answer: look at wants_answer first"):
                    await event.answer("again")
                await settle()
                assert client.get_waiting() == ['461-7["one",{"_placeholder":true,"num":0}]', b"2"]
                event = await anext(events)
                assert not event.wants_answer
                with pytest.raises(RuntimeError, match="wants no answer"):
                    await event.answer()

    async def test_if_it_has_a_handler_that_one_answers(self, sio, autojump_clock):
        sio.on("n")(echo)
        async with connect(sio, "40") as client, socket_of(sio).events() as events:
            client.put_nowait('427["n",1]')
            assert not (await anext(events)).wants_answer
            await settle()
            assert client.get_waiting() == ["437[1]"]

    async def test_if_it_does_not_fit_its_handler_the_client_is_told_so_once(self, sio, autojump_clock):
        @sio.on("n")
        async def number(socket): ...

        async with connect(sio, "40") as client, socket_of(sio).events() as events:
            client.put_nowait('427["n",1]')
            assert not (await anext(events)).wants_answer
            await settle()
            (answer,) = client.get_waiting()
            assert answer.startswith('437[{"error":{"code":"invalid_arguments"')

    async def test_of_two_streams_one_answers(self, sio, autojump_clock):
        results = []

        async def read(socket, name):
            async for event in socket:
                try:
                    await event.answer(name)
                    results.append("answered")
                except RuntimeError:
                    results.append("too late")

        async with connect(sio, "40") as client, trio.open_nursery() as nursery:
            for name in ("first", "second"):
                nursery.start_soon(read, socket_of(sio), name)
            await settle()
            await client.put('421["n"]')
            assert len(client.get_waiting()) == 1
            assert sorted(results) == ["answered", "too late"]
            nursery.cancel_scope.cancel()

    async def test_one_that_fails_may_be_tried_again(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=1))
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            async with socket.events() as events:
                client.put_nowait('421["n"]')
                event = await anext(events)
                with pytest.raises(TypeError):
                    await event.answer(object())
                assert event.wants_answer
                client.reading = trio.Event()
                socket.emit_nowait("a")
                await settle()
                socket.emit_nowait("b")
                with trio.move_on_after(1) as scope:
                    await event.answer("no room")
                assert scope.cancelled_caught
                assert event.wants_answer
                client.reading.set()
                await event.answer("at last")
                await settle()
                assert client.get_waiting() == ['42["a"]', '42["b"]', '431["at last"]']

    async def test_the_client_is_gone(self, sio, autojump_clock):
        async with connect(sio, "40") as client, socket_of(sio).events() as events:
            client.put_nowait('421["n"]')
            event = await anext(events)
            await client.put("41")
            for _ in range(2):
                with pytest.raises(Disconnected):
                    await event.answer("late")
