"""What stands on the level of HTTP, in every way of being served."""

from __future__ import annotations

import json
import re

import pytest
import trio_websocket

from tests.support.application import socket_of
from tests.support.client import only_session
from tests.support.raw_client import raw_client
from tests.support.served import WAYS
from trio_socketio import (
    CORS,
    ConnectionRefusal,
    ConnectionRefused,
    Cookie,
    EngineConfig,
    HTTPCompression,
    Request,
    Response,
    Server,
    Socket,
    TrustedProxies,
)
from trio_socketio._asgi.scope import raw

FORWARDED = {
    "x-forwarded-for": "203.0.113.9, 192.0.2.1",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "chat.example",
}


@pytest.mark.parametrize("way", sorted(WAYS))
class TestProxies:
    @pytest.fixture
    async def sio(self, way):
        config = EngineConfig(
            cookie=Cookie(),
            trusted_proxies=TrustedProxies(addresses=("127.0.0.1", "::1", "unix")),
            ping_interval=10_000,
        )
        server = Server(config)
        async with WAYS[way](server) as url, raw_client(url) as client:
            client.server = server
            yield client

    async def handshake_of(self, sio, headers: dict[str, str]):
        response = await sio.get("EIO=4&transport=polling", headers=headers)
        query = f"EIO=4&transport=polling&sid={json.loads(response.text[1:])['sid']}"
        assert (await sio.post(query, "40")).status_code == 200
        assert (await sio.get(query)).status_code == 200
        return socket_of(sio.server).handshake, response

    async def test_address_and_security_of_the_handshake(self, sio):
        handshake, response = await self.handshake_of(sio, FORWARDED)
        assert (handshake.address, handshake.secure) == ("192.0.2.1", True)
        assert "; Secure" in response.headers["set-cookie"]

    async def test_nothing_said(self, sio):
        handshake, response = await self.handshake_of(sio, {})
        assert handshake.address in {"127.0.0.1", None}
        assert not handshake.secure
        assert "Secure" not in response.headers["set-cookie"]

    async def test_the_own_origin(self, sio):
        for origin, status in (
            ("https://chat.example", 200),
            ("http://chat.example", 403),
            ("https://evil.example", 403),
        ):
            response = await sio.get("EIO=4&transport=polling", headers=FORWARDED | {"origin": origin})
            assert response.status_code == status

    async def test_a_websocket(self, sio):
        fields = FORWARDED | {"origin": "https://chat.example"}
        async with sio.websocket(extra_headers=raw(list(fields.items()))) as websocket:
            assert (await websocket.receive()).startswith("0{")
            request = only_session(sio.server.engine).request
            assert (request.client, request.secure, request.host) == ("192.0.2.1", True, "chat.example")


@pytest.mark.parametrize("way", sorted(WAYS))
class TestCompression:
    @pytest.fixture
    async def sio(self, way):
        server = Server(EngineConfig(http_compression=HTTPCompression(), ping_interval=10_000))

        @server.on("echo")
        async def echo(socket: Socket, text: str) -> None:
            await socket.emit("echo", text)

        async with WAYS[way](server) as url, raw_client(url) as client:
            yield client

    async def echoed(self, sio, text: str, headers: dict[str, str]):
        query = await sio.open_polling()
        await sio.post(query, "40")
        await sio.get(query)
        await sio.post(query, f'42["echo","{text}"]')
        response = await sio.get(query, headers=headers)
        assert response.text == f'42["echo","{text}"]'
        return response

    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    async def test_what_is_long_enough(self, sio, coding):
        response = await self.echoed(sio, "α" * 50_000, {"accept-encoding": coding})
        assert response.headers["content-encoding"] == coding
        assert response.headers["vary"] == "Origin, Accept-Encoding"
        assert int(response.headers["content-length"]) == response.num_bytes_downloaded < 1000

    async def test_what_is_not(self, sio):
        response = await self.echoed(sio, "a" * 900, {"accept-encoding": "gzip"})
        assert "content-encoding" not in response.headers
        response = await self.echoed(sio, "a" * 5000, {"accept-encoding": "gzip;q=0"})
        assert "content-encoding" not in response.headers


@pytest.mark.parametrize("way", sorted(WAYS))
class TestMiddleware:
    async def test_who_it_is_reaches_the_sockets(self, way):
        async def who(request: Request) -> None:
            request.state["user"] = request.headers.get("cookie", "").removeprefix("user=") or None

        async def members_only(request: Request) -> Response | None:
            if request.state["user"] is None:
                return Response(401, b"who are you?", "text/plain", [("www-authenticate", "Cookie")])
            if request.state["user"] == "mallory":
                raise ConnectionRefused("not you")
            return None

        server = Server(EngineConfig(middleware=(who, members_only)))
        async with WAYS[way](server) as url, raw_client(url) as sio:
            response = await sio.get("EIO=4&transport=polling")
            assert (response.status_code, response.text) == (401, "who are you?")
            assert response.headers["www-authenticate"] == "Cookie"
            for cookie, status in ((b"", 401), (b"user=mallory", 403)):
                with pytest.raises(trio_websocket.ConnectionRejected) as refused:
                    async with sio.websocket(extra_headers=[(b"cookie", cookie)]):
                        pass
                assert refused.value.status_code == status
            async with sio.websocket(extra_headers=[(b"cookie", b"user=alice")]) as websocket:
                await websocket.send("40")
                await websocket.receive_without_pings(2)
                assert socket_of(server).handshake.state == {"user": "alice"}


@pytest.mark.parametrize("way", sorted(WAYS))
class TestOrigins:
    async def test_a_pattern_on_both_transports(self, way):
        heard: list[ConnectionRefusal] = []
        cors = CORS(origins=re.compile(r"https://[a-z]+\.example"), credentials=True, exposed_headers=("x-total",))
        server = Server(EngineConfig(cors=cors, connection_error=heard.append))
        async with WAYS[way](server) as url, raw_client(url) as sio:
            response = await sio.get("EIO=4&transport=polling", headers={"origin": "https://app.example"})
            assert response.headers["access-control-allow-origin"] == "https://app.example"
            assert response.headers["access-control-allow-credentials"] == "true"
            assert response.headers["access-control-expose-headers"] == "x-total"
            assert response.headers["vary"] == "Origin"
            async with sio.websocket(extra_headers=[(b"origin", b"https://app.example")]):
                pass
            assert heard == []
            evil = "https://app.example.evil.net"
            assert (await sio.get("EIO=4&transport=polling", headers={"origin": evil})).status_code == 403
            with pytest.raises(trio_websocket.ConnectionRejected):
                async with sio.websocket(extra_headers=[(b"origin", evil.encode())]):
                    pass
            assert [dict(refusal.context) for refusal in heard] == [{"name": "INVALID_ORIGIN", "origin": evil}] * 2
            assert {refusal.code for refusal in heard} == {4}


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_sids_begin_with_the_servers_prefix(way):
    server = Server(EngineConfig(sid_prefix="w1-"))
    async with WAYS[way](server) as url, raw_client(url) as sio:
        query = await sio.open_polling()
        assert re.search(r"&sid=w1-[0-9A-Za-z_-]{20}$", query)
        assert (await sio.post(query, "40")).status_code == 200
