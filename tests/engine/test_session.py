"""A session: three states, one way through them, and nothing left behind."""

from __future__ import annotations

import logging
from functools import partial
from types import SimpleNamespace

import pytest
import trio

from tests.support.client import open_polling, open_stream, poll, post, settle
from tests.support.engine import Recorder, ask, message, nothing_is_left, recorder, running_engine
from trio_socketio import CloseReason, Disconnected, Limits, RemoteProtocolError
from trio_socketio._engine.session import SessionState
from trio_socketio._wire.engine_packet import CLOSE, NOOP, PING, EnginePacket, PacketType


async def receive(session, packet) -> None:
    waiting = session.take(packet)
    if waiting is not None:
        await waiting


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine(limits=Limits(send_queue_packets=3, send_queue_bytes=100)) as engine:
        yield engine


@pytest.fixture
async def session(engine):
    _, session = await open_polling(engine)
    return session


class TestSend:
    async def test_up_to_the_bound(self, session, autojump_clock):
        session.send([message("a")])
        session.send([message("b"), message(b"1")])
        with pytest.raises(trio.WouldBlock):
            session.send([message("c")])
        assert [packet.data for packet in session.outbox.take()] == ["a", "b", b"1"]
        session.send([message("c")])

    async def test_a_batch_for_which_there_is_no_room_is_not_put_at_all(self, session, autojump_clock):
        session.send([message("a")])
        with pytest.raises(trio.WouldBlock):
            session.send([message("b"), message(b"1"), message(b"2")])
        assert len(session.outbox) == 1

    @pytest.mark.parametrize("how", ["close", "close_gracefully"])
    async def test_after_the_end(self, session, autojump_clock, how):
        getattr(session, how)(CloseReason.SERVER_SHUTTING_DOWN)
        with pytest.raises(Disconnected) as raised:
            session.send([message("a")])
        assert raised.value.reason == "server shutting down"
        session.send_volatile([message("a")])
        assert not session.outbox

    async def test_volatile(self, engine, session, nursery, autojump_clock):
        session.send_volatile([message("nobody holds a poll")])
        assert not session.outbox
        query = f"EIO=4&transport=polling&sid={session.sid}"
        asked = await ask(nursery, engine, "GET", query)
        session.send([message("a")])
        session.send_volatile([message("behind another")])
        await settle()
        assert asked.result == (200, b"4a")

    async def test_before_there_is_a_transport(self, session, autojump_clock):
        session.transport = None
        session.send([message("a")])
        session.send_volatile([message("dropped")])
        session._ping()
        assert [packet.type for packet in session.outbox.take()] == [PacketType.MESSAGE, PacketType.PING]


class TestPutInTurn:
    async def test_it_goes_through_when_there_is_room(self, engine, session, nursery, autojump_clock):
        woken = []

        async def wait():
            await session.put_in_turn(SimpleNamespace(gone=None), partial(session.send, [message("b")]))
            woken.append(trio.current_time())

        session.send([message("a")] * 1024)
        nursery.start_soon(wait)
        await trio.sleep(3)
        assert not woken
        await poll(engine, f"EIO=4&transport=polling&sid={session.sid}")
        await settle()
        assert woken == [3]

    async def test_it_raises_when_the_session_ends(self, session, nursery, autojump_clock):
        raised = []

        async def send():
            try:
                await session.put_in_turn(SimpleNamespace(gone=None), partial(session.send, [message("b")]))
            except Disconnected as error:
                raised.append(error.reason)

        session.send([message("a")] * 1024)
        nursery.start_soon(send)
        await settle()
        session.close(CloseReason.PING_TIMEOUT)
        await settle()
        assert raised == ["ping timeout"]


class TestReceive:
    async def test_messages(self, session, autojump_clock):
        await receive(session, message("a"))
        await receive(session, message(b"1"))
        assert recorder(session).messages == ["a", b"1"]

    async def test_a_close(self, session, autojump_clock):
        await receive(session, CLOSE)
        assert (session.state, session.close_reason) == (SessionState.CLOSED, CloseReason.TRANSPORT_CLOSE)

    async def test_a_close_while_it_closes_ends_the_waiting(self, session, autojump_clock):
        session.send([message("last")])
        session.close_gracefully(CloseReason.SERVER_NAMESPACE_DISCONNECT)
        await receive(session, message("too late"))
        assert session.state is SessionState.CLOSING
        await receive(session, CLOSE)
        assert (session.state, session.close_reason) == (SessionState.CLOSED, CloseReason.SERVER_NAMESPACE_DISCONNECT)
        assert recorder(session).messages == []

    async def test_a_ping_is_in_the_wrong_direction(self, session, autojump_clock):
        with pytest.raises(RemoteProtocolError, match="heartbeat direction"):
            await receive(session, PING)
        assert session.close_reason is CloseReason.TRANSPORT_ERROR

    async def test_a_message_that_may_not_come(self, session, autojump_clock):
        with pytest.raises(RemoteProtocolError, match="may not come"):
            await receive(session, message("refuse me"))
        assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_others_mean_nothing(self, session, autojump_clock):
        for packet in (NOOP, EnginePacket(PacketType.OPEN, "{}"), EnginePacket(PacketType.UPGRADE)):
            await receive(session, packet)
        assert session.state is SessionState.OPEN

    @pytest.mark.parametrize("how", ["close", "close_gracefully"])
    async def test_after_the_end_nothing_is_taken(self, session, autojump_clock, how):
        getattr(session, how)(CloseReason.FORCED_SERVER_CLOSE)
        for packet in (message("late"), PING, CLOSE):
            await receive(session, packet)
        assert recorder(session).messages == []
        assert session.close_reason is CloseReason.FORCED_SERVER_CLOSE


class TestClose:
    async def test_it_is_synchronous(self, engine, session, autojump_clock):
        session.send([message("dropped")])
        session.close(CloseReason.FORCED_SERVER_CLOSE)
        assert session.state is SessionState.CLOSED
        assert session.closed.is_set()
        assert session.sid not in engine.sessions
        assert not session.outbox
        assert recorder(session).reasons == [CloseReason.FORCED_SERVER_CLOSE]
        await nothing_is_left(engine)
        assert recorder(session).task_ended

    async def test_the_first_reason_stays(self, session, autojump_clock):
        session.close(CloseReason.PING_TIMEOUT)
        session.close(CloseReason.TRANSPORT_CLOSE)
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        assert recorder(session).reasons == [CloseReason.PING_TIMEOUT]
        assert session.close_reason is CloseReason.PING_TIMEOUT

    async def test_gracefully_once(self, session, autojump_clock):
        session.send([message("a")])
        session.close_gracefully(CloseReason.SERVER_NAMESPACE_DISCONNECT)
        await trio.sleep(9)
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await trio.sleep(100)
        assert recorder(session).reasons == [CloseReason.SERVER_NAMESPACE_DISCONNECT]
        assert recorder(session).closed_at == 10, "the second call prolongs nothing"

    async def test_gracefully_then_at_once(self, session, autojump_clock):
        session.send([message("a")])
        session.close_gracefully(CloseReason.SERVER_NAMESPACE_DISCONNECT)
        session.close(CloseReason.TRANSPORT_CLOSE)
        assert recorder(session).reasons == [CloseReason.SERVER_NAMESPACE_DISCONNECT]

    async def test_gracefully_without_a_transport(self, session, autojump_clock):
        session.transport = None
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await trio.sleep(100)
        assert recorder(session).closed_at == 10

    async def test_no_ping_while_it_closes(self, session, autojump_clock):
        await trio.sleep(24)
        session.send([message("a")])
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await trio.sleep(5)
        assert [packet.data for packet in session.outbox.take()] == ["a"]

    async def test_without_a_transport(self, engine, session, autojump_clock):
        session.transport = None
        session.close(CloseReason.SERVER_SHUTTING_DOWN)
        await nothing_is_left(engine)


class TestNothingIsLeft:
    """However it ends: no session, no task, and its reason once."""

    @pytest.mark.parametrize("way", ["closed by the client", "bad packet", "poll given up", "ping timeout", "server"])
    async def test_on_polling(self, engine, nursery, autojump_clock, way):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        reason = None
        if way == "closed by the client":
            await post(engine, query, b"1")
            reason = CloseReason.TRANSPORT_CLOSE
        elif way == "bad packet":
            await post(engine, query, b"x")
            reason = CloseReason.PARSE_ERROR
        elif way == "poll given up":
            asked.give_up()
            reason = CloseReason.TRANSPORT_ERROR
        elif way == "ping timeout":
            await trio.sleep(46)
            reason = CloseReason.PING_TIMEOUT
        else:
            session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
            reason = CloseReason.SERVER_SHUTTING_DOWN
        await nothing_is_left(engine)
        assert recorder(session).reasons == [reason]
        assert recorder(session).task_ended
        assert session.sid not in engine.sessions

    @pytest.mark.parametrize("way", ["1", "x", "cut", "slow", "ping timeout", "server"])
    @pytest.mark.parametrize("upgraded", [False, True])
    async def test_on_a_websocket(self, engine, autojump_clock, way, upgraded):
        query = "EIO=4&transport=websocket"
        if upgraded:
            query = (await open_polling(engine))[0].replace("polling", "websocket")
        async with open_stream(engine, query) as client:
            await client.put(*(["2probe", "5"] if upgraded else []))
            await client.get()
            (session,) = engine.sessions.values()
            if way in {"1", "x"}:
                await client.put(way)
            elif way == "cut":
                client.cut()
            elif way == "slow":
                client.reading = trio.Event()
                session.send([message("a")])
                await trio.sleep(11)
            elif way == "ping timeout":
                await trio.sleep(46)
            else:
                session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
            await settle()
            assert not engine.sessions
        await nothing_is_left(engine)
        expected = {
            "1": CloseReason.TRANSPORT_CLOSE, "x": CloseReason.PARSE_ERROR, "cut": CloseReason.TRANSPORT_CLOSE,
            "slow": CloseReason.SLOW_CONSUMER, "ping timeout": CloseReason.PING_TIMEOUT,
            "server": CloseReason.SERVER_SHUTTING_DOWN,
        }  # fmt: skip
        assert recorder(session).reasons == [expected[way]]
        assert recorder(session).task_ended


class TestTrace:
    async def test_packets_are_shown_cut_short_and_the_sid_is_not(self, autojump_clock, caplog):
        caplog.set_level(logging.DEBUG, "trio_socketio.engine")
        async with running_engine() as engine:
            query, session = await open_polling(engine)
            session.send([message("to the client\n" + "x" * 1000)])
            await post(engine, query, b"4from the client")
            with pytest.raises(RemoteProtocolError):
                await receive(session, message("refuse me"))
        assert r"sends MESSAGE 'to the client\nxxx" in caplog.text
        assert "received MESSAGE 'from the client' by polling" in caplog.text
        assert "this message may not come" in caplog.text
        assert "closed, forced close" in caplog.text
        assert "x" * 300 not in caplog.text
        assert session.sid not in caplog.text

    async def test_before_there_is_a_transport(self, autojump_clock, caplog):
        caplog.set_level(logging.DEBUG, "trio_socketio.engine")
        async with running_engine() as engine:
            _, session = await open_polling(engine)
            session.transport = None
            session.send([message("a")])
        assert "sends MESSAGE 'a' by -" in caplog.text

    async def test_silent_by_default(self, autojump_clock, caplog):
        async with running_engine() as engine:
            query, _ = await open_polling(engine)
            await post(engine, query, b"4from the client")
        assert not caplog.records


async def test_a_handler_that_is_told_nothing_more_after_the_end(engine, autojump_clock):
    query, session = await open_polling(engine)
    await post(engine, query, b"1")
    await receive(session, message("late"))
    await trio.sleep(1000)
    handler = recorder(session)
    assert (handler.messages, handler.reasons) == ([], [CloseReason.TRANSPORT_CLOSE])
    assert isinstance(handler, Recorder)
