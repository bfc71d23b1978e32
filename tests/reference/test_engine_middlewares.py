"""The reference's cases of HTTP middlewares: here they are ASGI's, around the application, under stock hypercorn."""

from __future__ import annotations

import pytest
import trio_websocket

from tests.support.raw_client import raw_client
from tests.support.served import stock_hypercorn
from trio_socketio import ASGIApp, Limits, Server

POLLING = "EIO=4&transport=polling"


def adding(app, name: str, value: str):
    """A middleware that adds a header to whatever is answered or accepted."""

    async def middleware(scope, receive, send):
        async def sending(event):
            if event["type"] in {"http.response.start", "websocket.accept"}:
                event = {**event, "headers": [*event.get("headers", []), (name.encode(), value.encode())]}
            await send(event)

        await app(scope, receive, sending if scope["type"] != "lifespan" else send)

    return middleware


def ending(app):
    """A middleware that ends each request by itself."""

    async def middleware(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await app(scope, receive, send)

    return middleware


def failing(app):
    """A middleware that has a fault."""

    async def middleware(scope, receive, send):
        if scope["type"] != "lifespan":
            raise RuntimeError("a fault of the middleware")
        await app(scope, receive, send)

    return middleware


class TestAdding:
    async def test_on_long_polling(self):
        async with stock_hypercorn(adding(ASGIApp(Server()), "x-mine", "yes")) as url, raw_client(url) as client:
            opened = await client.get(POLLING)
            assert (opened.status_code, opened.headers["x-mine"]) == (200, "yes")
            # Its own headers are still there.
            assert opened.headers["x-content-type-options"] == "nosniff"

    async def test_on_a_websocket(self):
        async with stock_hypercorn(adding(ASGIApp(Server()), "x-mine", "yes")) as url, raw_client(url) as client:
            async with client.websocket() as websocket:
                assert (b"x-mine", b"yes") in websocket.connection.handshake_headers
                assert (await websocket.receive())[0] == "0"

    async def test_several_in_their_order(self):
        app = ASGIApp(Server())
        for number in "123":
            app = adding(app, "x-mine", number)
        async with stock_hypercorn(app) as url, raw_client(url) as client:
            assert (await client.get(POLLING)).headers.get_list("x-mine") == ["1", "2", "3"]


@pytest.mark.parametrize(("middleware", "status"), [(ending, 503), (failing, 500)])
class TestEnding:
    async def test_on_long_polling(self, middleware, status, caplog):
        server = Server()
        async with stock_hypercorn(middleware(ASGIApp(server))) as url, raw_client(url) as client:
            assert (await client.get(POLLING)).status_code == status
            assert not server.engine.sessions

    async def test_on_a_websocket(self, middleware, status, caplog):
        server = Server()
        async with stock_hypercorn(middleware(ASGIApp(server))) as url, raw_client(url) as client:
            with pytest.raises(trio_websocket.ConnectionRejected) as refused:
                async with client.websocket():
                    pass
            # An ASGI application that does not accept a WebSocket is answered for by its host.
            assert refused.value.status_code == (500 if middleware is failing else 403)
            assert not server.engine.sessions


async def test_behind_one_no_post_is_read_beyond_the_limit():
    server = Server(limits=Limits(max_payload=300))
    async with stock_hypercorn(adding(ASGIApp(server), "x-mine", "yes")) as url, raw_client(url) as client:
        query = await client.open_polling()
        response = await client.post(query, "4" + "a" * 300)
        assert (response.status_code, response.headers["x-mine"]) == (413, "yes")
        assert not server.engine.sessions
