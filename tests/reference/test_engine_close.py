"""The reference's cases of closing that no other test of ours has."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from tests.support.client import only_session, open_polling, open_stream, settle
from tests.support.echo_engine import EchoServer
from tests.support.echo_server import until
from tests.support.engine import an_engine, ask, message, recorder
from tests.support.front import http, running_front
from tests.support.memory import connect
from tests.support.raw_client import PATIENCE, raw_client
from tests.support.served import WAYS
from trio_socketio import CloseReason, EngineConfig, Server

PATH = "/engine.io"


async def test_requests_that_close_their_connections_do_not_close_the_session(way):
    headers = {"connection": "close"}
    async with way(EchoServer(EngineConfig(path=PATH))) as url, raw_client(url, PATH) as client:
        query = await client.open_polling()
        for number in range(3):
            sent = await client.post(query, f"4test {number}", headers=headers)
            received = await client.get(query, headers=headers)
            assert (sent.text, received.text) == ("ok", f"4test {number}")
            assert sent.headers["connection"] == received.headers["connection"] == "close"


async def test_a_client_is_closed_between_a_ping_and_its_pong(way):
    server = Server(EngineConfig(ping_interval=0.05, ping_timeout=1000))
    async with way(server) as url, raw_client(url) as client, client.session() as websocket:
        assert await websocket.receive() == "2"
        only_session(server.engine).close_gracefully(CloseReason.FORCED_SERVER_CLOSE)
        # Long before the pong is overdue.
        await websocket.closed()


async def test_a_post_under_way_is_answered_when_its_session_ends(way):
    server = Server()
    async with way(server) as url, raw_client(url) as client:
        query = await client.open_polling()
        session = only_session(server.engine)
        async with client.begun_post(query) as stream:
            await until(lambda: session.transport._is_pushing)
            session.close(CloseReason.FORCED_SERVER_CLOSE)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("name", ["serve", "memory"])
@pytest.mark.parametrize("upgrades", [False, True])
async def test_bytes_behind_a_request_to_upgrade_hurt_nobody(name, upgrades):
    # CVE-2022-21676. Stock hypercorn as it is fails here: see tests/serve/test_hypercorn.py and tests/hostile.
    server = EchoServer(EngineConfig(path=PATH))
    async with WAYS[name](server) as url, raw_client(url, PATH) as client:
        query = await client.open_polling()
        asked = query.replace("polling", "websocket") if upgrades else "EIO=4&transport=websocket"
        head = (
            f"GET {PATH}/?{asked} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\ncontent-length: 4\r\n\r\n"
        )
        with trio.fail_after(PATIENCE):
            async with await connect(url) as stream:
                await stream.send_all(head.encode() + b"test")
                answer = b""
                async for data in stream:
                    answer += data
                assert answer.startswith(b"HTTP/1.1 400")
        # The session that was to be upgraded is as it was.
        assert (await client.post(query, "4alive")).text == "ok"
        assert (await client.get(query)).text == "4alive"
        assert len(server.engine.sessions) == 1


@pytest.mark.parametrize("later", [b"", b"\0something else"])
async def test_an_upgrade_to_what_nobody_speaks_is_refused_and_its_connection_ended(autojump_clock, later):
    async with running_front(keep_alive=5) as front:
        client = front.connect()
        answer = await client.ask(http("GET", "/", connection="Upgrade", upgrade="chat/1"))
        assert answer.status == 404
        await trio.sleep(1)
        # What is said meanwhile is no request, and does not keep it; or it has ended already.
        with suppress(trio.BrokenResourceError):
            await client.send(later)
        await client.rest()
        assert trio.current_time() < 15
        assert front.is_idle


class TestStopping:
    """A server that stops at once, unlike one that drains, and what it leaves."""

    @pytest.mark.parametrize("is_closing", [False, True])
    async def test_what_waits_is_dropped(self, autojump_clock, nursery, is_closing):
        engine = an_engine()
        async with engine.running():
            query, session = await open_polling(engine)
            held = await ask(nursery, engine, "GET", query)
            session.send([message("a")])
            if is_closing:
                session.close_gracefully(CloseReason.FORCED_SERVER_CLOSE)
            engine.end_sessions()
            await settle()
        assert held.result == (200, b"1")
        assert not session.outbox
        assert recorder(session).reasons == [
            CloseReason.FORCED_SERVER_CLOSE if is_closing else CloseReason.SERVER_SHUTTING_DOWN
        ]

    @pytest.mark.parametrize("frames", [[], ["2probe"], ["2probe", "5"]])
    async def test_an_upgrade_under_way_holds_nothing_up(self, autojump_clock, nursery, frames):
        engine = an_engine()
        closed = []

        async def upgrading(query):
            async with open_stream(engine, query.replace("polling", "websocket")) as client:
                await client.put(*frames)
                closed.append(await client.get_close())

        async with engine.running():
            query, session = await open_polling(engine)
            nursery.start_soon(upgrading, query)
            await settle()
        assert not engine.is_running
        assert trio.current_time() == 0, "no timer was waited for"
        await settle()
        assert closed == [["3probe"] if frames else []]
        assert recorder(session).reasons == [CloseReason.SERVER_SHUTTING_DOWN]
        assert recorder(session).task_ended
