"""The task that writes a session to a stream that can only be awaited."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import MemoryStream, open_polling, open_stream, post, request, settle
from tests.support.engine import WEBSOCKET, message, nothing_is_left, recorder, running_engine
from trio_socketio import CloseReason, Limits
from trio_socketio._engine.writer import TaskWriter


class TestWriter:
    async def test_in_order(self, opened, autojump_clock):
        for number in range(5):
            opened.session.send([message(str(number)), message(bytes([number]))])
        expected = [form for number in range(5) for form in (f"4{number}", bytes([number]))]
        assert await opened.client.get_all(10) == expected

    async def test_writable(self, opened, autojump_clock):
        transport = opened.session.transport
        assert (transport.name, transport.writable) == ("websocket", True)
        opened.client.reading = trio.Event()
        opened.session.send([message("a")])
        await settle()
        assert not transport.writable
        opened.session.send_volatile([message("dropped")])
        opened.client.reading.set()
        await settle()
        assert transport.writable
        opened.session.send_volatile([message("b")])
        await settle()
        assert opened.client.get_waiting() == ["4a", "4b"]

    async def test_the_connection_is_found_broken_by_a_write(self, autojump_clock):
        class Broken(MemoryStream):
            async def send(self, message):
                await trio.lowlevel.checkpoint()
                raise trio.BrokenResourceError

        async with running_engine() as engine:
            await engine.carry(await engine.admit(request(WEBSOCKET)), Broken())
            await nothing_is_left(engine)

    async def test_a_host_that_raises_something_else_costs_that_session_only(self, autojump_clock, caplog):
        class Faulty(MemoryStream):
            async def send(self, message):
                await super().send(message)
                if message == "4now":
                    raise RuntimeError("a fault of the host")

        async with running_engine() as engine:
            query, other = await open_polling(engine)
            stream = Faulty()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.carry, await engine.admit(request(WEBSOCKET)), stream)
                await stream.get()
                (session,) = set(engine.sessions.values()) - {other}
                session.send([message("now")])
            assert session.close_reason is not None
            assert other.close_reason is None
            assert (await post(engine, query, b"4a")).status == 200
        assert "a fault of the host" in caplog.text


class TestWriteDeadline:
    async def test_to_the_tick(self, opened, autojump_clock):
        opened.client.reading = trio.Event()
        await trio.sleep(5)
        opened.session.send([message("a")])
        await trio.sleep(100)
        assert (opened.recorder.reasons, opened.recorder.closed_at) == ([CloseReason.SLOW_CONSUMER], 15)

    async def test_one_that_reads_in_time(self, opened, autojump_clock):
        opened.client.reading = trio.Event()
        opened.session.send([message("a")])
        await trio.sleep(9.999)
        opened.client.reading.set()
        assert await opened.client.get() == "4a"
        await trio.sleep(10)
        assert opened.recorder.reasons == []

    async def test_it_is_of_one_write_not_of_all_that_waits(self, autojump_clock, nursery):
        # Limits.write_deadline: "Seconds that one write may take". This client takes a frame a second, steadily.
        class Steady(MemoryStream):
            async def send(self, frame):
                await trio.sleep(1)
                await super().send(frame)

        async with running_engine() as engine:
            stream = Steady()
            nursery.start_soon(engine.carry, await engine.admit(request(WEBSOCKET)), stream)
            assert (await stream.get())[0] == "0"
            (session,) = engine.sessions.values()
            for number in range(15):
                session.send([message(str(number))])
            assert await stream.get_all(15) == [f"4{number}" for number in range(15)]
            assert recorder(session).reasons == []
            stream.cut()
            await settle()

    async def test_a_call_that_carries_returns_also_while_a_send_is_stuck(self, autojump_clock):
        class Stuck(MemoryStream):
            """Its send can't be cancelled, as stock hypercorn's."""

            async def send(self, frame):
                with trio.CancelScope(shield=True):
                    await super().send(frame)

        async with running_engine() as engine:
            stream = Stuck()
            stream.reading = trio.Event()
            await engine.carry(await engine.admit(request(WEBSOCKET)), stream)
            # The OPEN packet was never taken: the write deadline, and a second for the farewell.
            assert trio.current_time() == pytest.approx(11)
            assert not engine.sessions
            # The host sees the call return, and drops the connection.
            stream.cut()
            await nothing_is_left(engine)

    async def test_a_close_frame_that_is_not_taken(self, autojump_clock):
        class Stubborn(MemoryStream):
            async def aclose(self):
                await trio.sleep_forever()

        async with running_engine() as engine:
            stream = Stubborn()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.carry, await engine.admit(request(WEBSOCKET)), stream)
                await stream.get()
                await stream.put("1")
                assert not engine.sessions
            assert trio.current_time() == pytest.approx(1)
            await nothing_is_left(engine)


class TestGracefulClose:
    async def test_what_waits_is_delivered_first(self, opened, autojump_clock):
        opened.client.reading = trio.Event()
        for number in range(3):
            opened.session.send([message(str(number))])
        opened.session.close_gracefully(CloseReason.SERVER_NAMESPACE_DISCONNECT)
        await trio.sleep(5)
        assert opened.recorder.reasons == []
        opened.client.reading.set()
        assert await opened.client.get_close() == ["40", "41", "42"]
        await settle()
        assert opened.recorder.reasons == [CloseReason.SERVER_NAMESPACE_DISCONNECT]

    async def test_at_once_if_nothing_waits(self, opened, autojump_clock):
        opened.session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        assert await opened.client.get_close() == []
        assert opened.recorder.closed_at == 0

    async def test_its_bound(self, autojump_clock):
        limits = Limits(close_timeout=4)
        async with running_engine(limits=limits) as engine, open_stream(engine) as client:
            await client.get()
            (session,) = engine.sessions.values()
            client.reading = trio.Event()
            session.send([message("a")])
            await settle()
            session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
            await trio.sleep(20)
            assert (recorder(session).reasons, recorder(session).closed_at) == (
                [CloseReason.SERVER_SHUTTING_DOWN],
                4,
            )

    async def test_what_comes_meanwhile_is_dropped(self, opened, autojump_clock):
        opened.client.reading = trio.Event()
        opened.session.send([message("a")])
        await settle()
        opened.session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await opened.client.put("4late", "2")
        assert opened.recorder.messages == []
        opened.client.reading.set()
        assert await opened.client.get_close() == ["4a"]


class TestWakingAndEnd:
    """The writer by itself."""

    @pytest.fixture
    async def written(self, engine, nursery):
        """A writer on a stream that a session without a transport is written to."""
        _, session = await open_polling(engine)
        stream = MemoryStream()
        writer = TaskWriter(stream, session, nursery.start_soon)
        session.attach(Transport(writer))
        await settle()
        return writer, session, stream

    @pytest.mark.parametrize("way", ["wake", "flush"])
    async def test_woken(self, written, autojump_clock, way):
        writer, session, stream = written
        session.outbox.put([message("a")])
        await settle()
        assert stream.get_waiting() == []
        getattr(writer, way)()
        getattr(writer, way)()
        await settle()
        assert stream.get_waiting() == ["4a"]
        assert not writer.finished.is_set()

    async def test_finished_behind_the_close(self, written, autojump_clock):
        writer, session, stream = written
        stream.reading = trio.Event()
        session.send([message("a"), message("b")])
        await settle()
        session.close(CloseReason.FORCED_SERVER_CLOSE)
        await settle()
        assert not writer.finished.is_set()
        stream.reading.set()
        assert await stream.get_close() == ["4a"], "what was begun is ended, and nothing more is begun"
        await settle()
        assert writer.finished.is_set()

    @pytest.mark.parametrize("error", [trio.BrokenResourceError(), RuntimeError("a fault of the host")])
    async def test_finished_behind_an_error(self, written, autojump_clock, error):
        writer, session, stream = written

        async def fail(message):
            raise error

        stream.send = fail
        session.send([message("a")])
        await settle()
        assert writer.finished.is_set()
        is_gone = isinstance(error, trio.BrokenResourceError)
        assert session.close_reason is (CloseReason.TRANSPORT_CLOSE if is_gone else CloseReason.TRANSPORT_ERROR)


class Transport:
    """As much of one as a writer needs."""

    name = "websocket"

    def __init__(self, writer: TaskWriter) -> None:
        self.wake = self.flush = self.end = writer.wake

    @property
    def writable(self) -> bool:
        return True
