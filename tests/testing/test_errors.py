"""Errors of the application that the server contains: whoever runs it sees each, and nobody else's."""

from __future__ import annotations

import logging
import re

import pytest
import trio

from trio_socketio import CORS, ConnectionRefused, EngineConfig, Server
from trio_socketio.testing import open_memory_server
from trio_socketio.testing.errors import MOST_ERRORS, collecting


class Oops(Exception):
    pass


async def raise_oops(*args):
    raise Oops


def raise_oops_now(*args):
    raise Oops


async def errors_of(sio, *clients, rest=None):
    """Let clients come and go; what the server has contained, as (socket known, event)."""
    async with open_memory_server(sio) as server:
        for options in clients or ({},):
            try:
                async with server.open_client(**options) as socket:
                    await socket.emit("boom")
                    await trio.sleep(1)
            except Exception as error:
                assert "boom" not in str(error)
        await trio.sleep(1)
        assert all(type(error.exception) is Oops for error in server.errors)
        return [(bool(error.socket_id), error.event) for error in server.errors]


async def test_event_handlers(autojump_clock):
    sio = Server()
    sio.on("boom")(raise_oops)
    assert await errors_of(sio) == [(True, "boom")]


async def test_connection_and_disconnect_handlers(autojump_clock):
    sio = Server()
    sio.on_disconnect(raise_oops)
    assert await errors_of(sio) == [(True, "disconnect")]
    sio = Server()
    sio.on_connection(raise_oops)
    assert await errors_of(sio) == [(True, "connection")]


async def test_middlewares(autojump_clock):
    sio = Server()
    sio.middleware(raise_oops)
    assert await errors_of(sio) == [(True, "middleware")]


async def test_error_handlers_themselves(autojump_clock):
    sio = Server()
    sio.on("boom")(raise_oops)
    sio.on_error(raise_oops)
    assert await errors_of(sio) == [(True, "boom"), (True, "on_error")]


async def test_families_of_namespaces(autojump_clock):
    sio = Server()
    sio.namespace(re.compile("/shop/.*")).on("boom")(raise_oops)
    assert await errors_of(sio, {"namespace": "/shop/1"}) == [(True, "boom")]

    async def rule(name, auth):
        raise Oops

    sio = Server()
    sio.namespace(rule)
    assert await errors_of(sio, {"namespace": "/x"}) == [(False, "namespace /x")]


@pytest.mark.parametrize(
    "hook", ["allow_request", "headers", "initial_headers", "connection_error", "middleware", "cors"]
)
async def test_hooks_of_the_engine(autojump_clock, hook):
    options = {
        "allow_request": {"allow_request": raise_oops},
        "headers": {"headers": raise_oops_now},
        "initial_headers": {"initial_headers": raise_oops_now},
        "connection_error": {"connection_error": raise_oops_now},
        "middleware": {"middleware": (raise_oops,)},
        "cors": {"cors": CORS(origins=raise_oops_now)},
    }[hook]
    client = {"transports": ("polling",)}
    if hook == "cors":
        client["headers"] = {"origin": "http://evil.invalid"}
    if hook == "connection_error":
        client["query"] = {"transport": "pigeon"}
    found = await errors_of(Server(EngineConfig(**options)), client)
    assert found == [(False, "headers" if hook == "initial_headers" else hook)]


async def test_listeners_of_what_is_sent(autojump_clock):
    sio = Server()
    sio.on_any_outgoing(raise_oops_now)

    @sio.on("boom")
    async def boom(socket):
        await socket.emit("x")

    assert await errors_of(sio) == [(True, "x")]


async def test_what_is_no_error_is_not_noted(autojump_clock):
    sio = Server()

    @sio.middleware
    async def refuse(socket):
        raise ConnectionRefused

    assert await errors_of(sio) == []


async def test_loggers_that_are_switched_off_hide_nothing(autojump_clock):
    sio = Server()
    sio.on("boom")(raise_oops)
    logging.disable(logging.CRITICAL)
    try:
        assert await errors_of(sio) == [(True, "boom")]
    finally:
        logging.disable(logging.NOTSET)


async def test_each_server_has_its_own(autojump_clock):
    good, bad = Server(), Server()
    good.on("boom")(raise_oops)
    async with open_memory_server(good) as one, open_memory_server(bad) as two:
        async with one.open_client() as socket, two.open_client() as other:
            await socket.emit("boom")
            await other.emit("boom")
            await trio.sleep(1)
        assert len(one.errors) == 1
        assert two.errors == []


async def test_an_application_beside(autojump_clock):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            raise Oops
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    async with open_memory_server(Server(), app=app) as server, server.open_raw(handshake=False) as raw:
        answer = await raw.request("GET", "/elsewhere")
        assert answer.status == 500


def test_their_number_is_bounded():
    from trio_socketio._logging import show_error

    errors = []
    with collecting(errors):
        for _ in range(MOST_ERRORS + 5):
            show_error(Oops(), "x")
    assert len(errors) == MOST_ERRORS
    show_error(Oops(), "nobody looks")
    assert len(errors) == MOST_ERRORS
