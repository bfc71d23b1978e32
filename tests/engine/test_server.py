"""The engine: who is let in, how it runs and stops, and what one session's fault costs."""

from __future__ import annotations

import contextvars
import json
import re

import pytest
import trio

from tests.support.client import (
    MemoryStream,
    http,
    only_session,
    open_polling,
    open_stream,
    poll,
    post,
    request,
    settle,
)
from tests.support.engine import (
    POLLING,
    WEBSOCKET,
    Recorder,
    an_engine,
    ask,
    message,
    nothing_is_left,
    recorder,
    running_engine,
)
from trio_socketio import CORS, CloseReason, ConnectionRefused, Cookie, EngineConfig, Limits, Request, Server
from trio_socketio._engine.http import Response
from trio_socketio._engine.server import Admission


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine() as engine:
        yield engine


def refusal(response: Response) -> tuple[int, int]:
    return response.status, json.loads(response.body)["code"]


class TestHandshake:
    async def test_the_open_packet(self, autojump_clock):
        config = EngineConfig(ping_interval=0.3, ping_timeout=0.2)
        async with running_engine(config, Limits(max_payload=12_345)) as engine:
            response = await poll(engine, POLLING)
            session = only_session(engine)
            assert response.body.startswith(b"0")
            assert json.loads(response.body[1:]) == {
                "sid": session.sid,
                "upgrades": ["websocket"],
                "pingInterval": 300,
                "pingTimeout": 200,
                "maxPayload": 12345,
            }
            async with open_stream(engine) as client:
                assert json.loads((await client.get())[1:])["upgrades"] == []

    async def test_ids_are_20_url_safe_characters_and_unrelated(self, autojump_clock):
        sio = Server()
        async with sio.running():
            ids = set()
            for _ in range(50):
                query, session = await open_polling(sio.engine)
                await post(sio.engine, query, b"40")
                sid = session.sid
                public = json.loads((await poll(sio.engine, query)).body[2:])["sid"]
                ids |= {sid, public}
                for text in (sid, public):
                    assert re.fullmatch("[A-Za-z0-9_-]{20}", text)
                # Not the same, nor one in the other's clothes.
                assert not any(public[start : start + 6] in sid for start in range(15))
            assert len(ids) == 100
            assert len({text[:6] for text in ids}) == 100, "no counter, no clock, no common head"

    @pytest.mark.parametrize(("method", "query", "expected"), [
        ("GET", "", (400, 0)),
        ("GET", "EIO=4", (400, 0)),
        ("GET", "EIO=4&transport=constructor", (400, 0)),
        ("GET", "EIO=4&transport=__proto__", (400, 0)),
        ("GET", "EIO=4&transport=webtransport", (400, 0)),
        ("GET", "EIO=4&transport=POLLING", (400, 0)),
        ("GET", "EIO=4&transport=", (400, 0)),
        ("GET", f"{POLLING}&sid=", (400, 1)),
        ("GET", f"{POLLING}&sid=unknown", (400, 1)),
        ("POST", POLLING, (400, 2)),
        ("PUT", POLLING, (400, 2)),
        ("HEAD", POLLING, (400, 2)),
        ("OPTIONS", POLLING, (400, 2)),
        ("GET", WEBSOCKET, (400, 3)),
        ("GET", "EIO=3&transport=polling", (400, 5)),
        ("GET", "transport=polling", (400, 5)),
        ("GET", "EIO=04&transport=polling", (400, 5)),
    ])  # fmt: skip
    async def test_refusals(self, engine, autojump_clock, method, query, expected):
        response = await http(engine, method, query)
        assert refusal(response) == expected
        assert not engine.sessions

    async def test_requests_that_do_not_fit_the_session(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        for wrong in (
            query.replace("EIO=4", "EIO=3"),
            query.replace("EIO=4&", ""),
            query.replace("polling", "websocket"),
        ):
            assert refusal(await poll(engine, wrong)) == (400, 3)
            assert refusal(await post(engine, wrong, b"1")) == (400, 3)
        assert session.close_reason is None

    async def test_the_client_never_chooses_a_sid(self, engine, autojump_clock):
        for sid in ("mine", "x" * 20):
            assert refusal(await poll(engine, f"{POLLING}&sid={sid}")) == (400, 1)
            assert (await engine.admit(request(f"{WEBSOCKET}&sid={sid}"))).status == 400
        assert not engine.sessions

    async def test_unknown_closed_and_foreign_sids_look_the_same(self, engine, autojump_clock):
        query, _ = await open_polling(engine)
        await post(engine, query, b"1")
        assert (await poll(engine, query)).body == (await poll(engine, f"{POLLING}&sid=never")).body

    async def test_cookie(self, autojump_clock):
        async with running_engine(EngineConfig(cookie=Cookie(name="node"))) as engine:
            response = await poll(engine, POLLING)
            session = only_session(engine)
            assert ("set-cookie", f"node={session.sid}; Path=/; HttpOnly; SameSite=Lax") in response.headers
            query = f"{POLLING}&sid={session.sid}"
            for later in (await post(engine, query, b"4a"), await poll(engine, f"{POLLING}&sid=unknown")):
                assert "set-cookie" not in dict(later.headers)
            over_tls = Request(method="GET", path="/socket.io/", query_string=POLLING, secure=True)
            response = await engine.handle_http(over_tls, None)
            assert "; Secure" in dict(response.headers)["set-cookie"]
            admission = await engine.admit(request(WEBSOCKET))
            assert "set-cookie" not in dict(admission.headers)

    async def test_files(self, autojump_clock):
        def files(asked):
            return Response(200, b"file") if asked.path.endswith(".js") else None

        async with running_engine(files=files) as engine:
            asked = Request(method="GET", path="/socket.io/socket.io.js")
            assert (await engine.handle_http(asked, None)).body == b"file"
            assert (await poll(engine, POLLING)).body[:1] == b"0"


class TestWebSocketRefusals:
    @pytest.mark.parametrize(("query", "status", "body"), [
        ("EIO=4", 400, b"Transport unknown"),
        ("EIO=4&transport=__proto__", 400, b"Transport unknown"),
        (f"{WEBSOCKET}&sid=unknown", 400, b"Session ID unknown"),
        ("EIO=3&transport=websocket", 400, b"Unsupported protocol version"),
        ("transport=websocket", 400, b"Unsupported protocol version"),
    ])  # fmt: skip
    async def test_before_the_101(self, engine, autojump_clock, query, status, body):
        response = await engine.admit(request(query))
        assert (response.status, response.body, response.content_type) == (status, body, "text/html")
        assert not engine.sessions

    async def test_a_revision_that_is_not_the_sessions(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        for wrong in (query.replace("EIO=4", "EIO=3"), query.replace("EIO=4&", "")):
            response = await engine.admit(request(wrong.replace("polling", "websocket")))
            assert (response.status, response.body) == (400, b"Bad request")
        assert session.close_reason is None

    async def test_a_transport_that_is_switched_off(self, autojump_clock):
        async with running_engine(EngineConfig(transports=("polling",))) as engine:
            assert (await engine.admit(request(WEBSOCKET))).body == b"Transport unknown"
        async with running_engine(EngineConfig(transports=("websocket",))) as engine:
            assert refusal(await poll(engine, POLLING)) == (400, 0)


class TestOrigin:
    FOREIGN = {"host": "example.com", "origin": "https://evilexample.com"}

    async def test_on_every_method_and_both_transports_before_a_session_exists(self, engine, autojump_clock, caplog):
        query, session = await open_polling(engine)
        for method in ("GET", "POST", "OPTIONS", "PUT"):
            for asked in (query, POLLING, "EIO=4&transport=nonsense", ""):
                response = await engine.handle_http(request(asked, method, self.FOREIGN), None)
                assert refusal(response) == (403, 4)
                assert "access-control-allow-origin" not in dict(response.headers)
        for asked in (query.replace("polling", "websocket"), WEBSOCKET):
            response = await engine.admit(request(asked, headers=self.FOREIGN))
            assert (response.status, response.body) == (403, b"Forbidden")
        assert list(engine.sessions) == [session.sid]
        assert session.close_reason is None
        # Whoever sets a server up is told, once, and how to let that site in.
        (record,) = caplog.records
        assert "'https://evilexample.com': list it in EngineConfig(cors=" in record.getMessage()

    async def test_a_log_line_cannot_be_forged(self, engine, autojump_clock, caplog):
        headers = {"host": "example.com", "origin": "https://evil\r\nforged " + "x" * 1000}
        await engine.handle_http(request(POLLING, headers=headers), None)
        assert "\n" not in caplog.records[0].getMessage()
        assert len(caplog.records[0].getMessage()) < 500

    async def test_refused_sites_are_told_apart_by_caches(self, autojump_clock):
        async with running_engine(EngineConfig(cors=CORS(origins=("https://app.example",)))) as engine:
            response = await engine.handle_http(request(POLLING, headers=self.FOREIGN), None)
            assert response.status == 403
            assert ("vary", "Origin") in response.headers

    async def test_errors_and_websockets_carry_the_headers_too(self, autojump_clock):
        listed = {"host": "example.com", "origin": "https://app.example"}
        async with running_engine(EngineConfig(cors=CORS(origins=("https://app.example",)))) as engine:
            expected = [("access-control-allow-origin", "https://app.example"), ("vary", "Origin")]
            for query in (POLLING, "EIO=4", f"{POLLING}&sid=unknown"):
                response = await engine.handle_http(request(query, headers=listed), None)
                assert response.headers == expected
            admission = await engine.admit(request(WEBSOCKET, headers=listed))
            assert admission.headers == expected
            refused = await engine.admit(request(f"{WEBSOCKET}&sid=unknown", headers=listed))
            assert refused.headers == expected
            preflight = await engine.handle_http(request(POLLING, "OPTIONS", headers=listed), None)
            assert preflight.status == 204
            assert preflight.headers[-2:] == expected


class TestAllowRequest:
    async def admit_both(self, engine) -> list[tuple[int, bytes]]:
        by_polling = await poll(engine, POLLING)
        by_websocket = await engine.admit(request(WEBSOCKET))
        assert isinstance(by_websocket, Response)
        return [(response.status, response.body) for response in (by_polling, by_websocket)]

    @pytest.mark.parametrize("answer", [True, None])
    async def test_allowed(self, autojump_clock, answer):
        seen = []

        async def allow(asked):
            seen.append(asked.url)
            return answer

        async with running_engine(EngineConfig(allow_request=allow)) as engine:
            query, _ = await open_polling(engine)
            assert isinstance(await engine.admit(request(WEBSOCKET)), Admission)
            await post(engine, query, b"4a")
            # It is asked about new sessions, not about every request.
            assert seen == [f"/socket.io/?{POLLING}", f"/socket.io/?{WEBSOCKET}"]

    async def test_refused(self, autojump_clock):
        async def allow(asked):
            return False

        async with running_engine(EngineConfig(allow_request=allow)) as engine:
            assert await self.admit_both(engine) == [
                (403, b'{"code":4,"message":"Forbidden"}'),
                (403, b"Forbidden"),
            ]
            assert not engine.sessions

    async def test_refused_with_a_message(self, autojump_clock):
        async def allow(asked):
            raise ConnectionRefused("members only")

        async with running_engine(EngineConfig(allow_request=allow)) as engine:
            assert await self.admit_both(engine) == [
                (403, b'{"code":4,"message":"members only"}'),
                (403, b"members only"),
            ]

    async def test_it_raises(self, autojump_clock, caplog):
        async def allow(asked):
            raise RuntimeError("no database")

        async with running_engine(EngineConfig(allow_request=allow)) as engine:
            assert await self.admit_both(engine) == [
                (400, b'{"code":3,"message":"Bad request"}'),
                (400, b"Bad request"),
            ]
            assert not engine.sessions
        assert caplog.text.count("RuntimeError: no database") == 2

    async def test_a_client_that_goes_meanwhile(self, autojump_clock, nursery):
        async def allow(asked):
            await trio.sleep(60)

        async with running_engine(EngineConfig(allow_request=allow)) as engine:
            asked = await ask(nursery, engine, "GET", POLLING)
            asked.give_up()
            await trio.sleep(100)
            assert asked.answer is None
            assert not engine.sessions

    @pytest.mark.parametrize("what", ["drain", "stop"])
    async def test_the_server_ends_while_it_is_asked(self, autojump_clock, nursery, what):
        async def allow(asked):
            await trio.sleep(5)

        engine = an_engine(EngineConfig(allow_request=allow))
        async with engine.running():
            asked = await ask(nursery, engine, "GET", POLLING)
            if what == "drain":
                await engine.drain()
                await trio.sleep(10)
                assert asked.answer.status == 503
                assert not engine.sessions
        await trio.sleep(10)
        assert asked.answer.status == 503

    async def test_many_at_a_time_do_not_get_past_max_sessions(self, autojump_clock, nursery):
        async def allow(asked):
            await trio.sleep(1)

        async with running_engine(EngineConfig(allow_request=allow), Limits(max_sessions=3)) as engine:
            all_asked = [await ask(nursery, engine, "GET", POLLING) for _ in range(10)]
            await trio.sleep(2)
            assert sorted(asked.answer.status for asked in all_asked) == [200] * 3 + [503] * 7


class TestHooks:
    async def test_when_they_are_called(self, autojump_clock):
        config = EngineConfig(
            initial_headers=lambda headers, asked: headers.append(("x-first", asked.method)),
            headers=lambda headers, asked: headers.append(("x-every", asked.method)),
        )

        def of_hooks(answer: Response | Admission) -> list[tuple[str, str]]:
            return [(name, value) for name, value in answer.headers if name.startswith("x-")]

        async with running_engine(config) as engine:
            assert of_hooks(await poll(engine, POLLING)) == [("x-first", "GET"), ("x-every", "GET")]
            session = only_session(engine)
            query = f"{POLLING}&sid={session.sid}"
            session.send([message("a")])
            assert of_hooks(await poll(engine, query)) == [("x-every", "GET")]
            assert of_hooks(await post(engine, query, b"4a")) == [("x-every", "POST")]
            assert of_hooks(await poll(engine, "EIO=4")) == []
            assert of_hooks(await engine.admit(request(WEBSOCKET))) == [("x-first", "GET"), ("x-every", "GET")]
            upgrade = await engine.admit(request(query.replace("polling", "websocket")))
            assert of_hooks(upgrade) == [("x-every", "GET")]

    async def test_one_that_raises_in_a_handshake_leaves_no_session(self, autojump_clock):
        def hook(headers, asked):
            raise RuntimeError("in a hook")

        for config in (EngineConfig(initial_headers=hook), EngineConfig(headers=hook)):
            async with running_engine(config) as engine:
                # The answer with the sid never goes out: nobody will ever use the session.
                try:
                    response = await poll(engine, POLLING)
                except RuntimeError:
                    assert not engine.sessions
                else:
                    assert (response.status == 200) == bool(engine.sessions)

    async def test_one_that_raises_loses_no_packets_behind_the_sessions_back(self, autojump_clock):
        broken = False

        def hook(headers, asked):
            if broken:
                raise RuntimeError("in a hook")

        async with running_engine(EngineConfig(headers=hook)) as engine:
            query, session = await open_polling(engine)
            session.send([message("a")])
            broken = True
            try:
                got = (await poll(engine, query)).body
            except RuntimeError:
                got = b""
            # At most once, and never a gap that the client can't see: it gets them later, or the session is over.
            assert got == b"4a" or len(session.outbox) == 1 or session.close_reason is not None


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
                    if isinstance(admission, Admission):
                        nursery.start_soon(engine.carry, admission, stream)
                await settle()
                assert len(engine.sessions) == 1
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
        engine.undelivered(request(POLLING), CloseReason.TRANSPORT_ERROR)


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
        # 5 s for the disconnect handlers, and one for the farewell, at most.
        assert trio.current_time() <= 6
        assert not engine.is_running
        stream.cut()

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
                happened.append("cancelled")

        assert not engine.start_soon(wait)
        async with engine.running():
            assert engine.start_soon(wait)
            await settle()
        assert happened == ["cancelled"]
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
        await engine.drain()
        assert trio.current_time() == 0

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
        query, _ = await open_polling(failing)
        asked = await ask(nursery, failing, "GET", f"{POLLING}&fail={where}")
        await trio.sleep(100)
        assert f"RuntimeError: in {where}" in caplog.text
        assert list(failing.sessions) in ([], [query.rpartition("=")[2]]), "the session was kept"
        assert asked.answer is not None, "the client waits for ever"
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


async def test_undelivered(engine, autojump_clock):
    query, session = await open_polling(engine)
    engine.undelivered(request(POLLING), CloseReason.SLOW_CONSUMER)
    engine.undelivered(request(f"{POLLING}&sid=unknown"), CloseReason.SLOW_CONSUMER)
    assert session.close_reason is None
    engine.undelivered(request(query), CloseReason.SLOW_CONSUMER)
    assert recorder(session).reasons == [CloseReason.SLOW_CONSUMER]


async def test_sessions_are_shown_and_cannot_be_changed(engine, autojump_clock):
    _, session = await open_polling(engine)
    assert dict(engine.sessions) == {session.sid: session}
    with pytest.raises(TypeError):
        engine.sessions["x"] = session
