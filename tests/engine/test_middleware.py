"""Middlewares of HTTP: when they are asked, what they may answer, and what becomes of it when they fail."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import http, only_session, open_polling, poll, post, request
from tests.support.engine import POLLING, WEBSOCKET, ask, message, refusal, running_engine
from tests.support.front import http as http_request
from tests.support.front import running_front, upgrade
from trio_socketio import CORS, ConnectionRefused, EngineConfig, Limits, Request, Response
from trio_socketio._engine.server import Admission


def noting(seen: list, name: str = "", answer: Response | None = None):
    async def middleware(asked: Request) -> Response | None:
        await trio.lowlevel.checkpoint()
        seen.append(
            (name, asked.method, asked.query.get("transport")) if name else (asked.method, asked.query.get("transport"))
        )
        return answer

    return middleware


def raising(error: Exception):
    async def middleware(asked: Request) -> None:
        raise error

    return middleware


async def both(engine) -> list[tuple[int, bytes]]:
    """What a handshake is answered on either transport."""
    answers = [await poll(engine, POLLING), await engine.admit(request(WEBSOCKET))]
    assert all(isinstance(answer, Response) for answer in answers)
    return [(answer.status, answer.body) for answer in answers]


class TestWhen:
    async def test_every_request_under_the_path(self, autojump_clock):
        seen = []
        async with running_engine(EngineConfig(middleware=(noting(seen),))) as engine:
            query, session = await open_polling(engine)
            session.send([message("a")])
            await poll(engine, query)
            await post(engine, query, b"4a")
            await http(engine, "PUT", query)
            await poll(engine, "EIO=4&transport=nonsense")
            assert isinstance(await engine.admit(request(query.replace("polling", "websocket"))), Admission)
            assert isinstance(await engine.admit(request(WEBSOCKET)), Admission)
        assert seen == [
            ("GET", "polling"), ("GET", "polling"), ("POST", "polling"), ("PUT", "polling"), ("GET", "nonsense"),
            ("GET", "websocket"), ("GET", "websocket"),
        ]  # fmt: skip

    async def test_in_order_until_one_answers(self, autojump_clock):
        seen = []
        answer = Response(402, b"pay", "text/plain", [("x-price", "5")])
        chain = (noting(seen, "first"), noting(seen, "second", answer), noting(seen, "third"))
        async with running_engine(EngineConfig(middleware=chain)) as engine:
            response = await poll(engine, POLLING)
            assert (response.status, response.body, response.content_type) == (402, b"pay", "text/plain")
            assert response.headers == [("x-price", "5"), ("vary", "Origin")]
            assert [name for name, *_ in seen] == ["first", "second"]
            assert not engine.sessions

    async def test_not_before_the_origin_nor_for_preflights_and_files(self, autojump_clock):
        seen = []
        config = EngineConfig(middleware=(noting(seen),), cors=CORS(origins=("https://app.example",)))
        file = Response(200, b"script")
        files = lambda asked: file if asked.query_string == "file" else None  # noqa: E731 - as short as the case
        async with running_engine(config, files=files) as engine:
            foreign = request(POLLING, headers={"origin": "https://evil.example", "host": "a"})
            assert (await engine.handle_http(foreign, None)).status == 403
            assert (await engine.admit(foreign)).status == 403
            preflight = request(POLLING, "OPTIONS", {"origin": "https://app.example"})
            assert (await engine.handle_http(preflight, None)).status == 204
            assert (await poll(engine, "file")).body == b"script"
        assert seen == []

    async def test_headers_of_cors_are_on_its_answer_too(self, autojump_clock):
        config = EngineConfig(
            middleware=(noting([], answer=Response(401)),), cors=CORS(origins=("https://app.example",))
        )
        async with running_engine(config) as engine:
            asked = request(POLLING, headers={"origin": "https://app.example"})
            for answer in (await engine.handle_http(asked, None), await engine.admit(asked)):
                assert ("access-control-allow-origin", "https://app.example") in answer.headers

    async def test_allow_request_comes_behind_it(self, autojump_clock):
        async def who(asked: Request) -> None:
            asked.state["user"] = asked.query.get("user")

        async def allow(asked: Request) -> bool:
            return asked.state["user"] == "alice"

        async with running_engine(EngineConfig(middleware=(who,), allow_request=allow)) as engine:
            assert (await poll(engine, f"{POLLING}&user=mallory")).status == 403
            assert (await poll(engine, f"{POLLING}&user=alice")).status == 200
            assert only_session(engine).request.state == {"user": "alice"}


class TestRefusal:
    async def test_with_a_message(self, autojump_clock):
        async with running_engine(EngineConfig(middleware=(raising(ConnectionRefused("members only")),))) as engine:
            assert await both(engine) == [(403, b'{"code":4,"message":"members only"}'), (403, b"members only")]
            assert engine.counters.refused == {"Forbidden": 2}

    async def test_with_an_answer(self, autojump_clock):
        async with running_engine(EngineConfig(middleware=(noting([], answer=Response(429, b"slowly")),))) as engine:
            assert await both(engine) == [(429, b"slowly"), (429, b"slowly")]
            assert engine.counters.refused == {"Middleware": 2}

    async def test_an_answer_that_is_none(self, autojump_clock):
        async with running_engine(EngineConfig(middleware=(noting([], answer=Response(200, b"I am well")),))) as engine:
            assert (await poll(engine, "health")).body == b"I am well"
            assert not engine.counters.refused

    async def test_a_poll_that_is_refused_costs_nothing_but_itself(self, autojump_clock):
        allowed = True

        async def middleware(asked: Request) -> Response | None:
            return None if allowed else Response(401)

        async with running_engine(EngineConfig(middleware=(middleware,))) as engine:
            query, session = await open_polling(engine)
            session.send([message("a")])
            allowed = False
            assert (await poll(engine, query)).status == 401
            allowed = True
            assert (await poll(engine, query)).body == b"4a"


class TestFaults:
    async def test_it_raises(self, autojump_clock, caplog):
        async with running_engine(EngineConfig(middleware=(raising(RuntimeError("no database")),))) as engine:
            assert await both(engine) == [(400, b'{"code":3,"message":"Bad request"}'), (400, b"Bad request")]
            assert not engine.sessions
        assert caplog.text.count("RuntimeError: no database") == 2

    async def test_a_plain_function(self, autojump_clock, caplog):
        async with running_engine(EngineConfig(middleware=(lambda asked: None,))) as engine:
            assert refusal(await poll(engine, POLLING)) == (400, 3)
        assert "a middleware raised" in caplog.text

    async def test_they_may_take_so_long_together(self, autojump_clock):
        async def slow(asked: Request) -> None:
            await trio.sleep(6)

        async with running_engine(EngineConfig(middleware=(slow, slow)), Limits(connect_timeout=10)) as engine:
            assert refusal(await poll(engine, POLLING)) == (400, 3)
            assert trio.current_time() == pytest.approx(10)
            assert not engine.sessions

    @pytest.mark.parametrize("answer", [
        "text", True, 403, b"bytes", Response(100), Response(999), Response("200"), Response(204, b"body"),
        Response(304, b"body"), Response(200, "text"), Response(200, b"", "text/plain\r\nx: y"), Response(200, b"", 5),
        Response(200, headers=[("x", "1\r\ny: 2")]), Response(200, headers=[("Content-Length", "5")]),
        Response(200, headers=[("transfer-encoding", "chunked")]), Response(200, headers=[("x", 5)]),
        Response(200, headers=None), Response(200, headers=[("x", "5 €")]),
    ])  # fmt: skip
    async def test_what_is_no_answer(self, autojump_clock, caplog, answer):
        async with running_engine(EngineConfig(middleware=(noting([], answer=answer),))) as engine:
            assert await both(engine) == [(500, b""), (500, b"")]
            assert not engine.sessions
        assert caplog.text.count("its client pays") == 2

    async def test_a_client_that_gives_up_meanwhile(self, autojump_clock, nursery):
        ended = []

        async def slow(asked: Request) -> None:
            try:
                await trio.sleep(60)
            finally:
                ended.append(trio.current_time())

        async with running_engine(EngineConfig(middleware=(slow,)), Limits(connect_timeout=1000)) as engine:
            asked = await ask(nursery, engine, "GET", POLLING)
            asked.give_up()
            await trio.sleep(1)
            assert ended == [0]
            assert not engine.sessions

    @pytest.mark.parametrize("first", [http_request("GET", f"/socket.io/?{POLLING}"), upgrade()])
    async def test_the_native_front_notices_a_client_that_goes(self, autojump_clock, first):
        ended = []

        async def slow(asked: Request) -> None:
            try:
                await trio.sleep(60)
            finally:
                ended.append(trio.current_time())

        async with running_front(EngineConfig(middleware=(slow,)), Limits(connect_timeout=1000)) as front:
            client = front.connect()
            await client.send(first)
            await trio.aclose_forcefully(client.stream)
            await trio.sleep(1)
            assert ended == [0]
            assert not front.engine.sessions
