"""The reference's cases of compressed answers to polls, in each way of being served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.support.client import only_session
from tests.support.echo_server import only_socket, until
from tests.support.raw_client import raw_client
from trio_socketio import EngineConfig, HTTPCompression, Server

GZIP = {"accept-encoding": "gzip, deflate"}


@pytest.mark.parametrize(("size", "threshold", "coding"), [(200, 0, "gzip"), (200, 207, None), (200, 206, "gzip")])
async def test_the_threshold(way, size, threshold, coding):
    server = Server(EngineConfig(http_compression=HTTPCompression(threshold=threshold)))
    async with way(server) as url, raw_client(url) as client:
        query = await client.open_polling()
        await client.post(query, "40")
        await client.get(query)
        event = "x" * size
        await only_socket(server).emit(event)
        response = await client.get(query, headers=GZIP)
        assert response.text == f'42["{event}"]'
        assert response.headers.get("content-encoding") == coding


@pytest.mark.parametrize("whom", ["socket", "namespace", "room", "volatile"])
@pytest.mark.parametrize("worthwhile", [None, True, False])
async def test_events_that_are_not_worth_it(way, whom, worthwhile):
    server = Server(EngineConfig(http_compression=HTTPCompression(threshold=100)))
    chat = server.namespace("/chat")
    async with way(server) as url, raw_client(url) as client:
        query = await client.open_polling()
        await client.post(query, "40/chat,")
        await client.get(query)
        (socket,) = chat.sockets.values()
        chosen = {"socket": socket, "namespace": chat, "room": chat.to(socket.id), "volatile": chat.volatile}[whom]
        if worthwhile is not None:
            chosen = chosen.compress(worthwhile)
        async with trio.open_nursery() as nursery:
            if whom == "volatile":
                # It goes to nobody but who waits for it.
                nursery.start_soon(_when_it_waits, server, chosen.emit, "x" * 200)
            else:
                await chosen.emit("x" * 200)
            response = await client.get(query, headers=GZIP)
        assert response.text == f'42/chat,["{"x" * 200}"]'
        assert response.headers.get("content-encoding") == (None if worthwhile is False else "gzip")


async def _when_it_waits(server: Server, emit: Callable[[str], Awaitable[None]], event: str) -> None:
    await until(lambda: only_session(server.engine).transport.writable)
    await emit(event)
