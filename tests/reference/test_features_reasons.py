"""Why sockets end, as both sides are told: the official client beside the server's handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import trio

from tests.support.echo_server import echoing, only_socket, until
from tests.support.foreign_client import TRANSPORTS, ForeignSocket, foreign_client, node_command
from trio_socketio import EngineConfig, Limits, Server, Serving, serve

pytestmark = pytest.mark.node


@dataclass(frozen=True)
class Scene:
    """A client of a server."""

    server: Server
    serving: Serving
    socket: ForeignSocket

    async def wire(self, data: str) -> None:
        await self.socket._client.command(do="wire", id=self.socket._number, data=data)

    async def disconnect(self, *, close: bool) -> None:
        await trio.lowlevel.checkpoint()
        only_socket(self.server).disconnect(close=close)

    async def mute(self) -> None:
        await self.socket._client.command(do="mute", id=self.socket._number)


Ends = dict[str, tuple[Callable[[Scene], Awaitable[None]], str, str]]

ENDS: Ends = {
    "the client's disconnect": (
        lambda scene: scene.socket.close(),
        "client namespace disconnect",
        "io client disconnect",
    ),
    "the client's engine is closed": (lambda scene: scene.socket.cut(), "transport close", "forced close"),
    "disconnect": (
        lambda scene: scene.disconnect(close=False),
        "server namespace disconnect",
        "io server disconnect",
    ),
    "disconnect(close=True)": (
        lambda scene: scene.disconnect(close=True),
        "server namespace disconnect",
        "io server disconnect",
    ),
    "no pong": (lambda scene: scene.mute(), "ping timeout", "transport close"),
    "the server stops": (lambda scene: scene.serving.aclose(), "server shutting down", "transport close"),
}

BROKEN_RULES = {
    "no Socket.IO packet": ("4nonsense", "forced close"),
    "a second CONNECT": ("40", "forced close"),
    "an event for a namespace that was not joined": ('42/other,["x"]', "forced close"),
    "a reserved event": ('42["disconnecting"]', "forced close"),
    "no Engine.IO packet": ("nonsense", "parse error"),
    "more than max_payload": ("4" + "x" * 2000, "transport error"),
}


@pytest.fixture(params=["polling", "websocket"])
async def scene(request, nursery):
    config = EngineConfig(ping_interval=0.2, ping_timeout=0.5)
    server = echoing(config, limits=Limits(max_payload=1000))
    serving = await nursery.start(serve, server, "127.0.0.1:0")
    async with foreign_client(node_command()) as client:
        socket = await client.open(serving.urls[0], transports=TRANSPORTS[request.param], reconnection=False)
        await socket.expect("connect")
        yield Scene(server, serving, socket)
    await serving.aclose()


@pytest.mark.parametrize("end", ENDS)
async def test_without_a_fault(scene, end):
    act, server_reason, client_reason = ENDS[end]
    is_polling = only_socket(scene.server).transport == "polling"
    await act(scene)
    (heard,) = await scene.socket.expect("disconnect")
    await until(lambda: scene.server.gone)
    # Between two polls it can't be told: its next one is refused.
    assert heard in (
        {client_reason, "transport error"} if is_polling and end == "the server stops" else {client_reason}
    )
    assert scene.server.gone == [server_reason]


@pytest.mark.parametrize("rule", BROKEN_RULES)
async def test_a_client_that_breaks_a_rule(scene, rule):
    data, server_reason = BROKEN_RULES[rule]
    is_polling = only_socket(scene.server).transport == "polling"
    await scene.wire(data)
    (client_reason,) = await scene.socket.expect("disconnect")
    await until(lambda: scene.server.gone)
    if is_polling:
        # There it hears of it by a POST that is refused, or by the GET that it has waiting.
        assert client_reason in {"transport error", "transport close"}
    else:
        assert client_reason == "transport close"
    assert scene.server.gone == [server_reason]
