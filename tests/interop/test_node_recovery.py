"""The official client, unchanged, comes back to its socket: after cuts at any byte nothing is lost and nothing comes twice."""

from __future__ import annotations

import os

import pytest
import trio

from tests.support.cutting_proxy import cutting_proxy
from tests.support.echo_server import PATIENCE, echoing, only_socket, until
from tests.support.foreign_client import TRANSPORTS, ForeignSocket, foreign_client, node_command
from tests.support.served import SOCKET_WAYS, by_serve
from trio_socketio import ConnectionRefused, ConnectionStateRecovery, Disconnected, EngineConfig, Socket, serve

pytestmark = pytest.mark.node

CUTS = 12
"""Of the network; some of them hit a client that is still coming back from the one before."""

AGAIN = {"reconnection": True, "reconnectionDelay": 10, "reconnectionDelayMax": 20, "randomizationFactor": 0}


@pytest.fixture
async def node():
    async with foreign_client(node_command()) as running:
        yield running


@pytest.fixture(params=sorted(TRANSPORTS))
def transports(request):
    return TRANSPORTS[request.param]


@pytest.fixture(params=["restart", "keep"])
def handler(request):
    return request.param


def recovering(handler: str, **config):
    return echoing(EngineConfig(**config), recovery=ConnectionStateRecovery(handler=handler))


def numbers(socket: ForeignSocket) -> list:
    """The numbers that it was told, in order, with what they came with; without offsets."""
    return [args[:-1] for args in socket.told("number")]


@pytest.mark.parametrize("way", sorted(SOCKET_WAYS))
async def test_recovered_in_every_way_of_being_served(node, handler, way):
    server = recovering(handler)

    @server.on_connection
    async def member(socket: Socket) -> None:
        if not socket.recovered:
            socket.join("room")

    async with SOCKET_WAYS[way](server) as url:
        socket = await node.open(url, **AGAIN)
        first, _, recovered = await socket.expect("connect")
        assert not recovered
        await server.emit("number", 1)
        assert (await socket.expect("number"))[0] == 1
        for number in range(2, 6):
            await socket.cut()
            await socket.expect("disconnect")
            await until(lambda: not server.sockets)
            await server.to("room").emit("number", number, b"\1")
            again, _, recovered = await socket.expect("connect")
            assert recovered and again == first
            assert (await socket.expect("number"))[:2] == (number, b"\1")
            assert await socket.call("echo", number) == [number]


async def test_one_that_has_received_nothing_yet(node, handler, transports):
    server = recovering(handler)
    async with by_serve(server) as url:
        socket = await node.open(url, transports=transports, **AGAIN)
        first = (await socket.expect("connect"))[0]
        await socket.cut()
        await socket.expect("disconnect")
        await until(lambda: not server.sockets)
        await server.emit("number", 1)
        again, _, recovered = await socket.expect("connect")
        assert recovered and again == first
        assert (await socket.expect("number"))[0] == 1


@pytest.mark.parametrize("seed", range(max(1, int(os.environ.get("TRIO_SOCKETIO_SOAK", "1")))))
async def test_cuts_at_any_byte_lose_nothing_and_double_nothing(node, nursery, handler, transports, seed):
    # Short: a client whose upgrade was cut may wait for the heartbeat to notice it.
    server = recovering(handler, ping_interval=0.3, ping_timeout=1.0)
    sent: list[list] = []
    serving = await nursery.start(serve, server, "127.0.0.1:0")
    async with cutting_proxy(serving.port, seed=seed) as (proxy, url):
        socket = await node.open(url, transports=transports, **AGAIN)
        await until(lambda: socket.told("connect"))
        first = only_socket(server).id
        proxy.cuts = CUTS
        with trio.fail_after(2 * PATIENCE):
            while proxy.cuts:
                number = len(sent)
                args = [number, b"\0" * (number % 50)] if number % 5 == 0 else [number, "x" * (number % 70)]
                if number % 3 and first in server.sockets:
                    try:
                        await server.sockets[first].emit("number", *args)
                    except Disconnected:
                        continue
                elif number % 3 == 1:
                    await server.to(first).emit("number", *args)
                else:
                    await server.emit("number", *args)
                sent.append(args)
                if number % 7 == 0:
                    await server.volatile.emit("volatile", number)
                await trio.sleep(0.003 * (number % 3))
        await server.emit("last")
        await until(lambda: socket.told("last"))
        assert proxy.cuts == 0
        assert numbers(socket) == sent
        connects = socket.told("connect")
        assert {sid for sid, _, _ in connects} == {first}
        assert [recovered for _, _, recovered in connects[1:]] == [True] * (len(connects) - 1)
        assert len(connects) >= 2
        volatile = [args[0] for args in socket.told("volatile")]
        assert sorted(set(volatile)) == volatile
    await serving.aclose()


async def test_a_restarted_server_does_not_claim_success(node, nursery, handler, transports):
    server = recovering(handler)
    serving = await nursery.start(serve, server, "127.0.0.1:0")
    socket = await node.open(serving.urls[0], transports=transports, **AGAIN)
    first = (await socket.expect("connect"))[0]
    await server.emit("number", 1)
    await socket.expect("number")
    port = serving.port
    await serving.aclose()
    server = recovering(handler)
    serving = await nursery.start(serve, server, f"127.0.0.1:{port}")
    again, _, recovered = await socket.expect("connect")
    assert not recovered and again != first
    # It holds the old server's offset now, and recovers nevertheless.
    await socket.cut()
    await socket.expect("disconnect")
    await until(lambda: not server.sockets)
    await server.emit("number", 2)
    assert (await socket.expect("connect"))[::2] == (again, True)
    assert (await socket.expect("number"))[0] == 2
    await serving.aclose()


async def test_disconnected_or_refused_in_the_gap(node, handler, transports):
    server = recovering(handler)

    @server.middleware
    async def guard(socket: Socket) -> None:
        if socket.recovered and socket.data.get("banned"):
            raise ConnectionRefused("banned")

    async with by_serve(server) as url:
        # Slow to come back: what happens in the gap has time to.
        options = {**AGAIN, "reconnectionDelay": 300, "reconnectionDelayMax": 300, "transports": transports}
        socket = await node.open(url, **options)
        first = (await socket.expect("connect"))[0]
        await socket.cut()
        await until(lambda: not server.sockets)
        server.disconnect_sockets()
        again, _, recovered = await socket.expect("connect")
        assert not recovered and again != first
        only_socket(server).data["banned"] = True
        await socket.cut()
        assert (await socket.expect("connect_error"))[0] == "banned"
        # The client is told before its socket is cleaned up after.
        await until(lambda: not server.rooms)
