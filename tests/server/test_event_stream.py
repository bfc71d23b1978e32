"""A socket's events as a stream: none is lost or doubled, the slow slow down only their own client, nobody waits for nobody."""

from __future__ import annotations

import gc
import sys
import threading

import pytest
import trio

from tests.support.application import CALM, errors_of, records_of, socket_of
from tests.support.client import connect, settle
from trio_socketio import CloseReason, Disconnected, Limits, Server
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

        async with connect(sio, "40") as client, trio.open_nursery() as nursery:
            async with socket_of(sio).events("n") as events:
                nursery.start_soon(read, events)
                nursery.start_soon(read, events)
                await client.put(*numbers(*range(6)))
                await trio.sleep(10)
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


class TestOfTheSocket:
    """``async for event in socket``."""

    async def test_all_events(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def read(socket):
            async for event in socket:
                seen.append((event.name, *event.args))

        async with connect(sio, "40") as client:
            await client.put('42["a"]', '42["b",1,2]')
            assert seen == [("a",), ("b", 1, 2)]

    async def test_the_very_first_event_is_in_it(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def read(socket):
            async for event in socket:
                seen.append(event.name)

        async with connect(sio) as client:
            client.put_nowait("40")
            await client.get()
            await client.put('42["first"]')
        assert seen == ["first"]

    async def test_break_and_the_worker_waits_for_nobody(self, sio, autojump_clock):
        handled = []

        @sio.on("n")
        async def number(socket, value):
            handled.append(value)

        @sio.on_connection
        async def read(socket):
            async for event in socket:
                if event.args == (1,):
                    break
            await trio.sleep_forever()

        async with connect(sio, "40") as client:
            await client.put(*numbers(*range(50)))
            assert handled == list(range(50))
            assert not socket_of(sio)._life.dispatcher._inlets

    async def test_break_and_go_on_at_once_loses_none(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def read(socket):
            while True:
                async for event in socket:
                    seen.append(event.args[0])
                    await trio.sleep(0.1)
                    break

        async with connect(sio, "40") as client:
            await client.put(*numbers(*range(10)))
            await trio.sleep(5)
            assert seen == list(range(10))
            assert len(socket_of(sio)._life.dispatcher._inlets) == 1

    @pytest.mark.parametrize("how", ["raises", "is cancelled", "returns"])
    async def test_the_reader_is_gone(self, sio, autojump_clock, how):
        handled = []

        @sio.on("n")
        async def number(socket, value):
            handled.append(value)

        async def read(socket):
            async for _ in socket:
                if how == "raises":
                    raise KeyError
                if how == "returns":
                    return
                await trio.sleep_forever()

        async with connect(sio, "40") as client:
            async with trio.open_nursery() as nursery:

                async def run():
                    with pytest.raises(KeyError) if how == "raises" else trio.move_on_after(1):
                        await read(socket_of(sio))

                nursery.start_soon(run)
                await client.put(*numbers(*range(5)))
            await settle()
            assert handled == list(range(5))
            assert not socket_of(sio)._life.dispatcher._inlets

    async def test_an_error_that_is_kept_does_not_keep_the_stream(self, sio, autojump_clock):
        errors = errors_of(sio)
        sio.on("x")(echo)

        @sio.on("read", concurrent=True)
        async def read(socket):
            with trio.move_on_after(1):
                try:
                    async for _ in socket:
                        pass
                finally:
                    raise ValueError  # its context is the cancellation, with the frames of the loop

        async with connect(sio, "40") as client:
            await client.put('42["read"]')
            await trio.sleep(2)
            assert [type(error.__context__) for _, error in errors] == [trio.Cancelled]
            await client.put('421["x"]')
            assert client.get_waiting() == ["431[]"]

    async def test_it_ends_with_the_socket_for_others(self, sio, autojump_clock):
        ended = []

        async def read(socket):
            ended.append([event.name async for event in socket])

        async with connect(sio, "40") as client, trio.open_nursery() as nursery:
            socket = socket_of(sio)
            nursery.start_soon(read, socket)
            await settle()
            await client.put('42["a"]')
            socket.disconnect()
            await settle()
            assert ended == [["a"]]
            await read(socket)
            assert ended == [["a"], []]

    async def test_in_on_disconnect_it_is_at_its_end(self, sio, autojump_clock):
        ended = []

        @sio.on_disconnect
        async def gone(socket, reason):
            ended.append([event async for event in socket])

        async with connect(sio, "40") as client:
            await client.put("41")
        assert ended == [[]]

    async def test_nothing_is_left_of_it(self, sio, autojump_clock):
        async with connect(sio, "40"):
            stream = aiter(socket_of(sio))
            assert sys.getrefcount(stream) == 2, "the worker holds the other end only"
            assert len(socket_of(sio)._life.dispatcher._inlets) == 1
            del stream
            await settle()
            assert not socket_of(sio)._life.dispatcher._inlets


class TestInHandlers:
    """Where to read would be to wait for oneself."""

    async def test_in_order_it_is_refused(self, sio, autojump_clock):
        errors = errors_of(sio)

        @sio.on("loop")
        async def loop(socket):
            async for _ in socket:
                pytest.fail("no event can come")

        @sio.on("block")
        async def block(socket):
            async with socket.events("n") as events:
                await anext(events)

        @sio.on("child")
        async def child(socket):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(loop, socket)

        sio.on("x")(echo)
        async with connect(sio, "40") as client:
            await client.put('42["loop"]', '42["block"]', '42["child"]', '421["x"]')
            assert client.get_waiting() == ["431[]"]
            assert not socket_of(sio)._life.dispatcher._inlets
        assert [(event, type(error)) for event, error in errors] == [
            (name, RuntimeError) for name in ("loop", "block", "child")
        ]
        assert "register it with concurrent=True" in str(errors[0][1])

    @pytest.mark.parametrize("kind", ["any", "packets"])
    async def test_in_listeners_and_middlewares_likewise(self, sio, autojump_clock, kind):
        errors = errors_of(sio)

        async def read(socket, *args):
            async for _ in socket:
                pytest.fail("no event can come")

        (sio.on_any if kind == "any" else sio.packet_middleware)(read)
        async with connect(sio, "40") as client:
            await client.put('42["x"]')
        assert [(event, type(error)) for event, error in errors] == [("x", RuntimeError)]

    async def test_concurrent_ones_and_all_that_run_beside_may_read(self, sio, autojump_clock):
        seen = []

        async def read(socket, name):
            async with socket.events("n") as events:
                seen.append((name, (await anext(events)).args[0]))

        @sio.on_connection
        async def connection(socket):
            socket.nursery.start_soon(read, socket, "socket.nursery")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, socket, "connection")

        @sio.on("concurrent", concurrent=True)
        async def concurrent(socket):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, socket, "concurrent")

        @sio.on("starts")
        async def starts(socket):
            socket.nursery.start_soon(read, socket, "started")

        async with connect(sio, "40") as client, connect(sio, "40") as other:
            await client.put('42["concurrent"]')
            await client.put('42["starts"]')
            await client.put(*numbers(1))
            assert sorted(seen) == [("concurrent", 1), ("connection", 1), ("socket.nursery", 1), ("started", 1)]
            seen.clear()

            @sio.on("of another")
            async def of_another(socket):
                await read(next(each for each in sio.sockets.values() if each is not socket), "of another")
                return "read"

            await other.put('421["of another"]')
            await client.put(*numbers(2))
            assert other.get_waiting() == ['431["read"]']


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

    async def test_a_handler_that_it_does_not_fit_does_not(self, sio, autojump_clock):
        @sio.on("n")
        async def number(socket): ...

        async with connect(sio, "40") as client, socket_of(sio).events() as events:
            client.put_nowait('427["n",1]')
            event = await anext(events)
            assert event.wants_answer
            await event.answer()
            await settle()
            assert client.get_waiting() == ["437[]"]

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
