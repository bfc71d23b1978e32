"""The cases of the official Socket.IO 5 suite that are not Engine.IO's, in Python, in every way of being served."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.conformance.test_engine_io_4 import check_open
from tests.support.raw_client import RawClient, RawWebSocket


@asynccontextmanager
async def connected(sio: RawClient) -> AsyncIterator[RawWebSocket]:
    async with sio.session() as websocket:
        await websocket.send("40")
        assert (await websocket.receive()).startswith('40{"sid":"')
        assert await websocket.receive() == '42["auth",{}]'
        yield websocket


class TestEngine:
    async def test_polling_opens(self, sio):
        check_open((await sio.get("EIO=4&transport=polling")).text, ["websocket"])

    @pytest.mark.parametrize(
        "query", ["transport=polling", "EIO=abc&transport=polling", "EIO=4", "EIO=4&transport=abc"]
    )
    async def test_polling_invalid_query(self, sio, query):
        assert (await sio.get(query)).status_code == 400

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_polling_invalid_method(self, sio, method):
        assert (await sio.request(method, "EIO=4&transport=polling")).status_code == 400

    async def test_websocket_opens(self, sio):
        async with sio.websocket() as websocket:
            check_open(await websocket.receive(), [])

    async def test_polling_ping_pong(self, sio):
        query = await sio.open_polling()
        for _ in range(3):
            assert (await sio.get(query)).text == "2"
            assert (await sio.post(query, "3")).status_code == 200

    async def test_websocket_ping_timeout(self, sio):
        async with sio.session() as websocket:
            await websocket.closed()

    async def test_websocket_close(self, sio):
        async with sio.session() as websocket:
            await websocket.send("1")
            await websocket.closed()

    async def test_upgrade(self, sio):
        query = await sio.open_polling()
        async with sio.probed(query) as websocket:
            await websocket.send("5")
            assert (await sio.get(query)).status_code == 400
            async with sio.websocket(query.replace("polling", "websocket")) as second:
                await second.closed()


class TestConnect:
    @pytest.mark.parametrize(
        ("packet", "prefix", "auth"),
        [
            ("40", "40", '42["auth",{}]'),
            ('40{"token":"123"}', "40", '42["auth",{"token":"123"}]'),
            ("40/custom,", "40/custom,", '42/custom,["auth",{}]'),
            ('40/custom,{"token":"abc"}', "40/custom,", '42/custom,["auth",{"token":"abc"}]'),
        ],
    )
    async def test_admits(self, sio, packet, prefix, auth):
        async with sio.session() as websocket:
            await websocket.send(packet)
            answer = await websocket.receive()
            assert answer.startswith(prefix)
            data = json.loads(answer[len(prefix) :])
            assert set(data) == {"sid"}
            assert len(data["sid"]) == 20
            assert await websocket.receive() == auth

    async def test_unknown_namespace(self, sio):
        async with sio.session() as websocket:
            await websocket.send("40/random")
            assert await websocket.receive() == '44/random,{"message":"Invalid namespace"}'

    async def test_invalid_handshake(self, sio):
        async with sio.session() as websocket:
            await websocket.send("4abc")
            await websocket.closed()

    async def test_no_handshake(self, sio):
        async with sio.session() as websocket:
            async with trio.open_nursery() as nursery:

                async def answer_pings() -> None:
                    while True:
                        await websocket.send("3")
                        await trio.sleep(0.1)

                nursery.start_soon(answer_pings)
                started = trio.current_time()
                await websocket.closed()
                assert 0.8 < trio.current_time() - started < 3
                nursery.cancel_scope.cancel()


class TestDisconnect:
    async def test_from_the_main_namespace(self, sio):
        async with connected(sio) as websocket:
            await websocket.send("41")
            assert await websocket.receive() == "2"

    async def test_from_a_custom_namespace(self, sio):
        async with connected(sio) as websocket:
            assert await websocket.receive() == "2"
            await websocket.send("3", "40/custom")
            await websocket.receive_without_pings(2)
            await websocket.send("41/custom", '42["message","message to main namespace"]')
            assert await websocket.receive_without_pings(1) == ['42["message-back","message to main namespace"]']


class TestMessage:
    async def test_text(self, sio):
        async with connected(sio) as websocket:
            await websocket.send('42["message",1,"2",{"3":[true]}]')
            assert await websocket.receive() == '42["message-back",1,"2",{"3":[true]}]'

    async def test_binary(self, sio):
        header = '452-["{}",{{"_placeholder":true,"num":0}},{{"_placeholder":true,"num":1}}]'
        async with connected(sio) as websocket:
            await websocket.send(header.format("message"), b"\1\2\3", b"\4\5\6")
            assert await websocket.receive_without_pings(3) == [header.format("message-back"), b"\1\2\3", b"\4\5\6"]

    async def test_text_with_ack(self, sio):
        async with connected(sio) as websocket:
            await websocket.send('42456["message-with-ack",1,"2",{"3":[false]}]')
            assert await websocket.receive() == '43456[1,"2",{"3":[false]}]'

    async def test_binary_with_ack(self, sio):
        placeholders = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
        async with connected(sio) as websocket:
            await websocket.send(f'452-789["message-with-ack",{placeholders}]', b"\1\2\3", b"\4\5\6")
            assert await websocket.receive_without_pings(3) == [f"462-789[{placeholders}]", b"\1\2\3", b"\4\5\6"]

    @pytest.mark.parametrize("message", ["4abc", "42{}", '42abc["message-with-ack",1,"2",{"3":[false]}]'])
    async def test_invalid_format_closes(self, sio, message):
        async with connected(sio) as websocket:
            await websocket.send(message)
            await websocket.closed()
