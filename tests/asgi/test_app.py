"""Which requests are the server's, and where all others go."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.support.asgi import CONNECT, Call, app_of, ask, body, calling, http_scope, websocket_scope
from tests.support.client import settle
from tests.support.engine import POLLING, WEBSOCKET, an_engine, nothing_is_left, running_engine
from trio_socketio import EngineConfig, Request


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine() as engine:
        yield engine


class Other:
    """Another application: answers 299, refuses WebSockets, and keeps the scopes that it was called with."""

    def __init__(self) -> None:
        self.scopes = []

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4299})
        else:
            await send({"type": "http.response.start", "status": 299, "headers": []})
            await send({"type": "http.response.body", "body": b"the other one"})


PATHS = [
    # path, root_path, whether it is ours, when mounted under that
    ("/socket.io/", "", True),
    ("/socket.io/deeper/still", "", True),
    ("/socket.io", "", False),
    ("/socket.iox/", "", False),
    ("/socket", "", False),
    ("/SOCKET.IO/", "", False),
    ("/", "", False),
    ("", "", False),
    ("/prefix/socket.io/", "", False),
    # The prefix is in the path, as ASGI says and newer frameworks do it.
    ("/prefix/socket.io/", "/prefix", True),
    ("/a/b/socket.io/", "/a/b", True),
    ("/prefix/socket.io", "/prefix", False),
    ("/prefix/other/", "/prefix", False),
    ("/other/socket.io/", "/prefix", False),
    ("/prefix/prefix/socket.io/", "/prefix", False),
    # It was taken out, as older ones do it.
    ("/socket.io/", "/prefix", True),
    ("/socket.io", "/prefix", False),
    # Mounted under our own path: with it in the path, and without.
    ("/socket.io/", "/socket.io", True),
    ("/", "/socket.io", True),
    ("", "/socket.io", False),
]


class TestPath:
    @pytest.mark.parametrize(("path", "root_path", "is_ours"), PATHS)
    async def test_over_http(self, engine, autojump_clock, path, root_path, is_ours):
        other = Other()
        answer = await ask(app_of(engine, other), http_scope(POLLING, path=path, root_path=root_path))
        assert answer.status == (200 if is_ours else 299)
        assert len(other.scopes) == (not is_ours)

    @pytest.mark.parametrize(("path", "root_path", "is_ours"), PATHS)
    async def test_over_websocket(self, engine, autojump_clock, path, root_path, is_ours):
        scope = websocket_scope(WEBSOCKET, path=path, root_path=root_path)
        async with calling(app_of(engine, Other()), scope, CONNECT) as call:
            assert (await call.next())["type"] == ("websocket.accept" if is_ours else "websocket.close")

    async def test_a_host_that_has_no_root_path(self, engine, autojump_clock):
        scope = http_scope(POLLING)
        del scope["root_path"]
        assert (await ask(app_of(engine), scope)).status == 200

    @pytest.mark.parametrize(("path", "root_path", "seen"), [
        ("/socket.io/x", "", "/socket.io/x"),
        ("/prefix/socket.io/x", "/prefix", "/socket.io/x"),
        ("/socket.io/x", "/prefix", "/socket.io/x"),
        ("/socket.io/x", "/socket.io", "/socket.io/x"),
        ("/x", "/socket.io", "/socket.io/x"),
    ])  # fmt: skip
    async def test_the_engine_sees_it_without_the_prefix(self, autojump_clock, path, root_path, seen):
        requests: list[Request] = []

        async def allow(request: Request) -> bool:
            requests.append(request)
            return False

        async with running_engine(EngineConfig(allow_request=allow)) as engine:
            await ask(app_of(engine), http_scope(POLLING, path=path, root_path=root_path))
            scope = websocket_scope(WEBSOCKET, path=path, root_path=root_path)
            async with calling(app_of(engine), scope, CONNECT) as call:
                await call.end()
        assert [request.path for request in requests] == [seen, seen]

    @pytest.mark.parametrize(("path", "is_ours"), [
        ("/socket.io", True), ("/socket.io/", True), ("/prefix/socket.io", True), ("/socket.iox", False),
    ])  # fmt: skip
    async def test_without_the_trailing_slash(self, autojump_clock, path, is_ours):
        async with running_engine(EngineConfig(add_trailing_slash=False)) as engine:
            answer = await ask(app_of(engine), http_scope(POLLING, path=path, root_path="/prefix"))
        assert answer.status == (200 if is_ours else 404)

    async def test_another_path_than_the_default(self, autojump_clock):
        async with running_engine(EngineConfig(path="/api/live")) as engine:
            assert (await ask(app_of(engine), http_scope(POLLING, path="/api/live/"))).status == 200
            assert (await ask(app_of(engine), http_scope(POLLING))).status == 404
            # Under a mount whose prefix is the first half of it.
            under = http_scope(POLLING, path="/live/", root_path="/api")
            assert (await ask(app_of(engine), under)).status == 200


class TestOtherApplication:
    async def test_it_gets_the_scope_and_the_channels_as_they_are(self, engine, autojump_clock):
        given = []

        async def other(*arguments) -> None:
            given.append(arguments)

        call = Call(http_scope(path="/other", root_path="/o"))
        await app_of(engine, other)(call.scope, call.receive, call.send)
        ((scope, receive, send),) = given
        assert scope is call.scope
        assert (receive, send) == (call.receive, call.send)

    async def test_what_it_raises_reaches_the_host(self, engine, autojump_clock):
        async def other(scope, receive, send) -> None:
            raise KeyError("a fault of the other application")

        with pytest.raises(KeyError, match="a fault of the other"):
            await ask(app_of(engine, other), http_scope(path="/other"))

    async def test_it_serves_before_and_after_the_server_runs(self, autojump_clock):
        engine, other = an_engine(), Other()
        assert (await ask(app_of(engine, other), http_scope(path="/other"))).status == 299
        async with engine.running():
            pass
        assert (await ask(app_of(engine, other), http_scope(path="/other"))).status == 299


class TestNoOtherApplication:
    async def test_not_found(self, engine, autojump_clock):
        answer = await ask(app_of(engine), http_scope(path="/other"))
        assert (answer.status, answer.body) == (404, b"Not Found")
        assert answer.header("content-type") == "text/plain; charset=utf-8"
        assert answer.header("content-length") == "9"

    @pytest.mark.parametrize("path", ["/other", "/socket.io/"])
    async def test_head_gets_no_body(self, engine, autojump_clock, path):
        answer = await ask(app_of(engine), http_scope(method="HEAD", path=path))
        assert answer.status in {400, 404}
        assert answer.body == b""
        assert answer.header("content-length") != "0"

    async def test_not_found_also_while_nobody_runs_the_server(self, autojump_clock):
        assert (await ask(app_of(an_engine()), http_scope(path="/other"))).status == 404

    async def test_a_body_that_nobody_wants_is_taken(self, engine, autojump_clock):
        async with calling(app_of(engine), http_scope(method="POST", path="/other"), *body(b"x", more=True)) as call:
            await call.end()
            await call.put(*body(*[b"x"] * 30))
            await call.go()
            assert call.answer.status == 404
        await nothing_is_left(engine)

    async def test_a_client_that_does_not_read_its_404(self, engine, autojump_clock):
        call = Call(http_scope(path="/other"))
        call.reading = trio.Event()
        await call.run(app_of(engine))
        assert call.ended_at == trio.current_time() == engine.limits.write_deadline
        call.queue.send_nowait({"type": "http.disconnect"})
        await nothing_is_left(engine)

    async def test_a_websocket_is_closed_after_its_connect(self, engine, autojump_clock):
        async with calling(app_of(engine), websocket_scope(path="/other")) as call:
            assert call.sent == []
            await call.put(CONNECT)
            await call.end()
            assert call.sent == [{"type": "websocket.close"}]


class TestNobodyRunsTheServer:
    """As in an application that mounts the server, and has forgotten to run it."""

    async def test_http_gets_503(self, autojump_clock, caplog):
        answer = await ask(app_of(an_engine()), http_scope(POLLING))
        assert answer.status == 503
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert "nobody runs the server" in caplog.text

    async def test_a_post_whose_body_is_not_read(self, autojump_clock):
        announced = [(b"content-length", b"3")]
        answer = await ask(app_of(an_engine()), http_scope(POLLING, "POST", headers=announced), b"abc")
        assert (answer.status, answer.header("connection")) == (400, "close")

    async def test_websocket_is_refused(self, autojump_clock, caplog):
        scope = websocket_scope(WEBSOCKET, extensions={"websocket.http.response": {}})
        async with calling(app_of(an_engine()), scope, CONNECT) as call:
            await call.end()
            assert call.answer.status == 503

    async def test_a_client_of_a_server_that_has_stopped(self, autojump_clock):
        engine = an_engine()
        async with engine.running():
            pass
        assert (await ask(app_of(engine), http_scope(POLLING))).status == 503
        await settle()
