"""The cases of the official Engine.IO 3 suite, in Python: 23 and the one that is skipped there, in every way of being served.

The server is the very one of ``test_engine_io_4``: one endpoint, both revisions.
"""

from __future__ import annotations

import json

import pytest
import trio
import trio_websocket

from tests.support.echo_server import until
from tests.support.engine3 import only_packet

KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
POLLING = "EIO=3&transport=polling"
WEBSOCKET = "EIO=3&transport=websocket"
OCTETS = {"content-type": "application/octet-stream"}


def check_open(packet: str, upgrades: list[str]) -> str:
    assert packet[0] == "0"
    data = json.loads(packet[1:])
    assert set(data) == KEYS
    assert data["upgrades"] == upgrades
    assert (data["pingInterval"], data["pingTimeout"], data["maxPayload"]) == (300, 200, 1_000_000)
    return data["sid"]


async def open_polling(old_engine, more: str = "&b64=1") -> str:
    response = await old_engine.get(POLLING + more)
    return f"{POLLING}&sid={check_open(only_packet(response.text), ['websocket'])}"


def session(old_engine):
    return old_engine.session(WEBSOCKET)


class TestHandshake:
    async def test_polling_opens(self, old_engine):
        response = await old_engine.get(POLLING)
        assert (response.status_code, response.headers["content-type"]) == (200, "text/plain; charset=UTF-8")
        check_open(only_packet(response.text), ["websocket"])

    @pytest.mark.parametrize("query", ["transport=polling", "EIO=abc&transport=polling", "EIO=2&transport=polling"])
    async def test_polling_invalid_eio(self, old_engine, query):
        response = await old_engine.get(query)
        assert (response.status_code, response.json()["code"]) == (400, 5)

    @pytest.mark.parametrize("query", ["EIO=3", "EIO=3&transport=abc"])
    async def test_polling_invalid_transport(self, old_engine, query):
        response = await old_engine.get(query)
        assert response.status_code == 400
        assert response.json() == {"code": 0, "message": "Transport unknown"}

    async def test_polling_invalid_method(self, old_engine):
        response = await old_engine.post(POLLING, "")
        assert response.status_code == 400
        assert response.json() == {"code": 2, "message": "Bad handshake method"}

    async def test_websocket_opens(self, old_engine):
        async with old_engine.websocket(WEBSOCKET) as websocket:
            check_open(await websocket.receive(), [])

    @pytest.mark.parametrize(
        ("query", "body"),
        [
            ("transport=websocket", b"Unsupported protocol version"),
            ("EIO=abc&transport=websocket", b"Unsupported protocol version"),
            ("EIO=3", b"Transport unknown"),
            ("EIO=3&transport=abc", b"Transport unknown"),
        ],
    )
    async def test_websocket_invalid_eio_and_transport(self, old_engine, query, body):
        with pytest.raises(trio_websocket.ConnectionRejected) as refused:
            async with old_engine.websocket(query):
                pass
        assert (refused.value.status_code, refused.value.body) == (400, body)

    async def test_the_other_revision_is_served_beside_it(self, old_engine):
        query, old = await old_engine.open_polling(), await open_polling(old_engine)
        assert (await old_engine.post(query, "4new")).text == (await old_engine.post(old, "4:4old")).text == "ok"
        assert (await old_engine.get(query)).text == "4new"
        assert (await old_engine.get(old)).text == "4:4old"
        assert (await old_engine.get(old.replace("EIO=3", "EIO=4"))).json()["code"] == 3


class TestMessage:
    @pytest.mark.parametrize(
        "body",
        ["6:4hello", "6:4test16:4test26:4test3", "6:4hello10:b4AQIDBA==", "2:4€3:4\U0001f6006:4hello", "4:41:2"],
    )
    async def test_polling_echoes(self, old_engine, body):
        query = await open_polling(old_engine)
        pushed = await old_engine.post(query, body.encode())
        assert (pushed.status_code, pushed.text) == (200, "ok")
        polled = await old_engine.get(query)
        assert (polled.headers["content-type"], polled.text) == ("text/plain; charset=UTF-8", body)

    @pytest.mark.parametrize("headers", [{}, OCTETS])
    async def test_polling_echoes_bytes(self, old_engine, headers):
        body = b"\0\6\xff4hello\1\5\xff\4\1\2\3\4"
        query = await open_polling(old_engine, "")
        await old_engine.post(query, body if headers else b"6:4hello10:b4AQIDBA==", headers=headers)
        polled = await old_engine.get(query)
        assert (polled.headers["content-type"], polled.content) == ("application/octet-stream", body)

    @pytest.mark.parametrize("headers", [{}, OCTETS])
    async def test_polling_invalid_format_closes(self, old_engine, headers):
        query = await open_polling(old_engine)
        assert (await old_engine.post(query, "abc", headers=headers)).status_code == 400
        assert (await old_engine.get(query)).status_code == 400

    async def test_polling_duplicate_polls_close(self, old_engine):
        query = await open_polling(old_engine)
        answers = []

        async def poll() -> None:
            answers.append(await old_engine.get(query))

        async with trio.open_nursery() as polls:
            polls.start_soon(poll)
            # Whichever comes first is held; the other one is the duplicate.
            answers.append(await old_engine.get(query + "&t=burst"))
        assert sorted((answer.status_code, answer.text) for answer in answers) == [(200, "1:1"), (400, "")]
        assert (await old_engine.get(query)).status_code == 400

    async def test_polling_cancelled_poll_closes(self, old_engine):
        query = await open_polling(old_engine)
        with trio.move_on_after(0.02):
            await old_engine.get(query)
        assert (await old_engine.get(query)).status_code == 400

    async def test_websocket_text(self, old_engine):
        async with session(old_engine) as websocket:
            await websocket.send("4hello")
            assert await websocket.receive() == "4hello"

    async def test_websocket_binary(self, old_engine):
        async with session(old_engine) as websocket:
            await websocket.send(b"\4\1\2\3\4", b"\4" + b"\xff" * 100_000, "b4AQI=")
            assert await websocket.receive() == b"\4\1\2\3\4"
            assert await websocket.receive() == b"\4" + b"\xff" * 100_000
            assert await websocket.receive() == b"\4\1\2"

    async def test_websocket_binary_in_text(self, old_engine):
        async with old_engine.session(WEBSOCKET + "&b64=1") as websocket:
            await websocket.send("4text", "b4AQIDBA==")
            assert await websocket.receive() == "4text"
            assert await websocket.receive() == "b4AQIDBA=="

    @pytest.mark.parametrize("message", ["abc", "bAQ==", b"\1\2\3\4"])
    async def test_websocket_invalid_format_closes(self, old_engine, message):
        async with session(old_engine) as websocket:
            await websocket.send(message)
            await websocket.closed()


class TestHeartbeat:
    async def test_polling_ping_pong(self, old_engine):
        query = await open_polling(old_engine)
        for _ in range(3):
            assert (await old_engine.post(query, "1:2")).status_code == 200
            assert (await old_engine.get(query)).text == "1:3"

    async def test_polling_ping_timeout(self, old_engine):
        query = await open_polling(old_engine)
        # The suite sleeps for interval + timeout; here the server's own end of the session is waited for.
        await until(lambda: not old_engine.sessions)
        assert (await old_engine.post(query, "1:2")).status_code == 400

    async def test_websocket_ping_pong(self, old_engine):
        async with session(old_engine) as websocket:
            for _ in range(3):
                await websocket.send("2")
                assert await websocket.receive() == "3"

    async def test_websocket_ping_timeout(self, old_engine):
        async with session(old_engine) as websocket:
            started = trio.current_time()
            # No ping of the server's: what comes is the end.
            with pytest.raises(trio_websocket.ConnectionClosed):
                await websocket.receive()
            assert 0.4 < trio.current_time() - started < 2


class TestClose:
    async def test_polling(self, old_engine):
        query = await open_polling(old_engine)
        answers = []

        async def poll() -> None:
            answers.append(await old_engine.get(query))

        async with trio.open_nursery() as requests:
            requests.start_soon(poll)
            assert (await old_engine.post(query, "1:1")).text == "ok"
        # The two race on two connections: the poll is answered NOOP, or comes after the close.
        assert [(answer.status_code, answer.text[:3]) for answer in answers] in ([(200, "1:6")], [(400, '{"c')])
        assert (await old_engine.get(query)).status_code == 400

    async def test_websocket(self, old_engine):
        async with session(old_engine) as websocket:
            await websocket.send("1")
            await websocket.closed()


class TestUpgrade:
    async def test_succeeds(self, old_engine):
        query = await open_polling(old_engine)
        async with old_engine.probed(query) as websocket:
            assert (await old_engine.get(query)).text == "1:6"
            await websocket.send("5", "4hello", b"\4\1")
            assert await websocket.receive() == "4hello"
            assert await websocket.receive() == b"\4\1"

    async def test_http_is_refused_afterwards(self, old_engine):
        query = await open_polling(old_engine)
        async with old_engine.probed(query) as websocket:
            await websocket.send("5")
            response = await old_engine.get(query)
            assert (response.status_code, response.json()["code"]) == (400, 3)
            await websocket.send("4hello")
            assert await websocket.receive() == "4hello"

    async def test_another_websocket_is_closed_afterwards(self, old_engine):
        query = await open_polling(old_engine)
        async with old_engine.probed(query) as websocket:
            await websocket.send("5")
            async with old_engine.websocket(query.replace("polling", "websocket")) as second:
                await second.closed()
            await websocket.send("4hello")
            assert await websocket.receive() == "4hello"
