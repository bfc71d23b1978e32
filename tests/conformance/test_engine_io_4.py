"""The cases of the official Engine.IO 4 suite, in Python: 25, each in every way of being served."""

from __future__ import annotations

import json

import pytest
import trio
import trio_websocket

from tests.support.echo_server import until

KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}


def check_open(packet: str, upgrades: list[str]) -> None:
    assert packet[0] == "0"
    data = json.loads(packet[1:])
    assert set(data) == KEYS
    assert data["upgrades"] == upgrades
    assert (data["pingInterval"], data["pingTimeout"], data["maxPayload"]) == (300, 200, 1_000_000)
    assert len(data["sid"]) == 20


class TestHandshake:
    async def test_polling_opens(self, engine):
        response = await engine.get("EIO=4&transport=polling")
        assert response.status_code == 200
        check_open(response.text, ["websocket"])

    @pytest.mark.parametrize("query", ["transport=polling", "EIO=abc&transport=polling"])
    async def test_polling_invalid_eio(self, engine, query):
        response = await engine.get(query)
        assert (response.status_code, response.json()["code"]) == (400, 5)

    @pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=abc"])
    async def test_polling_invalid_transport(self, engine, query):
        response = await engine.get(query)
        assert response.status_code == 400
        assert response.json() == {"code": 0, "message": "Transport unknown"}

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_polling_invalid_method(self, engine, method):
        response = await engine.request(method, "EIO=4&transport=polling")
        assert response.status_code == 400
        assert response.json() == {"code": 2, "message": "Bad handshake method"}

    async def test_websocket_opens(self, engine):
        async with engine.websocket() as websocket:
            check_open(await websocket.receive(), [])

    @pytest.mark.parametrize("query", ["transport=websocket", "EIO=abc&transport=websocket"])
    async def test_websocket_invalid_eio(self, engine, query):
        with pytest.raises(trio_websocket.ConnectionRejected) as refused:
            async with engine.websocket(query):
                pass
        assert (refused.value.status_code, refused.value.body) == (400, b"Unsupported protocol version")

    @pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=abc"])
    async def test_websocket_invalid_transport(self, engine, query):
        with pytest.raises(trio_websocket.ConnectionRejected) as refused:
            async with engine.websocket(query):
                pass
        assert (refused.value.status_code, refused.value.body) == (400, b"Transport unknown")


class TestMessage:
    @pytest.mark.parametrize("body", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="])
    async def test_polling_echoes(self, engine, body):
        query = await engine.open_polling()
        pushed = await engine.post(query, body)
        assert (pushed.status_code, pushed.text) == (200, "ok")
        assert (await engine.get(query)).text == body

    async def test_polling_invalid_format_closes(self, engine):
        query = await engine.open_polling()
        assert (await engine.post(query, "abc")).status_code == 400
        assert (await engine.get(query)).status_code == 400

    async def test_polling_duplicate_polls_close(self, engine, nursery):
        query = await engine.open_polling()
        first = []

        async def poll() -> None:
            first.append(await engine.get(query))

        async with trio.open_nursery() as polls:
            polls.start_soon(poll)
            # Whichever comes first is held; the other one is the duplicate.
            first.append(await engine.get(query + "&t=burst"))
        assert sorted((response.status_code, response.text) for response in first) == [(200, "1"), (400, "")]
        assert (await engine.get(query)).status_code == 400

    async def test_polling_cancelled_poll_closes(self, engine):
        query = await engine.open_polling()
        with trio.move_on_after(0.02):
            await engine.get(query)
        assert (await engine.get(query)).status_code == 400

    async def test_websocket_text(self, engine):
        async with engine.session() as websocket:
            await websocket.send("4hello")
            assert await websocket.receive() == "4hello"

    async def test_websocket_binary(self, engine):
        async with engine.session() as websocket:
            await websocket.send(b"\1\2\3\4")
            assert await websocket.receive() == b"\1\2\3\4"

    async def test_websocket_invalid_format_closes(self, engine):
        async with engine.session() as websocket:
            await websocket.send("abc")
            await websocket.closed()


class TestHeartbeat:
    async def test_polling_ping_pong(self, engine):
        query = await engine.open_polling()
        for _ in range(3):
            assert (await engine.get(query)).text == "2"
            assert (await engine.post(query, "3")).status_code == 200

    async def test_polling_ping_timeout(self, engine):
        query = await engine.open_polling()
        # The suite sleeps for interval + timeout; here the server's own end of the session is waited for.
        await until(lambda: not engine.sessions)
        assert (await engine.get(query)).status_code == 400

    async def test_websocket_ping_pong(self, engine):
        async with engine.session() as websocket:
            for _ in range(3):
                assert await websocket.receive() == "2"
                await websocket.send("3")

    async def test_websocket_ping_timeout(self, engine):
        async with engine.session() as websocket:
            started = trio.current_time()
            await websocket.closed()
            assert 0.4 < trio.current_time() - started < 2


class TestClose:
    async def test_polling(self, engine):
        query = await engine.open_polling()
        answers = []

        async def poll() -> None:
            answers.append(await engine.get(query))

        async with trio.open_nursery() as requests:
            requests.start_soon(poll)
            assert (await engine.post(query, "1")).text == "ok"
        # The two race on two connections: the poll is answered NOOP, or comes after the close.
        assert [(answer.status_code, answer.text[:1]) for answer in answers] in ([(200, "6")], [(400, "{")])
        assert (await engine.get(query)).status_code == 400

    async def test_websocket(self, engine):
        async with engine.session() as websocket:
            await websocket.send("1")
            await websocket.closed()


class TestUpgrade:
    async def test_succeeds(self, engine):
        query = await engine.open_polling()
        async with engine.probed(query) as websocket:
            # "a noop packet to cleanly end the HTTP long-polling request"
            assert (await engine.get(query)).text == "6"
            await websocket.send("5", "4hello")
            assert await websocket.receive() == "4hello"

    async def test_http_is_refused_afterwards(self, engine):
        query = await engine.open_polling()
        async with engine.probed(query) as websocket:
            await websocket.send("5")
            response = await engine.get(query)
            assert (response.status_code, response.json()["code"]) == (400, 3)
            await websocket.send("4hello")
            assert await websocket.receive() == "4hello"

    async def test_another_websocket_is_closed_afterwards(self, engine):
        query = await engine.open_polling()
        async with engine.probed(query) as websocket:
            await websocket.send("5")
            async with engine.websocket(query.replace("polling", "websocket")) as second:
                await second.closed()
            await websocket.send("4hello")
            assert await websocket.receive() == "4hello"
