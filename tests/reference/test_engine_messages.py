"""The reference's cases of messages that no other test of ours has: text of other scripts, and bodies in pieces."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import MemoryStream, only_session, request, settle
from tests.support.echo_engine import EchoServer
from tests.support.engine import WEBSOCKET, message, recorder, running_engine
from tests.support.raw_client import raw_client
from trio_socketio import CORS, EngineConfig, Limits

PATH = "/engine.io"
CALM = EngineConfig(path=PATH)
CHINESE = ["", "你好，世界！", "三人行，必有我师焉。𠮷"]


class TestText:
    async def test_chinese_on_long_polling(self, way):
        async with way(EchoServer(CALM)) as url, raw_client(url, PATH) as client:
            query = await client.open_polling()
            body = "\x1e".join(f"4{text}" for text in CHINESE)
            assert (await client.post(query, body)).text == "ok"
            answer = await client.get(query)
            assert (answer.content, answer.headers["content-length"]) == (body.encode(), str(len(body.encode())))

    async def test_chinese_on_a_websocket(self, way):
        async with way(EchoServer(CALM)) as url, raw_client(url, PATH) as client, client.session() as websocket:
            await websocket.send(*[f"4{text}" for text in CHINESE])
            assert [await websocket.receive() for _ in CHINESE] == [f"4{text}" for text in CHINESE]


class TestBodies:
    async def test_a_large_one_comes_in_many_pieces(self, way):
        async with way(EchoServer(CALM)) as url, raw_client(url, PATH) as client:
            query = await client.open_polling()
            message = "4" + "a" * 999_999
            assert (await client.post(query, message)).text == "ok"
            assert (await client.get(query)).text == message

    async def test_one_in_chunks(self, way):
        async with way(EchoServer(CALM)) as url, raw_client(url, PATH) as client:
            query = await client.open_polling()
            async with client.begun_post(query) as stream:
                for piece in b"123":
                    await stream.send_all(b"1\r\n%c\r\n" % piece)
                await stream.send_all(b"0\r\n\r\n")
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
            assert (await client.get(query)).text == "4123"

    @pytest.mark.parametrize(("body", "is_taken"), [("4short", True), ("4" + "long" * 75, False)])
    async def test_none_is_read_beyond_the_limit(self, way, body, is_taken):
        async with way(EchoServer(CALM, Limits(max_payload=300))) as url, raw_client(url, PATH) as client:
            query = await client.open_polling()
            assert (await client.post(query, body)).status_code == (200 if is_taken else 413)
            answer = await client.get(query)
            assert (answer.status_code, answer.text == body) == ((200, True) if is_taken else (400, False))


async def test_a_session_of_another_origin(way):
    cors = CORS(origins=("http://engine.example",), credentials=True)
    headers = {"origin": "http://engine.example"}
    server = EchoServer(EngineConfig(path=PATH, cors=cors))
    async with way(server) as url, raw_client(url, PATH) as client:
        opened = await client.get("EIO=4&transport=polling", headers=headers)
        (sid,) = server.engine.sessions
        query = f"EIO=4&transport=polling&sid={sid}"
        sent = await client.post(query, "4hey", headers=headers)
        received = await client.get(query, headers=headers)
        assert received.text == "4hey"
        for response in (opened, sent, received):
            assert response.headers["access-control-allow-origin"] == "http://engine.example"
            assert response.headers["access-control-allow-credentials"] == "true"


async def test_each_message_arrives_once_also_across_the_upgrade(way):
    server = EchoServer(CALM)
    async with way(server) as url, raw_client(url, PATH) as client:
        query = await client.open_polling()
        assert (await client.post(query, "4a\x1e4b")).text == "ok"
        assert (await client.get(query)).text == "4a\x1e4b"
        async with client.probed(query) as websocket:
            # In the window of the upgrade it is still long-polling that carries.
            assert (await client.post(query, "4c")).text == "ok"
            assert (await client.get(query)).text == "4c"
            assert (await client.post(query, "4d")).text == "ok"
            await websocket.send("5", "4e")
            assert [await websocket.receive() for _ in range(2)] == ["4d", "4e"]


async def test_pings_get_through_among_many_messages(autojump_clock, nursery):
    class Steady(MemoryStream):
        async def send(self, frame):
            await trio.sleep(0.3)
            await super().send(frame)

    async with running_engine(limits=Limits(send_queue_bytes=10_000_000)) as engine:
        stream = Steady()
        stream.answers_pings = True
        nursery.start_soon(engine.carry, await engine.admit(request(WEBSOCKET)), stream)
        assert (await stream.get())[0] == "0"
        session = only_session(engine)
        texts = [f"{number} " + "a" * 65_000 for number in range(100)]
        for text in texts:
            session.send([message(text)])
        assert await stream.get_all(100) == [f"4{text}" for text in texts]
        assert trio.current_time() > 30, "the first ping fell due among them"
        await trio.sleep_until(60)
        assert recorder(session).reasons == []
        stream.cut()
        await settle()
