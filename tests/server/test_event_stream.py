"""The ends of a stream, and what a block of ``socket.events`` gets: in order, none lost, none doubled."""

from __future__ import annotations

import gc
import threading

import pytest
import trio

from tests.support.application import errors_of, records_of, socket_of
from tests.support.client import connect, settle
from trio_socketio._server.event_stream import EventStream, ReceivedEvent, open_event_stream


async def echo(socket, *args):
    return args


def numbers(*values: int) -> list[str]:
    return [f'42["n",{value}]' for value in values]


def received(*args: object) -> ReceivedEvent:
    return ReceivedEvent._create("n", args, None)


class TestEnds:
    """The two ends of a stream, without a socket."""

    def test_they_can_be_made_by_the_library_only(self):
        for private in (EventStream, ReceivedEvent):
            with pytest.raises(TypeError, match="no public constructor"):
                private()

    async def test_the_worker_waits_until_a_reader_asks(self, autojump_clock):
        inlet, stream = open_event_stream(frozenset(), lambda: False, lambda inlet: None)
        log = []

        async def worker():
            for number in range(3):
                assert await inlet.put(received(number))
                log.append(f"put {number}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker)
            await settle()
            assert log == []
            for number in range(3):
                event = await anext(stream)
                await settle()
                assert event.args == (number,)
                assert log == [f"put {n}" for n in range(number + 1)]
        stream.close()

    async def test_names(self, autojump_clock):
        forgotten = []
        inlet, stream = open_event_stream(frozenset({"a", "b"}), lambda: False, forgotten.append)
        assert [inlet.wants(name) for name in ("a", "b", "c")] == [True, True, False]
        stream.close()
        assert forgotten == [inlet]
        inlet, stream = open_event_stream(frozenset(), lambda: False, forgotten.append)
        assert inlet.wants("whatever")
        stream.close()
        stream.close()
        inlet.close()

    async def test_either_end_closes_while_the_other_waits(self, autojump_clock):
        results = []

        async def put(inlet):
            results.append(await inlet.put(received()))

        async def read(stream):
            results.append([event async for event in stream])

        for closes, waits in [("stream", put), ("inlet", put), ("stream", read), ("inlet", read)]:
            inlet, stream = open_event_stream(frozenset(), lambda: False, lambda inlet: None)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(waits, inlet if waits is put else stream)
                await settle()
                (stream if closes == "stream" else inlet).close()
            assert await inlet.put(received()) is False
            assert [event async for event in stream] == []
            stream.close()
        assert results == [False, False, [], []]

    async def test_a_reader_that_is_cancelled_loses_none(self, autojump_clock):
        inlet, stream = open_event_stream(frozenset(), lambda: False, lambda inlet: None)
        taken = []

        async def worker():
            for number in range(50):
                await trio.sleep(1)
                assert await inlet.put(received(number))
            inlet.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker)
            while len(taken) < 50:
                # Its deadlines fall together with the events.
                with trio.move_on_after(1):
                    taken.append((await anext(stream)).args[0])
        assert taken == list(range(50))
        stream.close()

    async def test_one_that_nobody_holds_is_closed_also_by_another_thread(self, autojump_clock):
        forgotten = []
        inlet, stream = open_event_stream(frozenset(), lambda: False, forgotten.append)
        holder = [stream]
        del stream
        thread = threading.Thread(target=holder.clear)
        thread.start()
        thread.join()
        assert await inlet.put(received()) is False
        assert forgotten == [inlet]

    def test_one_that_is_held_beyond_the_end_of_the_run(self):
        async def leave():
            await trio.lowlevel.checkpoint()
            return open_event_stream(frozenset(), lambda: False, forgotten.append)

        forgotten = []
        inlet, stream = trio.run(leave)
        del stream
        gc.collect()
        assert forgotten == [inlet]
        inlet.close()


class TestEvents:
    """``async with socket.events(...)``."""

    async def test_its_events_in_order_beside_their_handlers(self, sio, autojump_clock):
        seen, handled = [], []

        @sio.on("n")
        async def number(socket, value):
            handled.append(value)

        @sio.on_connection
        async def read(socket):
            async with socket.events("n", "m") as events:
                async for event in events:
                    seen.append((event.name, *event.args))
                    await trio.sleep(0.5)

        async with connect(sio, "40") as client:
            await client.put(*numbers(1, 2), '42["other",3]', '42["m",4]', '42["m"]', *numbers(5))
            await trio.sleep(10)
        assert seen == [("n", 1), ("n", 2), ("m", 4), ("m",), ("n", 5)]
        assert handled == [1, 2, 5]

    async def test_without_names_all_and_from_the_block_on(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await client.put('42["before"]')
            async with socket.events() as events:
                client.put_nowait('42["a"]', '451-["b",{"_placeholder":true,"num":0}]', b"\x00")
                assert repr(await anext(events)) == "<ReceivedEvent 'a' with 0 arguments>"
                event = await anext(events)
                assert (event.name, event.args, event.wants_answer) == ("b", (b"\x00",), False)
            assert [event async for event in events] == [], "behind the block it is at its end"
            await client.put('421["nobody reads"]', *numbers(*range(20)))
            assert not socket._life.dispatcher._inlets

    async def test_to_stop_and_go_on_loses_none(self, sio, autojump_clock):
        seen = []
        async with connect(sio, "40") as client:
            client.put_nowait(*numbers(*range(9)))
            async with socket_of(sio).events("n") as events:
                for most in (1, 3, 5):
                    count = 0
                    async for event in events:
                        seen.append(event.args[0])
                        count += 1
                        if count == most:
                            break
                    await trio.sleep(1)
        assert seen == list(range(9))

    async def test_two_streams_get_the_same_events(self, sio, autojump_clock):
        seen = {"quick": [], "slow": []}

        async def read(socket, name, pause):
            async with socket.events() as events:
                async for event in events:
                    seen[name].append((event, round(trio.current_time())))
                    await trio.sleep(pause)

        async with connect(sio, "40") as client, trio.open_nursery() as nursery:
            nursery.start_soon(read, socket_of(sio), "slow", 2)
            nursery.start_soon(read, socket_of(sio), "quick", 0)
            await settle()
            await client.put(*numbers(0, 1, 2))
            await trio.sleep(10)
            await client.put("41")
        assert [event.args for event, _ in seen["slow"]] == [(0,), (1,), (2,)]
        assert [event for event, _ in seen["slow"]] == [event for event, _ in seen["quick"]]
        assert [time for _, time in seen["slow"]] == [0, 2, 4]

    async def test_two_readers_of_one_stream_share_its_events(self, sio, autojump_clock):
        seen = []

        async def read(events):
            async for event in events:
                seen.append(event.args[0])
                await trio.sleep(1)

        async with connect(sio, "40") as client, socket_of(sio).events("n") as events:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, events)
                nursery.start_soon(read, events)
                await client.put(*numbers(*range(6)))
                await trio.sleep(10)
                nursery.cancel_scope.cancel()
        assert sorted(seen) == list(range(6))

    async def test_it_ends_with_the_socket(self, sio, autojump_clock):
        ended = []

        async def read(socket):
            async with socket.events("n") as events:
                ended.append([event.args async for event in events])
            with pytest.raises(StopAsyncIteration):
                await anext(events)

        async with connect(sio, "40") as client, trio.open_nursery() as nursery:
            socket = socket_of(sio)
            nursery.start_soon(read, socket)
            await settle()
            await client.put(*numbers(1))
            await client.put("41")
            assert ended == [[(1,)]]
            await read(socket)
            assert ended[1:] == [[]], "one that is opened afterwards is at its end"

    async def test_it_ends_with_the_socket_while_the_worker_waits_for_a_reader(self, sio, autojump_clock, caplog):
        errors = errors_of(sio)
        async with connect(sio, "40") as client:
            async with socket_of(sio).events("n") as events:
                await client.put(*numbers(1, 2))
                await client.put("41")
                assert [event async for event in events] == []
        assert not errors and not records_of(caplog)

    async def test_the_body_raises_or_is_cancelled(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            with pytest.raises(ValueError, match="oops"):
                async with socket.events():
                    raise ValueError("oops")
            with trio.move_on_after(1):
                async with socket.events("n") as events:
                    await anext(events)
            assert not socket._life.dispatcher._inlets
            socket.on("x")(echo)
            await client.put('421["x"]')
            assert client.get_waiting() == ["431[]"]

    async def test_wrong_names(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            for wrong, error, sentence in [
                (5, TypeError, "an event's name is text"),
                ("newListener", ValueError, "is reserved"),
                ("disconnect", ValueError, "register with on_disconnect"),
                ("connection", ValueError, "register with on_connection"),
            ]:
                with pytest.raises(error, match=sentence):
                    async with socket.events("fine", wrong):
                        pytest.fail("it was opened")
            assert not socket._life.dispatcher._inlets

    async def test_it_sees_what_middlewares_have_left(self, sio, autojump_clock):
        seen = []

        @sio.packet_middleware
        async def change(socket, event):
            if event[1] == 1:
                raise ValueError("dropped")
            event[:] = ["renamed", event[1] * 10]

        @sio.on_connection
        async def read(socket):
            async with socket.events("renamed") as events:
                async for event in events:
                    seen.append(event.args)

        async with connect(sio, "40") as client:
            await client.put(*numbers(1, 2, 3))
        assert seen == [(20,), (30,)]
