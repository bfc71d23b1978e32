"""hypercorn behind our front: what the guard survives, and that its inside is where it was."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
from hypercorn.config import Config
from trio.testing import lockstep_stream_pair, memory_stream_pair

from tests.support.client import settle
from tests.support.echo_server import answers, echoing, only_socket, until
from tests.support.front import FrontClient, MeteredLink, frame, frames_of, http, socket_pair, upgrade
from tests.support.raw_client import PATIENCE, raw_client
from trio_socketio import CloseReason, Limits, serve
from trio_socketio._serve import hypercorn as hypercorn_module
from trio_socketio._serve.http1 import Head, HeadReader
from trio_socketio._serve.hypercorn import (
    AccessLog,
    GuardedTCPServer,
    Hypercorn,
    PrefixedStream,
    WriteDeadlines,
    _is_refusal_of_message,
)
from trio_socketio._serve.socket_link import SocketLink

UPGRADE = upgrade()


async def echo_app(scope, receive, send):
    """Answers with the path and the body; a WebSocket echoes."""
    if scope["type"] == "http":
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/wait":
            await trio.sleep(5)
        content = scope["path"].encode() + b" " + body
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})
    elif scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})
    else:
        scope["state"]["shared"] = "by the lifespan"
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})


def quiet_config(**options) -> Config:
    config = Config()
    config.accesslog = None
    for name, value in options.items():
        setattr(config, name, value)
    return config


@asynccontextmanager
async def running(app=echo_app, write_deadline=10.0, **options):
    async with trio.open_nursery() as nursery:
        hypercorn = Hypercorn(app, quiet_config(**options), write_deadline)
        await nursery.start(hypercorn.run)
        yield hypercorn
        hypercorn.close(trio.current_time())
        await hypercorn.ended.wait()


def adopted(hypercorn: Hypercorn, prefix: bytes, make_pair=memory_stream_pair) -> FrontClient:
    ours, theirs = make_pair()
    hypercorn.adopt(theirs, prefix)
    return FrontClient(ours)


@pytest.fixture
def sio():
    return echoing()


class TestHostility:
    """Requests to another application that end a stock process."""

    @pytest.mark.parametrize(
        "head",
        [
            upgrade("/other", sec_websocket_protocol="X").replace(b": X", b": \xff"),
            upgrade("/other", sec_websocket_extensions="permessage-deflate; server_max_window_bits=abc"),
            upgrade("/other", content_length="4") + b"test",
        ],
    )
    async def test_the_server_lives_on(self, sio, nursery, head):
        serving = await nursery.start(partial(serve, sio, "127.0.0.1:0", app=echo_app))
        with trio.fail_after(PATIENCE):
            async with await trio.open_tcp_stream("127.0.0.1", serving.port) as stream:
                await stream.send_all(head)
                with trio.move_on_after(0.5):
                    await stream.receive_some()
        await answers(serving.urls[0])
        await serving.aclose()

    async def test_a_client_that_stops_reading_is_dropped(self, nursery):
        sio = echoing(limits=Limits(write_deadline=0.3, send_queue_bytes=2**25))
        serving = await nursery.start(serve, sio, "127.0.0.1:0")
        async with await trio.open_tcp_stream("127.0.0.1", serving.port) as stream:
            await stream.send_all(UPGRADE)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
            await stream.send_all(frame("40"))
            await until(lambda: sio.sockets)
            # More than the kernel takes for a client that reads none of it.
            await only_socket(sio).emit("blob", bytes(2**24))
            await until(lambda: sio.gone)
            assert sio.gone == [CloseReason.SLOW_CONSUMER]
            await answers(serving.urls[0])
            # What was on its way is still there; then the connection is at its end.
            with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
        await serving.aclose()

    @pytest.mark.parametrize("said", [b"", b"GET / HT", http("GET", "/"), http("GET", "/socket.io/")])
    @pytest.mark.parametrize("app", [None, echo_app])
    async def test_nothing_is_kept_of_connections_that_clients_close(self, sio, nursery, said, app):
        serving = await nursery.start(partial(serve, sio, "127.0.0.1:0", app=app))
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(20):
            async with await trio.open_tcp_stream("127.0.0.1", serving.port) as stream:
                await stream.send_all(said)
                if said.endswith(b"\r\n"):
                    await stream.receive_some()
        await until(lambda: trio.lowlevel.current_statistics().tasks_living <= before)
        await serving.aclose()

    async def test_nothing_is_kept_after_a_message_that_is_too_large(self, nursery):
        sio = echoing(limits=Limits(max_payload=1000))
        serving = await nursery.start(serve, sio, "127.0.0.1:0")
        async with raw_client(serving.urls[0]) as client, client.session() as websocket:
            await websocket.send("4" + "x" * 2000)
            assert await websocket.closed() == 1009
        await until(lambda: not sio.engine.sessions)
        await serving.aclose()


class TestAdopted:
    async def test_requests_that_were_read_already(self, autojump_clock):
        async with running() as hypercorn:
            client = adopted(hypercorn, http("POST", "/a", b"body") + http("GET", "/b")[:20])
            assert (await client.answer()).body == b"/a body"
            assert (await client.ask(http("GET", "/b")[20:])).body == b"/b "

    async def test_a_prefix_larger_than_one_read(self, autojump_clock):
        body = bytes(300_000)
        async with running() as hypercorn:
            client = adopted(hypercorn, http("POST", "/a", body))
            assert (await client.answer()).body == b"/a " + body

    async def test_websocket(self, autojump_clock):
        async with running() as hypercorn:
            client = adopted(hypercorn, upgrade("/ws"))
            assert (await client.answer()).status == 101
            await client.send(frame("a"), frame("b"))
            assert frames_of(await client.waiting()) == [(1, b"a"), (1, b"b")]

    async def test_tls(self, tls, autojump_clock):
        server, context = tls
        ours, theirs = memory_stream_pair()
        secure = trio.SSLStream(theirs, server, server_side=True)
        client = trio.SSLStream(ours, context, server_hostname="localhost")

        async def scheme(scope, receive, send):
            if scope["type"] == "lifespan":
                await echo_app(scope, receive, send)
                return
            content = scope["scheme"].encode()
            headers = [(b"content-length", str(len(content)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content})

        async with running(scheme) as hypercorn:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(secure.do_handshake)
                await client.do_handshake()
            # hypercorn asks for the addresses of the socket under it.
            theirs.socket = hypercorn_module._NoSocket()
            hypercorn.adopt(secure, http("GET", "/"))
            assert (await FrontClient(client).answer()).body == b"https"

    async def test_an_error_costs_one_connection_and_is_loud_once(self, autojump_clock, caplog, monkeypatch):
        async def fail(self):
            raise RuntimeError("a fault of hypercorn's")

        caplog.set_level(logging.DEBUG, "trio_socketio")
        async with running() as hypercorn:
            other = adopted(hypercorn, http("GET", "/a"))
            await other.answer()
            with monkeypatch.context() as patch:
                patch.setattr(hypercorn_module.TCPServer, "_read_data", fail)
                for _ in range(3):
                    assert await adopted(hypercorn, b"").rest() == b""
            assert (await other.ask(http("GET", "/b"))).body == b"/b "
        records = [record for record in caplog.records if "lives on" in record.getMessage()]
        assert [record.levelno for record in records] == [logging.ERROR, logging.DEBUG, logging.DEBUG]

    async def test_a_write_has_a_deadline(self, autojump_clock):
        async with running(write_deadline=3) as hypercorn:
            client = adopted(hypercorn, http("GET", "/a"), lockstep_stream_pair)
            await trio.sleep(2.9)
            assert len(hypercorn._connections.child_tasks) == 1
            await trio.sleep(0.2)
            assert not hypercorn._connections.child_tasks
            assert b"/a " not in await client.rest()

    async def test_a_message_that_is_too_large(self, autojump_clock):
        async with running(websocket_max_message_size=1000) as hypercorn:
            client = adopted(hypercorn, upgrade("/ws"))
            assert (await client.answer()).status == 101
            await client.send(frame("x" * 2000))
            ((opcode, data),) = await client.frames()
            assert (opcode, data[:2]) == (8, (1009).to_bytes(2))
            await settle()
            assert not hypercorn._connections.child_tasks


class TestClosing:
    async def test_a_request_may_end(self, autojump_clock):
        async with running() as hypercorn:
            client = adopted(hypercorn, http("GET", "/wait"))
            await settle()
            hypercorn.close(trio.current_time() + 10)
            assert (await client.answer()).body == b"/wait "
            await hypercorn.ended.wait()
            assert trio.current_time() == 5

    async def test_until_the_time_is_up(self, autojump_clock):
        async with running() as hypercorn:
            client = adopted(hypercorn, http("GET", "/wait"))
            await settle()
            hypercorn.close(trio.current_time() + 2)
            await hypercorn.ended.wait()
            assert trio.current_time() == 2
            assert await client.rest() == b""

    async def test_idle_connections_at_once(self, autojump_clock):
        async with running() as hypercorn:
            client = adopted(hypercorn, http("GET", "/a"))
            await client.answer()
            hypercorn.close(trio.current_time() + 10)
            await hypercorn.ended.wait()
            assert trio.current_time() == 0
            assert await client.rest() == b""

    async def test_a_write_goes_on_no_longer_either(self, autojump_clock):
        async with running(write_deadline=100) as hypercorn:
            adopted(hypercorn, http("GET", "/a"), lockstep_stream_pair)
            await trio.sleep(1)
            hypercorn.close(trio.current_time() + 2)
            adopted(hypercorn, http("GET", "/b"), lockstep_stream_pair)
            await hypercorn.ended.wait()
            assert trio.current_time() == 3

    async def test_cancelled_in_a_write(self, autojump_clock):
        with trio.move_on_after(1):
            async with running(write_deadline=100) as hypercorn:
                adopted(hypercorn, http("GET", "/a"), lockstep_stream_pair)
                await trio.sleep_forever()
        assert trio.current_time() == 1
        assert hypercorn.ended.is_set()

    async def test_an_idle_connection_whose_goodbye_is_not_taken(self, autojump_clock):
        class Deaf:
            """Says goodbye to nobody who would hear it."""

            def __init__(self, stream):
                self._stream = stream

            def __getattr__(self, name):
                return getattr(self._stream, name)

            async def aclose(self):
                try:
                    await trio.sleep_forever()
                finally:
                    await trio.aclose_forcefully(self._stream)

        ours, theirs = memory_stream_pair()
        async with running(write_deadline=3) as hypercorn:
            hypercorn.adopt(Deaf(theirs), http("GET", "/a"))
            await FrontClient(ours).answer()
            hypercorn.close(trio.current_time() + 10)
            await hypercorn.ended.wait()
            assert trio.current_time() <= 10

    async def test_the_lifespan_ends_behind_the_last_request(self, autojump_clock):
        happened = []

        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                await echo_app(scope, receive, send)
                happened.append("shutdown")
            else:
                assert scope["state"] == {"shared": "by the lifespan"}
                await echo_app(scope, receive, send)
                happened.append("answered")

        async with running(app) as hypercorn:
            adopted(hypercorn, http("GET", "/wait"))
            await settle()
            hypercorn.close(trio.current_time() + 10)
            await hypercorn.ended.wait()
        assert happened == ["answered", "shutdown"]

    async def test_an_application_that_does_not_start(self):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

        hypercorn = Hypercorn(app, quiet_config(), 1)
        with pytest.RaisesGroup(pytest.RaisesExc(Exception, match="no database"), flatten_subgroups=True):
            await hypercorn.run()
        assert hypercorn.ended.is_set()


class TestPrefixedStream:
    async def test_the_prefix_comes_first(self, autojump_clock):
        ours, theirs = memory_stream_pair()
        await theirs.send_all(b"rest")
        stream = PrefixedStream(ours, b"abcde")
        assert [await stream.receive_some(size) for size in (2, 2, 2, 100)] == [b"ab", b"cd", b"e", b"rest"]

    async def test_all_else_is_the_streams(self, tls):
        ours, theirs = memory_stream_pair()
        stream = PrefixedStream(ours, b"")
        await stream.send_all(b"x")
        assert await theirs.receive_some() == b"x"
        assert stream.socket.getpeername() == stream.socket.getsockname() == ""
        with pytest.raises(AttributeError):
            stream.do_handshake  # noqa: B018 - reading it raises: hypercorn asks whether it is TLS by that
        secure = trio.SSLStream(ours, tls[0], server_side=True)
        assert PrefixedStream(secure, b"").transport_stream is ours
        with pytest.raises(AttributeError):
            PrefixedStream(secure, b"").socket  # noqa: B018 - reading it raises


def head_of(data: bytes) -> Head:
    return HeadReader(Limits()).feed(data)


class TestAccessLog:
    """That its lines are hypercorn's is told by test_access_log.py."""

    def test_none_is_wanted(self):
        log = AccessLog(quiet_config())
        assert not log.is_wanted
        log.write(head_of(http("GET", "/")), MeteredLink(), 200, [], 0)

    def test_a_line(self, caplog):
        logger = logging.getLogger("tests.access")
        caplog.set_level(logging.INFO, logger.name)
        log = AccessLog(
            quiet_config(accesslog=logger, access_log_format='%(h)s "%(R)s" %(s)s %({user-agent}i)s %(b)s %(L)s')
        )
        assert log.is_wanted
        head = head_of(http("POST", "/socket.io/?EIO=4", user_agent="tests"))
        log.write(head, MeteredLink(), 200, [("content-length", "2")], 0.25)
        log.write(head, MeteredLink(), None, [], 0.5)
        assert caplog.messages == [
            '192.0.2.1:0 "POST /socket.io/?EIO=4 1.1" 200 tests 2 0.250000',
            '192.0.2.1:0 "POST /socket.io/?EIO=4 1.1" - tests - 0.500000',
        ]

    async def test_the_usual_line_of_a_client_without_an_address(self, caplog):
        logger = logging.getLogger("tests.access")
        caplog.set_level(logging.INFO, logger.name)
        log = AccessLog(quiet_config(accesslog=logger))
        ours, theirs = socket_pair()
        log.write(head_of(http("GET", "/%C3%A9")), SocketLink(theirs, None), 404, [], 0)
        ours.close()
        theirs.close()
        (line,) = caplog.messages
        assert line.startswith("None - - [")
        assert '"GET /é 1.1" 404 -' in line


class TestHypercornsInside:
    """What is used of hypercorn's inside is where it was."""

    def test_names(self):
        assert {"run", "protocol_send", "_read_data"} <= set(vars(hypercorn_module.TCPServer))
        assert {"handle_lifespan", "wait_for_startup", "wait_for_shutdown"} <= set(vars(hypercorn_module.Lifespan))
        server = GuardedTCPServer(None, Config(), None, None, None, deadlines=WriteDeadlines(1), log_failure=print)
        assert {"send_lock", "stream", "app", "config", "context", "state", "idle_task"} <= set(vars(server))
        assert {"terminated"} <= set(vars(hypercorn_module.WorkerContext(None)))
        assert {"access_logger", "access_log_format"} <= set(vars(Config().log))

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"\x88\x02\x03\xf1", True), (b"\x88\x05\x03\xf1big", True), (b"\x88\x02\x03\xe8", False), (b"\x88\x00", False),
            (b"\x88\x02\x03\xf1more", False), (b"\x82\x02\x03\xf1", False), (b"", False), (b"\x88", False),
        ],
    )  # fmt: skip
    def test_a_refusal_of_a_message(self, data, expected):
        assert _is_refusal_of_message(data) == expected
