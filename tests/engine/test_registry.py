"""The engine's sessions: how many, how they run and stop, and what one session's fault costs."""

from __future__ import annotations

import contextvars
import json
import math
import re

import pytest
import trio
from trio.testing import assert_checkpoints

from tests.support.client import MemoryStream, open_polling, open_stream, poll, post, request, settle
from tests.support.engine import (
    POLLING,
    WEBSOCKET,
    Recorder,
    an_engine,
    ask,
    message,
    nothing_is_left,
    recorder,
    refusal,
    running_engine,
)
from trio_socketio import CloseReason, Limits
from trio_socketio._engine.server import Admission


class TestOpen:
    async def test_many_at_a_time_do_not_get_past_max_sessions(self, nursery, autojump_clock):
        opened = []

        async def ask_first_then_open(registry):
            assert registry.takes_new
            await trio.sleep(1)
            opened.append(await registry.open(request(POLLING)))

        async with running_engine(limits=Limits(max_sessions=3)) as engine:
            for _ in range(10):
                nursery.start_soon(ask_first_then_open, engine._registry)
            await trio.sleep(2)
            begun = [session for session in opened if session is not None]
            assert (len(opened), len(begun)) == (10, 3)
            assert dict(engine.sessions) == {session.sid: session for session in begun}
            assert all(re.fullmatch("[A-Za-z0-9_-]{20}", sid) for sid in engine.sessions)
            begun[0].close(CloseReason.TRANSPORT_CLOSE)
            assert await engine._registry.open(request(POLLING)) is not None

    async def test_one_that_is_given_up_in_its_midst_is_not_kept(self, engine, autojump_clock):
        with trio.CancelScope() as scope:
            scope.cancel()
            await engine._registry.open(request(POLLING))
        assert scope.cancelled_caught
        await nothing_is_left(engine)

    async def test_found_while_its_deadline_is_not_over(self, engine, autojump_clock):
        session = await engine._registry.open(request(POLLING))
        assert engine._registry.find(session.sid) is session
        assert engine._registry.find("another") is None
        autojump_clock.autojump_threshold = math.inf
        session.timers.set("deadline", 5, lambda: session.close(CloseReason.PING_TIMEOUT))
        autojump_clock.jump(5)
        # The session's own task has had no turn yet.
        assert session.close_reason is None
        assert engine._registry.find(session.sid) is None
        assert session.close_reason is CloseReason.PING_TIMEOUT


class TestCapacity:
    async def test_max_sessions(self, autojump_clock):
        async with running_engine(limits=Limits(max_sessions=2)) as engine:
            query, _ = await open_polling(engine)
            async with open_stream(engine) as client:
                await client.get()
                for response in (await poll(engine, POLLING), await engine.admit(request(WEBSOCKET))):
                    assert (response.status, response.body) == (503, b"")
                    assert ("retry-after", "1") in response.headers
                assert (await post(engine, query, b"4a")).status == 200, "those that are here go on"
                # And there may be an upgrade.
                assert isinstance(await engine.admit(request(query.replace("polling", "websocket"))), Admission)
            await settle()
            await open_polling(engine)

    async def test_websockets_that_are_accepted_at_the_same_time(self, autojump_clock):
        async with running_engine(limits=Limits(max_sessions=1)) as engine:
            admissions = [await engine.admit(request(WEBSOCKET)) for _ in range(3)]
            async with trio.open_nursery() as nursery:
                streams = [MemoryStream() for _ in admissions]
                for admission, stream in zip(admissions, streams, strict=True):
                    assert isinstance(admission, Admission)
                    nursery.start_soon(engine.carry, admission, stream)
                await settle()
                assert len(engine.sessions) == 1
                opened = [bool(stream.get_waiting()) for stream in streams]
                assert sorted(opened) == [False, False, True], "nobody is told of a session that is none"
                for stream in streams:
                    stream.cut()

    async def test_nobody_runs_it(self, autojump_clock, caplog):
        engine = an_engine()
        assert not engine.is_running
        for response in (await poll(engine, POLLING), await engine.admit(request(WEBSOCKET))):
            assert (response.status, ("retry-after", "1") in response.headers) == (503, True)
        assert [record.levelname for record in caplog.records] == ["ERROR"] * 2
        assert "nobody runs the server: enter Server.running()" in caplog.text
        assert refusal(await poll(engine, f"{POLLING}&sid=unknown")) == (400, 1)
        engine.undelivered(request(POLLING), None, CloseReason.TRANSPORT_ERROR)


class TestRunning:
    async def test_again_and_again(self, autojump_clock):
        engine = an_engine()
        for _ in range(3):
            async with engine.running():
                assert engine.is_running
                await open_polling(engine)
                await engine.drain()
            assert not engine.is_running
            assert not engine.sessions

    async def test_twice_at_a_time(self, engine, autojump_clock):
        query, _ = await open_polling(engine)
        with pytest.raises(RuntimeError, match="running already: enter running\\(\\) once"):
            async with engine.running():
                pass
        assert engine.is_running
        assert (await post(engine, query, b"4a")).status == 200

    async def test_leaving_it_closes_all_at_once(self, autojump_clock, nursery):
        engine = an_engine()
        async with engine.running():
            query, first = await open_polling(engine)
            held = await ask(nursery, engine, "GET", query)
            async with open_stream(engine) as client:
                await client.get()
                second = next(session for session in engine.sessions.values() if session is not first)
        await settle()
        assert recorder(first).reasons == [CloseReason.SERVER_SHUTTING_DOWN]
        assert recorder(second).reasons == [CloseReason.TRANSPORT_CLOSE]
        assert held.result == (200, b"1")
        assert trio.current_time() == 0
        assert recorder(first).task_ended

    async def test_leaving_it_with_a_client_that_does_not_read(self, autojump_clock, nursery):
        engine = an_engine()
        stream = MemoryStream()
        async with engine.running():
            stream.reading = trio.Event()
            nursery.start_soon(engine.carry, await engine.admit(request(WEBSOCKET)), stream)
            await settle()
        # 5 s for the disconnect handlers, and one for the farewell.
        assert trio.current_time() == 6
        assert not engine.is_running
        stream.cut()

    async def test_it_does_so_although_a_cancellation_comes_while_sessions_end(self, autojump_clock):
        class Slow(Recorder):
            async def _live(self) -> None:
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(3)

        engine = an_engine(handler=Slow)
        with pytest.raises(ValueError, match="not lost"), trio.move_on_after(1):
            async with engine.running():
                await open_polling(engine)
                raise ValueError("not lost")
        assert not engine.is_running

    @pytest.mark.parametrize("error", [ValueError("plain"), KeyboardInterrupt(), SystemExit(3)])
    async def test_an_exception_of_its_body_comes_out_plainly(self, autojump_clock, error):
        engine = an_engine()
        with pytest.raises(type(error)) as raised:
            async with engine.running():
                await open_polling(engine)
                raise error
        assert raised.value is error
        assert not engine.sessions
        assert not engine.is_running

    async def test_a_group_of_its_body_comes_out_as_it_is(self, autojump_clock):
        group = ExceptionGroup("mine", [ValueError(), KeyError()])
        with pytest.raises(ExceptionGroup) as raised:
            async with an_engine().running():
                raise group
        assert raised.value is group

    async def test_cancelled(self, autojump_clock):
        engine = an_engine()
        with trio.move_on_after(5) as scope:
            async with engine.running():
                _, session = await open_polling(engine)
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert recorder(session).reasons == [CloseReason.SERVER_SHUTTING_DOWN]
        assert recorder(session).task_ended
        assert not engine.sessions
        assert trio.current_time() == 5

    async def test_a_cancelled_body_lets_the_exception_of_its_cleanup_out(self, autojump_clock):
        with pytest.raises(ValueError, match="in the cleanup"), trio.move_on_after(5):
            async with an_engine().running():
                try:
                    await trio.sleep_forever()
                finally:
                    raise ValueError("in the cleanup")

    async def test_a_handshake_in_the_moment_of_leaving(self, autojump_clock, nursery):
        engine = an_engine()
        async with engine.running():
            asked_scope = trio.CancelScope()

            async def ask_now():
                with asked_scope:
                    await poll(engine, POLLING)

            nursery.start_soon(ask_now)
            while not engine.sessions:
                await trio.lowlevel.checkpoint()
        assert trio.current_time() == 0, "a session that closed before its task began holds nothing up"
        assert not engine.sessions
        await settle()
        asked_scope.cancel()

    @pytest.mark.parametrize("what", ["drain", "stop"])
    async def test_it_ends_between_a_websockets_admission_and_its_session(self, autojump_clock, what):
        engine = an_engine()
        stream = MemoryStream()
        async with engine.running():
            admission = await engine.admit(request(WEBSOCKET))
            if what == "drain":
                await engine.drain()
                with trio.fail_after(5):
                    await engine.carry(admission, stream)
        if what == "stop":
            await engine.carry(admission, stream)
        assert await stream.get_close() == [], "no session was opened"

    async def test_background_tasks(self, autojump_clock):
        engine = an_engine()
        happened = []

        async def wait():
            try:
                await trio.sleep_forever()
            finally:
                happened.append("takes new ones" if engine._registry.takes_new else "cancelled")

        assert not engine.start_soon(wait)
        async with engine.running():
            assert engine.start_soon(wait)
            engine._registry.start_with_sessions(wait)
            await settle()
        # The second while sessions end: they have 6 seconds, and no new one may begin.
        assert (happened, trio.current_time()) == (["cancelled"] * 2, 6)
        assert not engine.start_soon(wait)


class TestDrain:
    async def test_each_client_as_it_is(self, engine, nursery, autojump_clock):
        absent_query, absent = await open_polling(engine)
        held_query, held = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", held_query)
        waiting_query, waiting = await open_polling(engine)
        waiting.send([message("a")])
        async with open_stream(engine) as client:
            await client.get()
            async with trio.open_nursery() as draining:
                draining.start_soon(engine.drain)
                await settle()
                # Between two polls and nothing to be told: closed. A held poll: told. A WebSocket: closed.
                assert absent.close_reason is CloseReason.SERVER_SHUTTING_DOWN
                assert (await poll(engine, absent_query)).status == 400
                assert asked.result == (200, b"1")
                assert await client.get_close() == []
                # New ones are refused, and what waits is waited for.
                for response in (await poll(engine, POLLING), await engine.admit(request(WEBSOCKET))):
                    assert (response.status, ("retry-after", "1") in response.headers) == (503, True)
                assert draining.child_tasks
                assert (await poll(engine, waiting_query)).body == b"4a"
                assert draining.child_tasks
                assert (await poll(engine, waiting_query)).body == b"6\x1e1"
        for session in (absent, held, waiting):
            assert recorder(session).reasons == [CloseReason.SERVER_SHUTTING_DOWN]
        assert trio.current_time() == 0
        await nothing_is_left(engine)

    async def test_its_bound_is_close_timeout(self, engine, autojump_clock):
        _, session = await open_polling(engine)
        session.send([message("a")])
        await engine.drain()
        assert trio.current_time() == 10
        assert recorder(session).reasons == [CloseReason.SERVER_SHUTTING_DOWN]

    async def test_cancelled(self, engine, autojump_clock):
        _, session = await open_polling(engine)
        session.send([message("a")])
        with trio.move_on_after(3):
            await engine.drain()
        assert (trio.current_time(), session.close_reason) == (3, CloseReason.SERVER_SHUTTING_DOWN)
        assert (await poll(engine, POLLING)).status == 503

    async def test_nobody_is_there(self, engine, autojump_clock):
        with assert_checkpoints():
            await engine.drain()
        assert trio.current_time() == 0

    async def test_a_session_that_has_no_transport_yet(self, engine, autojump_clock):
        session = await engine._registry.open(request(POLLING))
        await engine.drain()
        assert (trio.current_time(), session.close_reason) == (0, CloseReason.SERVER_SHUTTING_DOWN)

    async def test_no_upgrade_begins_while_it_drains(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        session.send([message("a")])
        nursery.start_soon(engine.drain)
        await settle()
        async with open_stream(engine, query.replace("polling", "websocket")) as client:
            assert await client.get_close() == []
        assert (await poll(engine, query)).body == b"4a"
        assert (await poll(engine, query)).body == b"6\x1e1"


class TestFaults:
    """What fails in one session's task costs that session only."""

    class Failing(Recorder):
        """Fails where the query of its handshake says."""

        def __init__(self, session):
            super().__init__(session)
            self.where = session.request.query.get("fail")
            if self.where == "accept":
                raise RuntimeError("in accept")

        def start(self, nursery):
            super().start(nursery)
            if self.where == "start":
                raise RuntimeError("in start")
            if self.where == "task":
                nursery.start_soon(self.fail)

        async def fail(self):
            await trio.sleep(1)
            raise RuntimeError("in a task")

    @pytest.fixture
    async def failing(self, autojump_clock):
        async with running_engine(handler=self.Failing) as engine:
            yield engine

    async def test_in_a_task(self, failing, autojump_clock, caplog):
        query, other = await open_polling(failing)
        response = await poll(failing, f"{POLLING}&fail=task")
        sid = json.loads(response.body[1:])["sid"]
        session = failing.sessions[sid]
        await trio.sleep(2)
        assert sid not in failing.sessions
        assert recorder(session).reasons == [CloseReason.SERVER_SHUTTING_DOWN]
        assert refusal(await poll(failing, f"{POLLING}&sid={sid}")) == (400, 1)
        assert other.close_reason is None
        assert (await post(failing, query, b"4a")).status == 200
        assert "RuntimeError: in a task" in caplog.text
        assert sid not in caplog.text

    @pytest.mark.parametrize("where", ["accept", "start"])
    async def test_before_it_has_started(self, failing, nursery, autojump_clock, caplog, where):
        _, other = await open_polling(failing)
        asked = await ask(nursery, failing, "GET", f"{POLLING}&fail={where}")
        assert asked.result == (503, b""), "nobody would answer the sid of a dead session"
        assert f"RuntimeError: in {where}" in caplog.text
        assert dict(failing.sessions) == {other.sid: other}, "the session was kept, or took another one with it"
        assert other.close_reason is None
        asked.give_up()

    async def test_on_a_websocket(self, failing, autojump_clock, caplog):
        async with open_stream(failing, f"{WEBSOCKET}&fail=task") as client:
            await client.get()
            assert await client.get_close() == []
            assert trio.current_time() == 1
        assert failing.is_running
        assert "RuntimeError: in a task" in caplog.text


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nobody's")


class TestContext:
    async def test_variables_of_a_request_do_not_leak_into_the_sessions_task(self, autojump_clock):
        token = variable.set("the server's")
        try:
            async with running_engine() as engine:
                variable.set("a request's")
                _, by_polling = await open_polling(engine)
                async with open_stream(engine) as client:
                    await client.get()
                    by_websocket = next(s for s in engine.sessions.values() if s is not by_polling)
                    writers = [task for task in engine._registry._nursery.child_tasks if "write" in task.name]
                    assert len(writers) == 1
                    for context in (
                        recorder(by_polling).context,
                        recorder(by_websocket).context,
                        writers[0].context,
                    ):
                        assert context[variable] == "the server's"
                    assert recorder(by_polling).context is not recorder(by_websocket).context
        finally:
            variable.reset(token)

    async def test_what_one_session_sets_the_others_do_not_see(self, autojump_clock):
        class Setting(Recorder):
            def start(self, nursery):
                super().start(nursery)
                self.found = variable.get()
                variable.set("a session's")

        async with running_engine(handler=Setting) as engine:
            sessions = [(await open_polling(engine))[1] for _ in range(2)]
            assert [recorder(session).found for session in sessions] == ["nobody's"] * 2
