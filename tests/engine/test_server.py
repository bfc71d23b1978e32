"""The engine: the handshake, what is refused, and what it tells of its sessions."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.client import http, only_session, open_polling, open_stream, poll, post, request
from tests.support.engine import POLLING, WEBSOCKET, recorder, refusal, running_engine
from trio_socketio import CloseReason, Cookie, EngineConfig, Limits, Request, Server
from trio_socketio._engine.http import Response


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
        ("POST", f"{POLLING}&sid=", (400, 2)),
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


@pytest.mark.parametrize("response", [None, Response(200, b"4a"), Response(400)])
@pytest.mark.parametrize("method", ["GET", "POST"])
class TestUndelivered:
    async def test_on_long_polling_the_session_is_lost(self, engine, autojump_clock, method, response):
        query, session = await open_polling(engine)
        for strange in (POLLING, f"{POLLING}&sid=unknown"):
            engine.undelivered(request(strange, method), response, CloseReason.SLOW_CONSUMER)
        assert session.close_reason is None
        engine.undelivered(request(query, method), response, CloseReason.SLOW_CONSUMER)
        assert recorder(session).reasons == [CloseReason.SLOW_CONSUMER]

    async def test_after_the_upgrade_only_if_packets_are(self, engine, autojump_clock, method, response):
        query, session = await open_polling(engine)
        async with open_stream(engine, query.replace("polling", "websocket")) as client:
            await client.put("2probe", "5")
            engine.undelivered(request(query, method), response, CloseReason.TRANSPORT_ERROR)
            lost = method == "POST" or (response is not None and response.status == 200)
            assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR] * lost


async def test_sessions_are_shown_and_cannot_be_changed(engine, autojump_clock):
    _, session = await open_polling(engine)
    assert dict(engine.sessions) == {session.sid: session}
    with pytest.raises(TypeError):
        engine.sessions["x"] = session
