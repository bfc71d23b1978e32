"""A connection of the native front that becomes something else: a WebSocket, or another server's."""

from __future__ import annotations

import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair

from tests.support.client import only_session, settle
from tests.support.engine import nothing_is_left, recorder
from tests.support.front import POLLING, WEBSOCKET, frame, http, running_front, upgrade
from trio_socketio import CORS, CloseReason, ConnectionRefused, EngineConfig
from trio_socketio._serve.stream_link import StreamLink


class TestPassingOn:
    async def test_with_all_bytes(self, autojump_clock):
        async with running_front(has_app=True) as front:
            client = front.connect()
            await client.open_polling()
            raw = http("POST", "/other", b"body") + http("GET", "/next")
            await client.send(raw[:30], raw[30:])
            ((stream, data),) = front.passed_on
            assert data == raw
            assert front.is_idle
            await stream.send_all(b"still open")
            assert await client.stream.receive_some() == b"still open"
            assert front.noted == [("GET", 200)]

    async def test_bad_requests_are_not(self, autojump_clock):
        async with running_front(has_app=True) as front:
            assert (await front.connect().ask(b"BREW / HTTP/1.1\r\n")).status == 501
            assert front.passed_on == []

    async def test_http_2(self, tls, autojump_clock):
        server, context = tls
        context.set_alpn_protocols(["h2"])
        async with running_front() as front:
            ours, theirs = memory_stream_pair()
            front.serve(StreamLink(trio.SSLStream(theirs, server, server_side=True), None))
            await trio.SSLStream(ours, context, server_hostname="localhost").do_handshake()
            await settle()
            ((stream, data),) = front.passed_on
            assert (stream.selected_alpn_protocol(), data) == ("h2", b"")

    async def test_one_that_nobody_takes_is_closed(self, autojump_clock, caplog):
        def refuse(stream, data):
            raise RuntimeError("it is closed")

        async with running_front(has_app=True) as front:
            front.site.pass_on = refuse
            client = front.connect_socket()
            await client.send(http("GET", "/other"))
            assert await client.rest() == b""
            await client.stream.aclose()
        assert "it is closed" in caplog.text


class TestApplicationDecides:
    async def test_what_comes_meanwhile_is_kept(self, autojump_clock):
        async def allow_request(request):
            await trio.sleep(5)

        async with running_front(EngineConfig(allow_request=allow_request)) as front:
            client = front.connect()
            await client.send(http("GET", POLLING), http("GET", POLLING + "&sid=x"))
            assert [(await client.answer()).status for _ in range(2)] == [200, 400]
            client = front.connect()
            await client.send(upgrade(), frame("4early"))
            assert (await client.answer()).status == 101
            await settle()
            assert recorder(list(front.engine.sessions.values())[-1]).messages == ["early"]

    @pytest.mark.parametrize("data", [http("GET", POLLING), upgrade()])
    async def test_refused(self, autojump_clock, data):
        async def allow_request(request):
            raise ConnectionRefused("not you")

        async with running_front(EngineConfig(allow_request=allow_request)) as front:
            answer = await front.connect().ask(data)
            assert (answer.status, b"not you" in answer.body) == (403, True)


class TestWebSocket:
    @pytest.mark.parametrize("kind", ["stream", "socket"])
    async def test_opened_and_closed(self, front, autojump_clock, kind):
        client = front.connect() if kind == "stream" else front.connect_socket()
        answer = await client.ask(upgrade() + frame("4a") + frame("4b")[:3])
        assert (answer.status, set(answer.headers)) == (101, {"upgrade", "connection", "sec-websocket-accept", "vary"})
        await client.send(frame("4b")[3:])
        session = only_session(front.engine)
        assert recorder(session).messages == ["a", "b"]
        assert front.noted == [("GET", 101)]
        await client.stream.aclose()
        await settle()
        assert recorder(session).reasons == [CloseReason.TRANSPORT_CLOSE]
        await nothing_is_left(front.engine)

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"sec_websocket_version": "8"}, 426),
            ({"sec_websocket_key": "short"}, 400),
            ({"content_length": "3"}, 400),
            ({"transfer_encoding": "chunked"}, 400),
        ],
    )
    async def test_a_bad_handshake(self, front, autojump_clock, headers, status):
        client = front.connect()
        answer = await client.ask(upgrade(**headers))
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert (status == 426) == (answer.headers.get("sec-websocket-version") == "13")
        assert await client.rest() == b""
        assert front.noted == [("GET", status)]
        await nothing_is_left(front.engine)

    async def test_the_engine_refuses_first(self, autojump_clock):
        cors = CORS(origins=["http://ours"])
        async with running_front(EngineConfig(cors=cors)) as front:
            for target, origin, status in ((WEBSOCKET + "&sid=x", "http://ours", 400), (WEBSOCKET, "http://evil", 403)):
                client = front.connect()
                answer = await client.ask(upgrade(target, sec_websocket_key="bad", origin=origin))
                assert (answer.status, answer.headers["connection"]) == (status, "close")
                assert answer.headers["content-type"] == "text/html"
                assert await client.rest() == b""

    async def test_headers_of_a_hook(self, autojump_clock):
        async with running_front(EngineConfig(headers=lambda headers, request: headers.append(("x-a", "b")))) as front:
            assert (await front.connect().ask(upgrade())).headers["x-a"] == "b"

    async def test_not_in_http_1_0(self, front, autojump_clock):
        client = front.connect()
        raw = upgrade().replace(b"HTTP/1.1", b"HTTP/1.0")
        answer = await client.ask(raw)
        assert answer.status == 400
        await nothing_is_left(front.engine)

    async def test_the_answer_is_not_taken(self, front, autojump_clock):
        await front.connect(lockstep_stream_pair).send(upgrade())
        await trio.sleep(20)
        assert front.ended_at == [10]
        await nothing_is_left(front.engine)
