"""The access log: a line of the front's is one of hypercorn's for the same request."""

from __future__ import annotations

import logging
import ssl
from contextlib import asynccontextmanager
from functools import partial

import hypercorn.trio
import pytest
import trio
from hypercorn.config import Config

from tests.support.echo_server import echoing, until
from tests.support.front import POLLING, WEBSOCKET, FrontClient, http, upgrade
from tests.support.raw_client import PATIENCE
from trio_socketio import CORS, ASGIApp, EngineConfig, serve

# All but the time of day, and of what it took only whole seconds.
ATOMS = "|".join(
    f"{atom}=%({atom})s"
    for atom in "h l r R s st S m U Uq q H b B f a T p {host}i {x-own}i {x-none}i {content-type}o {retry-after}o".split()
)

PLAIN = {"user_agent": "tests/1", "referer": "http://a.example/?b", "x_own": "one"}

REQUESTS = {
    "handshake": http("GET", POLLING, **PLAIN),
    "no session": http("POST", f"{POLLING}&sid=nobody", b"4a", **PLAIN),
    "another path": http("GET", "/other?x=1", **PLAIN),
    "a path that is escaped": http("GET", "/socket.io/%C3%A9?EIO=4&transport=%70olling"),
    "no query": http("GET", "/socket.io/"),
    "HTTP/1.0": http("GET", POLLING, version="1.0"),
    "another method": http("DELETE", POLLING, **PLAIN),
    "a preflight request": http("OPTIONS", POLLING, origin="https://a.example", access_control_request_method="GET"),
    "no head but": http("HEAD", POLLING),
    "a WebSocket": upgrade(WEBSOCKET, **PLAIN),
    "a WebSocket that is refused": upgrade(f"{WEBSOCKET}&sid=nobody", **PLAIN),
}


@asynccontextmanager
async def by_front(sio, config):
    async with trio.open_nursery() as nursery:
        serving = await nursery.start(partial(serve, sio, config=config))
        yield serving.port
        await serving.aclose()


@asynccontextmanager
async def by_hypercorn(sio, config):
    stop = trio.Event()

    async def run(task_status):
        await hypercorn.trio.serve(ASGIApp(sio), config, shutdown_trigger=stop.wait, task_status=task_status)

    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(run)
        yield int(url.rpartition(":")[2])
        stop.set()


async def line_of(way, data: bytes, caplog, **options) -> str:
    """Ask once; return the line, with the client's own address taken for what it should be."""
    logger = logging.getLogger(f"tests.access.{way.__name__}")
    caplog.set_level(logging.INFO, logger.name)
    caplog.clear()
    config = Config()
    config.bind, config.accesslog, config.access_log_format = ["127.0.0.1:0"], logger, ATOMS
    for name, value in options.items():
        setattr(config, name, value)
    sio = echoing(EngineConfig(cors=CORS(origins=("https://a.example",))))
    with trio.fail_after(PATIENCE):
        async with way(sio, config) as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            own = "{}:{}".format(*stream.socket.getsockname())
            if config.ssl_enabled:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                stream = trio.SSLStream(stream, context)
            await FrontClient(stream).ask(data, bodiless=data.startswith(b"HEAD"))
            await until(lambda: lines(caplog, logger))
            await trio.aclose_forcefully(stream)
    (line,) = lines(caplog, logger)
    return line.replace(f"h={own}|", "h=its own|")


def lines(caplog, logger) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == logger.name]


@pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS)
async def test_it_is_hypercorns_line(caplog, data):
    theirs = await line_of(by_hypercorn, data, caplog)
    assert theirs.startswith("h=its own|l=-|r=")
    assert await line_of(by_front, data, caplog) == theirs


async def test_of_tls(caplog, certificate):
    files = dict(zip(("certfile", "keyfile"), map(str, certificate), strict=True))
    theirs = await line_of(by_hypercorn, REQUESTS["handshake"], caplog, **files)
    assert "|S=https|" in theirs
    assert await line_of(by_front, REQUESTS["handshake"], caplog, **files) == theirs


async def test_of_a_prefix(caplog):
    data = http("GET", "/prefix" + POLLING)
    theirs = await line_of(by_hypercorn, data, caplog, root_path="/prefix")
    assert "|U=/prefix/socket.io/|" in theirs
    assert await line_of(by_front, data, caplog, root_path="/prefix") == theirs
