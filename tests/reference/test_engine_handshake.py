"""The reference's cases of a handshake that no other test of ours has: what arrives of it, and its cookies."""

from __future__ import annotations

import json

import pytest

from tests.support.client import only_session
from tests.support.raw_client import raw_client
from trio_socketio import CORS, Cookie, EngineConfig, Server


async def test_a_refused_handshake_carries_the_cors_headers(way):
    cors = CORS(origins=("http://engine.example",), credentials=True)
    async with way(Server(EngineConfig(cors=cors))) as url, raw_client(url) as client:
        response = await client.get("EIO=4&transport=websocket", headers={"origin": "http://engine.example"})
        assert (response.status_code, response.json()) == (400, {"code": 3, "message": "Bad request"})
        assert response.headers["access-control-allow-origin"] == "http://engine.example"
        assert response.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
class TestRequest:
    async def test_query_and_headers_arrive(self, way, transport):
        server = Server()
        headers = {"x-mine": "s3cret", "cookie": "user=ada; theme=dark"}
        query = f"EIO=4&transport={transport}&a=b&c=d"
        async with way(server) as url, raw_client(url) as client:
            if transport == "polling":
                assert (await client.get(query, headers=headers)).status_code == 200
                request = only_session(server.engine).request
            else:
                async with client.websocket(query, extra_headers=list(headers.items())) as websocket:
                    await websocket.receive()
                    request = only_session(server.engine).request
        assert request.query == {"EIO": "4", "transport": transport, "a": "b", "c": "d"}
        assert {name: request.headers[name] for name in headers} == headers

    async def test_the_address_of_the_client(self, way, transport):
        server = Server()
        async with way(server) as url, raw_client(url) as client:
            if transport == "polling":
                await client.open_polling()
                address = only_session(server.engine).request.client
            else:
                async with client.session():
                    address = only_session(server.engine).request.client
        # Streams of memory come from nowhere.
        assert address == (None if url.endswith(".invalid") else "127.0.0.1")


class TestCookie:
    @pytest.mark.parametrize(
        ("cookie", "expected"),
        [
            (Cookie(), "io={}; Path=/; HttpOnly; SameSite=Lax"),
            (Cookie(name="node"), "node={}; Path=/; HttpOnly; SameSite=Lax"),
            (Cookie(path="/live"), "io={}; Path=/live; HttpOnly; SameSite=Lax"),
            (Cookie(http_only=True), "io={}; Path=/; HttpOnly; SameSite=Lax"),
            (Cookie(http_only=False), "io={}; Path=/; SameSite=Lax"),
            (Cookie(same_site="strict"), "io={}; Path=/; HttpOnly; SameSite=Strict"),
            (None, None),
        ],
    )
    async def test_attributes(self, way, cookie, expected):
        async with way(Server(EngineConfig(cookie=cookie))) as url, raw_client(url) as client:
            response = await client.get("EIO=4&transport=polling")
            sid = json.loads(response.text[1:])["sid"]
            assert response.headers.get_list("set-cookie") == ([] if expected is None else [expected.format(sid)])

    @pytest.mark.parametrize("hook", ["initial_headers", "headers"])
    async def test_one_of_a_hook_stands_beside_the_sessions(self, way, hook):
        asked = []

        def add(headers, request):
            asked.append(request.method)
            headers.extend([("x-test", "yes"), ("set-cookie", "mine=1")])

        config = EngineConfig(cookie=Cookie(), **{hook: add})
        async with way(Server(config)) as url, raw_client(url) as client:
            response = await client.get("EIO=4&transport=polling")
            sid = json.loads(response.text[1:])["sid"]
            assert response.headers["x-test"] == "yes"
            assert response.headers.get_list("set-cookie") == [
                f"io={sid}; Path=/; HttpOnly; SameSite=Lax",
                "mine=1",
            ]
            later = await client.post(f"EIO=4&transport=polling&sid={sid}", "40")
            assert later.headers.get_list("set-cookie") == ["mine=1"] * (hook == "headers")
            async with client.websocket() as websocket:
                headers = [header for header in websocket.connection.handshake_headers if header[0] in CHANGED]
                assert sorted(headers) == [(b"set-cookie", b"mine=1"), (b"x-test", b"yes")]
        assert asked == (["GET", "POST", "GET"] if hook == "headers" else ["GET", "GET"])


CHANGED = {b"set-cookie", b"x-test"}
