"""Clients that speak the wire: requests and messages, nothing in between; over sockets or in memory, as the URL says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import trio
import trio_websocket

from tests.support.memory import connect, transport_for
from trio_socketio._util import plain_exceptions

PATIENCE = 10.0
"""Seconds after which whatever a test waits for counts as missing."""


class RawClient:
    """Asks one server: HTTP as it comes, WebSockets with their messages.

    Args:
        url: of the server, without a path.
        path: of the engine.
    """

    def __init__(self, url: str, path: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self.path = path
        self.http = http

    async def get(self, query: str, **options) -> httpx.Response:
        return await self.request("GET", query, **options)

    async def post(self, query: str, content: str | bytes, **options) -> httpx.Response:
        return await self.request("POST", query, content=content, **options)

    async def request(self, method: str, query: str, **options) -> httpx.Response:
        with trio.fail_after(PATIENCE):
            return await self.http.request(method, f"{self.url}{self.path}/?{query}", **options)

    @asynccontextmanager
    async def begun_post(self, query: str) -> AsyncIterator[trio.abc.HalfCloseableStream]:
        """Begin a POST whose body is still to come, in chunks."""
        where = urlsplit(self.url)
        with trio.fail_after(PATIENCE):
            async with await connect(self.url) as stream:
                head = (
                    f"POST {self.path}/?{query} HTTP/1.1\r\nhost: {where.netloc}\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                await stream.send_all(head.encode() + b"1\r\n4\r\n")
                yield stream

    async def open_polling(self) -> str:
        """Open a session; return the query that means it."""
        response = await self.get("EIO=4&transport=polling")
        assert response.status_code == 200, response.text
        return f"EIO=4&transport=polling&sid={json.loads(response.text[1:])['sid']}"

    @asynccontextmanager
    async def websocket(self, query: str = "EIO=4&transport=websocket", **options) -> AsyncIterator[RawWebSocket]:
        where = urlsplit(self.url)
        resource = f"{self.path}/?{query}"
        with trio.fail_after(PATIENCE), plain_exceptions():
            # trio-websocket leaves its socket open when the server closes or refuses: so the stream is ours.
            stream = await connect(self.url)
            try:
                async with trio.open_nursery() as nursery:
                    connection = await trio_websocket.wrap_client_stream(
                        nursery, stream, where.netloc, resource, **options
                    )
                    async with connection:
                        yield RawWebSocket(connection)
                    nursery.cancel_scope.cancel()
            finally:
                await trio.aclose_forcefully(stream)

    @asynccontextmanager
    async def session(self, query: str = "EIO=4&transport=websocket") -> AsyncIterator[RawWebSocket]:
        """Open a session on a WebSocket, past its handshake."""
        async with self.websocket(query) as websocket:
            assert (await websocket.receive())[0] == "0"
            yield websocket

    @asynccontextmanager
    async def probed(self, query: str) -> AsyncIterator[RawWebSocket]:
        """Open a WebSocket to upgrade the session of a polling query, up to the answered probe."""
        async with self.websocket(query.replace("polling", "websocket")) as websocket:
            await websocket.send("2probe")
            assert await websocket.receive() == "3probe"
            yield websocket


class RawWebSocket:
    """A WebSocket's messages."""

    def __init__(self, connection: trio_websocket.WebSocketConnection) -> None:
        self.connection = connection

    async def send(self, *messages: str | bytes) -> None:
        for message in messages:
            await self.connection.send_message(message)

    async def receive(self) -> str | bytes:
        return await self.connection.get_message()

    async def receive_without_pings(self, count: int) -> list[str | bytes]:
        messages: list[str | bytes] = []
        while len(messages) < count:
            message = await self.receive()
            if message != "2":
                messages.append(message)
        return messages

    async def closed(self) -> int | None:
        """Wait until the server closes; return the code."""
        try:
            while True:
                await self.receive()
        except trio_websocket.ConnectionClosed as closed:
            return closed.reason.code if closed.reason else None


@asynccontextmanager
async def raw_client(url: str, path: str = "/socket.io") -> AsyncIterator[RawClient]:
    async with httpx.AsyncClient(timeout=None, trust_env=False, transport=transport_for(url)) as http:
        yield RawClient(url, path, http)
