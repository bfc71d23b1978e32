"""What stands on the level of HTTP, in every way of being served."""

from __future__ import annotations

import json

import pytest

from tests.support.client import only_session
from tests.support.raw_client import raw_client
from tests.support.served import WAYS
from trio_socketio import Cookie, EngineConfig, Server, Socket, TrustedProxies
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
        sockets: list[Socket] = []
        sio.server.on_connection(self._noting(sockets))
        response = await sio.get("EIO=4&transport=polling", headers=headers)
        query = f"EIO=4&transport=polling&sid={json.loads(response.text[1:])['sid']}"
        assert (await sio.post(query, "40")).status_code == 200
        assert (await sio.get(query)).status_code == 200
        return sockets[0].handshake, response

    @staticmethod
    def _noting(sockets: list[Socket]):
        async def note(socket: Socket) -> None:
            sockets.append(socket)

        return note

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
