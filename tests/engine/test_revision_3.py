"""Sessions of Engine.IO 3 beside those of revision 4: who is let in, and which form each transport has."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.client import http, open_polling, open_stream, poll, post, request, settle
from tests.support.engine import (
    POLLING,
    WEBSOCKET,
    ask,
    message,
    nothing_is_left,
    recorder,
    refusal,
    running_engine,
)
from tests.support.engine3 import POLLING_3, WEBSOCKET_3, only_packet, open_polling_3
from trio_socketio import CloseReason, EngineConfig, Limits
from trio_socketio._engine.http import Response

ODD = ["", "EIO=&", "EIO=2&", "EIO=5&", "EIO=abc&", "EIO=33&", "EIO=3.0&", "EIO=%203&", "EIO=03&", "eio=3&", "EIO=3,4&"]


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine(EngineConfig(allow_eio3=True)) as engine:
        yield engine


class TestWhoIsLetIn:
    async def test_nobody_of_revision_3_unless_allowed(self, autojump_clock):
        async with running_engine() as engine:
            assert refusal(await poll(engine, POLLING_3)) == (400, 5)
            answer = await engine.admit(request(WEBSOCKET_3))
            assert isinstance(answer, Response)
            assert (answer.status, answer.body) == (400, b"Unsupported protocol version")
            query, _ = await open_polling(engine)
            assert refusal(await poll(engine, query.replace("EIO=4", "EIO=3"))) == (400, 3)

    @pytest.mark.parametrize("revision", ODD)
    async def test_a_revision_is_exactly_3_or_4(self, engine, revision, autojump_clock):
        assert refusal(await poll(engine, f"{revision}transport=polling")) == (400, 5)
        answer = await engine.admit(request(f"{revision}transport=websocket"))
        assert isinstance(answer, Response)
        assert answer.body == b"Unsupported protocol version"

    async def test_the_handshake_has_the_same_keys(self, engine, autojump_clock):
        answer = json.loads(only_packet((await poll(engine, POLLING_3)).body.decode())[1:])
        assert list(answer) == ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]
        assert answer["upgrades"] == ["websocket"]

    @pytest.mark.parametrize("revision", ["EIO=3", "EIO=4"])
    async def test_each_request_must_be_of_the_revision_of_its_session(self, engine, revision, autojump_clock):
        open_session = open_polling if revision == "EIO=4" else open_polling_3
        query, session = await open_session(engine)
        for other in [*ODD, "EIO=4&" if revision == "EIO=3" else "EIO=3&"]:
            wrong = query.replace(f"{revision}&", other)
            assert refusal(await poll(engine, wrong)) == (400, 3)
            assert refusal(await post(engine, wrong, b"1:2")) == (400, 3)
            answer = await engine.admit(request(wrong.replace("polling", "websocket")))
            assert isinstance(answer, Response)
            assert (answer.status, answer.body) == (400, b"Bad request")
        # Whoever has guessed wrong has ended nothing.
        session.send([message("a")])
        assert (await poll(engine, query)).status == 200

    async def test_an_unknown_session_is_unknown_in_both(self, engine, autojump_clock):
        for query in (POLLING, POLLING_3):
            assert refusal(await poll(engine, f"{query}&sid=nobody")) == (400, 1)


class TestForms:
    """The same packets to clients of all kinds."""

    PACKETS = (message("é\U0001f600"), message(b"\1\2\3\4"))

    @pytest.mark.parametrize(
        ("more", "content_type", "body"),
        [
            ("", "application/octet-stream", b"\0\7\xff4\xc3\xa9\xf0\x9f\x98\x80\1\5\xff\4\1\2\3\4"),
            ("&b64=1", "text/plain; charset=UTF-8", "4:4é\U0001f60010:b4AQIDBA==".encode()),
        ],
    )
    async def test_on_long_polling(self, engine, more, content_type, body, autojump_clock):
        query, session = await open_polling_3(engine, more)
        session.send(self.PACKETS)
        response = await poll(engine, query)
        assert (response.content_type, response.body) == (content_type, body)
        # It was the handshake that said so: what later requests say changes nothing.
        session.send(self.PACKETS)
        assert (await poll(engine, query + "&b64=1")).body == body
        # And without bytes it is text for both.
        session.send(self.PACKETS[:1])
        response = await poll(engine, query)
        assert (response.content_type, response.body) == ("text/plain; charset=UTF-8", "4:4é\U0001f600".encode())

    @pytest.mark.parametrize(("more", "binary"), [("", b"\4\1\2\3\4"), ("&b64=1", "b4AQIDBA==")])
    async def test_on_a_websocket(self, engine, more, binary, autojump_clock):
        async with open_stream(engine, WEBSOCKET_3 + more) as client:
            assert (await client.get())[:7] == '0{"sid"'
            (session,) = engine.sessions.values()
            session.send(self.PACKETS)
            assert await client.get_all(2) == ["4é\U0001f600", binary]
            await client.put("4a", b"\4\1\2", "b4AQI=")
            assert recorder(session).messages == ["a", b"\1\2", b"\1\2"]

    @pytest.mark.parametrize(("more", "binary"), [("", b"\4\1\2\3\4"), ("&b64=1", "b4AQIDBA==")])
    async def test_after_an_upgrade_it_is_what_the_websocket_asked_for(self, engine, more, binary, autojump_clock):
        # The official client under Node can't take bytes from its polling, but from its WebSocket.
        query, session = await open_polling_3(engine, "&b64=1")
        async with open_stream(engine, query.replace("polling", "websocket") + more) as client:
            await client.put("2probe", "5")
            session.send(self.PACKETS)
            assert await client.get_all(3) == ["3probe", "4é\U0001f600", binary]

    async def test_clients_of_both_revisions_share_the_packets(self, engine, autojump_clock):
        old_query, old = await open_polling_3(engine)
        query, new = await open_polling(engine)
        async with open_stream(engine, WEBSOCKET_3) as old_client, open_stream(engine, WEBSOCKET) as client:
            assert {(await client.get())[0], (await old_client.get())[0]} == {"0"}
            for session in engine.sessions.values():
                session.send(self.PACKETS)
            assert await old_client.get_all(2) == ["4é\U0001f600", b"\4\1\2\3\4"]
            assert await client.get_all(2) == ["4é\U0001f600", b"\1\2\3\4"]
        assert (await poll(engine, query)).body == "4é\U0001f600\x1ebAQIDBA==".encode()
        assert (await poll(engine, old_query)).body.endswith(b"\1\5\xff\4\1\2\3\4")
        assert (old.revision, new.revision) == ("3", "4")


class TestBodies:
    async def test_text_and_bytes(self, engine, autojump_clock):
        query, session = await open_polling_3(engine)
        assert (await post(engine, query, "6:4hello10:b4AQIDBA==".encode())).body == b"ok"
        assert (await post_bytes(engine, query, b"\0\6\xff4hello\1\5\xff\4\1\2\3\4")).body == b"ok"
        assert recorder(session).messages == ["hello", b"\1\2\3\4"] * 2

    @pytest.mark.parametrize(
        "body", [b"", b"abc", b"4hello", b"6:4hello\x1e6:4hello", b"\0\6\xff4hello", b"6:4hello3:4h"]
    )
    async def test_what_is_no_text_payload_closes_and_nothing_of_it_is_delivered(self, engine, body, autojump_clock):
        query, session = await open_polling_3(engine)
        assert refusal(await post(engine, query, body)) == (400, 3)
        assert session.close_reason is CloseReason.PARSE_ERROR
        assert not recorder(session).messages

    @pytest.mark.parametrize("body", [b"", b"6:4hello", b"\0\6\xff4hello\1\5\xff\4", b"\1\1\xff\3"])
    async def test_what_is_no_payload_of_bytes_closes(self, engine, body, autojump_clock):
        query, session = await open_polling_3(engine)
        assert refusal(await post_bytes(engine, query, body)) == (400, 3)
        assert session.close_reason is CloseReason.PARSE_ERROR
        assert not recorder(session).messages

    async def test_clients_of_revision_4_send_no_bytes(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        assert refusal(await post_bytes(engine, query, b"\0\6\xff4hello")) == (400, 3)
        assert session.close_reason is CloseReason.TRANSPORT_ERROR

    async def test_bounds(self, autojump_clock):
        config, limits = EngineConfig(allow_eio3=True), Limits(max_payload=256, max_packets_per_payload=3)
        async with running_engine(config, limits) as engine:
            query, session = await open_polling_3(engine)
            assert (await post(engine, query, b"1:21:21:2")).status == 200
            assert (await post(engine, query, b"1:21:21:21:2")).status == 400
            assert session.close_reason is CloseReason.PARSE_ERROR
            query, session = await open_polling_3(engine)
            assert (await post_bytes(engine, query, b"\1" * 257)).status == 413
            assert session.close_reason is CloseReason.TRANSPORT_ERROR

    @pytest.mark.parametrize("broken", ["7", "", "bAQ==", "b4A", b"", b"\1", b"\2probe"])
    async def test_what_is_no_packet_on_a_websocket_closes(self, engine, broken, autojump_clock):
        async with open_stream(engine, WEBSOCKET_3) as client:
            await client.get()
            (session,) = engine.sessions.values()
            await client.put("4a", broken, "4b")
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.PARSE_ERROR
            assert recorder(session).messages == ["a"]
        await nothing_is_left(engine)


class TestPollingRules:
    """Those of revision 4, in the other framing."""

    async def test_close_of_the_client(self, engine, nursery, autojump_clock):
        query, session = await open_polling_3(engine)
        asked = await ask(nursery, engine, "GET", query)
        assert (await post(engine, query, b"1:1")).body == b"ok"
        await settle()
        assert asked.result == (200, b"1:6")
        assert session.close_reason is CloseReason.TRANSPORT_CLOSE

    async def test_close_of_the_server(self, engine, nursery, autojump_clock):
        query, session = await open_polling_3(engine)
        asked = await ask(nursery, engine, "GET", query)
        session.close_gracefully(CloseReason.FORCED_CLOSE)
        await settle()
        assert asked.result == (200, b"1:1")
        query, session = await open_polling_3(engine)
        session.close_gracefully(CloseReason.FORCED_CLOSE)
        assert (await poll(engine, query)).body == b"1:61:1"

    async def test_a_second_get(self, engine, nursery, autojump_clock):
        query, session = await open_polling_3(engine)
        asked = await ask(nursery, engine, "GET", query)
        assert (await poll(engine, query)).status == 400
        await settle()
        assert asked.result == (200, b"1:1")
        assert session.close_reason is CloseReason.TRANSPORT_ERROR

    async def test_a_held_get_during_an_upgrade(self, engine, nursery, autojump_clock):
        query, session = await open_polling_3(engine)
        asked = await ask(nursery, engine, "GET", query)
        async with open_stream(engine, query.replace("polling", "websocket")) as client:
            await client.put("2probe")
            assert await client.get() == "3probe"
            await trio.sleep(0.1)
            await settle()
            assert asked.result == (200, b"1:6")
            await client.put("5", "4hello")
            assert recorder(session).messages == ["hello"]
            assert refusal(await poll(engine, query)) == (400, 3)

    @pytest.mark.parametrize("first", ["4hello", "3probe", b"\4\1", "2", "b4AQ=="])
    async def test_a_probe_that_is_none(self, engine, first, autojump_clock):
        query, session = await open_polling_3(engine)
        async with open_stream(engine, query.replace("polling", "websocket")) as client:
            await client.put(first)
            assert await client.get_close() == []
        session.send([message("still here")])
        assert (await poll(engine, query)).body == b"11:4still here"


async def post_bytes(engine, query: str, body: bytes) -> Response:
    async def read_body(most: int) -> bytes:
        return body

    headers = {"content-type": "application/octet-stream", "content-length": str(len(body))}
    return await engine.handle_http(request(query, "POST", headers), read_body)


async def test_other_methods(engine, autojump_clock):
    assert refusal(await http(engine, "POST", POLLING_3)) == (400, 2)
    query, _ = await open_polling_3(engine)
    assert (await http(engine, "PUT", query)).status == 500
