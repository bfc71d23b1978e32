"""Who is let in: by origin, by the application's word, and with which headers."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import only_session, open_polling, poll, post, request, settle
from tests.support.engine import POLLING, WEBSOCKET, an_engine, ask, message, recorder, refusal, running_engine
from trio_socketio import CORS, CloseReason, ConnectionRefused, EngineConfig, Limits
from trio_socketio._engine.http import Response
from trio_socketio._engine.server import Admission


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

    async def test_one_that_raises_in_a_handshake_leaves_no_session(self, autojump_clock, caplog):
        def hook(headers, asked):
            raise RuntimeError("in a hook")

        for config in (EngineConfig(initial_headers=hook), EngineConfig(headers=hook)):
            async with running_engine(config) as engine:
                # The answer with the sid never goes out: nobody will ever use the session.
                for response in (await poll(engine, POLLING), await engine.admit(request(WEBSOCKET))):
                    assert isinstance(response, Response)
                    assert (response.status, response.body) == (500, b"")
                assert not engine.sessions
        assert caplog.text.count("RuntimeError: in a hook") == 4

    async def test_one_that_raises_loses_packets_only_with_their_session(self, autojump_clock, caplog):
        broken = False

        def hook(headers, asked):
            if broken:
                raise RuntimeError("in a hook")

        async with running_engine(EngineConfig(headers=hook)) as engine:
            query, session = await open_polling(engine)
            session.send([message("a")])
            _, other = await open_polling(engine)
            broken = True
            response = await poll(engine, query)
            # At most once, and never a gap that the client can't see: with what the answer carried, the session is lost.
            assert (response.status, response.body) == (500, b"")
            assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
            assert dict(engine.sessions) == {other.sid: other}
        assert caplog.text.count("RuntimeError: in a hook") == 1

    @pytest.mark.parametrize("header", [("x-price", "5 €"), ("x", "1\r\ny: 2"), ("a b", ""), ("", "1"), ("x", "\0")])
    async def test_one_that_makes_what_cannot_be_sent_fails(self, autojump_clock, caplog, header):
        def hook(headers, asked):
            headers.append(header)

        async with running_engine(EngineConfig(initial_headers=hook)) as engine:
            assert (await poll(engine, POLLING)).status == 500
            assert (await engine.admit(request(WEBSOCKET))).status == 500
            await settle()
            assert not engine.sessions
        assert caplog.text.count("headers that can't be sent") == 2
