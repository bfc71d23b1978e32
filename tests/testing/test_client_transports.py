"""How the client's session is carried: portions of a POST, refusals, and both transports against the real server."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import ConnectionRefused, EngineConfig, Limits, Server
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio.testing import HandshakeFailed, HTTPAnswer, open_memory_server
from trio_socketio.testing.client_transports import PollingTransport, _portions, refusal_in
from trio_socketio.testing.dialer import Dialer


def message(data):
    return EnginePacket(PacketType.MESSAGE, data)


def test_a_post_is_no_larger_than_the_server_takes_it():
    packets = [message("x" * 40), message("y" * 40), message(bytes(60)), message("z")]
    portions = _portions(packets, 100)
    assert portions == [packets[:2], packets[2:]]
    assert _portions([], 100) == []


def test_a_packet_that_is_too_large_goes_alone():
    packets = [message("x"), message("y" * 1000), message("z")]
    assert _portions(packets, 100) == [packets[:1], packets[1:2], packets[2:]]


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b'{"code":4,"message":"x"}'), (403, b"no json"), (403, b'{"code":3,"message":"x"}'), (403, b"[]")],
)
def test_only_code_4_is_what_the_application_says(status, body):
    failure = HandshakeFailed("GET /", HTTPAnswer(status=status, headers={}, body=body))
    assert refusal_in(failure) is failure


def test_code_4_has_the_applications_message():
    failure = HandshakeFailed("GET /", HTTPAnswer(status=403, headers={}, body=b'{"code":4,"message":"no bots"}'))
    refusal = refusal_in(failure)
    assert isinstance(refusal, ConnectionRefused)
    assert refusal.message == "no bots"
    as_text = HandshakeFailed("GET /", HTTPAnswer(status=403, headers={}, body=b"no bots"))
    refusal = refusal_in(as_text, is_websocket=True)
    assert isinstance(refusal, ConnectionRefused)
    assert refusal.message == "no bots"


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
async def test_allow_request_refuses(autojump_clock, transports):
    async def allow(request):
        raise ConnectionRefused("no bots")

    async with open_memory_server(Server(EngineConfig(allow_request=allow))) as server:
        with pytest.raises(ConnectionRefused, match="no bots"):
            async with server.open_client(transports=transports):
                pass


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
async def test_what_the_server_does_not_speak(autojump_clock, transports):
    other = "websocket" if transports == ("polling",) else "polling"
    async with open_memory_server(Server(EngineConfig(transports=(other,)))) as server:
        with pytest.raises(HandshakeFailed, match="Transport unknown"):
            async with server.open_client(transports=transports):
                pass


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
async def test_much_in_both_directions(autojump_clock, transports):
    sio = Server(limits=Limits(max_payload=1000))

    @sio.on("echo")
    async def echo(socket, *args):
        return args

    async with open_memory_server(sio) as server, server.open_client(transports=transports) as socket:
        for number in range(50):
            socket.emit_nowait("note", "x" * 500)
            socket.emit_nowait("bytes", bytes(200), number)
        assert await socket.call("echo", b"a", "é" * 200, b"b") == (b"a", "é" * 200, b"b")
        assert server.sio.statistics().refused == {}


async def test_the_post_connection_is_opened_again_when_the_server_has_closed_it(autojump_clock):
    sio = Server()

    @sio.on("echo")
    async def echo(socket, value):
        return value

    async with open_memory_server(sio) as server, server.open_client(transports=("polling",)) as socket:
        for number in range(3):
            await trio.sleep(61)  # Idle for longer than the server keeps it; but pongs go over it, too.
            assert await socket.call("echo", number) == number


async def test_a_transport_that_did_not_open_leaves_no_connection(autojump_clock):
    async with open_memory_server(Server(EngineConfig(transports=("websocket",)))) as server:
        link = server.new_link()
        with pytest.raises(HandshakeFailed):
            async with server.open_client(transports=("polling",), link=link):
                pass
        await trio.testing.wait_all_tasks_blocked()
        assert link.connections == 0


async def test_the_end_of_a_session_by_long_polling_is_told(autojump_clock):
    sio = Server()
    reasons = []

    @sio.on_disconnect
    async def note(socket, reason):
        reasons.append((reason, trio.current_time()))

    async with open_memory_server(sio) as server:
        transport = PollingTransport(Dialer(link=server.new_link(), path="/socket.io/"), lambda held, packets: None)
        await transport.open()
        assert len(sio.engine.sessions) == 1
        await transport.close()
        assert len(sio.engine.sessions) == 0
        transport.abandon()
