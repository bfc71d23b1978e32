"""Where a client's requests go."""

from __future__ import annotations

from trio_socketio import EngineConfig, Server
from trio_socketio.testing import open_memory_server
from trio_socketio.testing.dialer import Dialer


async def test_targets(autojump_clock):
    async with open_memory_server(Server()) as server:
        dialer = Dialer(link=server.new_link(), path="/socket.io/", query={"user": "a b"})
        assert dialer.target("polling") == "/socket.io/?EIO=4&transport=polling&user=a+b"
        assert dialer.target("websocket", "S") == "/socket.io/?EIO=4&transport=websocket&user=a+b&sid=S"
        assert Dialer(link=dialer.link, path="/", query={"EIO": "3"}).target("polling") == "/?EIO=3&transport=polling"


async def test_connections_are_of_the_link(autojump_clock):
    async with open_memory_server(Server()) as server:
        dialer = Dialer(link=server.new_link(), path="/socket.io/", headers={"x-user": "u"})
        connection = await dialer.connect()
        answer = await connection.ask("GET", dialer.target("polling"), dialer.headers)
        assert answer.status == 200
        websocket = await dialer.open_websocket()
        assert dialer.link.connections == 2
        websocket.abandon()
        connection.stream.close()


async def test_headers_query_and_path_reach_the_handshake(autojump_clock):
    sio = Server(EngineConfig(path="/live"))
    seen = []

    @sio.on_connection
    async def note(socket):
        handshake = socket.handshake
        seen.append((handshake.headers["x-user"], handshake.query["room"], handshake.url.partition("?")[0]))

    async with open_memory_server(sio) as server:
        for transports in (("polling",), ("websocket",)):
            async with server.open_client(headers={"X-User": "u"}, query={"room": "r"}, transports=transports):
                pass
    assert seen == [("u", "r", "/live/")] * 2
