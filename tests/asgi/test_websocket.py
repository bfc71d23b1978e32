"""WebSocket over ASGI: refusals, messages in both directions, and the ways in which it ends, on hosts of all habits."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.support.asgi import CONNECT, QUEUE, Call, app_of, body, calling, http_scope, websocket_scope
from tests.support.client import open_polling, settle
from tests.support.engine import POLLING, WEBSOCKET, message, nothing_is_left, recorder, running_engine
from trio_socketio import CloseReason, EngineConfig, Limits
from trio_socketio._asgi.websocket import ASGIMessageStream
from trio_socketio._engine.session import SessionState, Upgrade
from trio_socketio._engine.statistics import Counters
from trio_socketio._engine.transport import FAREWELL, StreamFailure

LIMIT = 300
TOO_BIG = 1009
NORMAL = 1000


def text(content: str) -> dict[str, object]:
    return {"type": "websocket.receive", "text": content}


def binary(content: bytes) -> dict[str, object]:
    return {"type": "websocket.receive", "bytes": content}


def closes_of(call: Call) -> list[int]:
    """The codes of all close messages that the application has handed over."""
    return [sent["code"] for sent in call.sent if sent["type"] == "websocket.close"]


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine(limits=Limits(max_payload=LIMIT)) as engine:
        yield engine


class Opened:
    """A session that began on a WebSocket: the call that carries it, and what its handler was told."""

    def __init__(self, engine, call: Call, session) -> None:
        self.engine, self.call, self.session, self.recorder = engine, call, session, recorder(session)

    async def is_closed(self, reason: CloseReason) -> None:
        await self.call.end()
        assert self.recorder.reasons == [reason]
        await self.call.go()
        await nothing_is_left(self.engine)


@pytest.fixture
async def opened(engine):
    async with calling(app_of(engine), websocket_scope(WEBSOCKET), CONNECT) as call:
        assert (await call.next())["type"] == "websocket.accept"
        assert (await call.next())["text"].startswith('0{"sid"')
        (session,) = engine.sessions.values()
        yield Opened(engine, call, session)
        call.cancel_scope.cancel()
        await call.end()
        await call.go()
    await nothing_is_left(engine)


class TestAccept:
    @pytest.mark.parametrize(("asked", "chosen"), [(["a", "b"], "a"), ([], None), (None, None)])
    async def test_the_first_subprotocol_is_chosen(self, engine, autojump_clock, asked, chosen):
        async with calling(app_of(engine), websocket_scope(WEBSOCKET) | {"subprotocols": asked}, CONNECT) as call:
            assert (await call.next())["subprotocol"] == chosen

    async def test_only_after_the_connect_message(self, engine, autojump_clock):
        async with calling(app_of(engine), websocket_scope(WEBSOCKET)) as call:
            assert call.sent == []
            await call.put(CONNECT)
            assert call.sent[0]["type"] == "websocket.accept"

    async def test_with_the_headers_of_a_hook(self, autojump_clock):
        def hook(headers, request) -> None:
            headers.append(("x-server", "é"))

        async with running_engine(EngineConfig(headers=hook)) as engine:
            async with calling(app_of(engine), websocket_scope(WEBSOCKET), CONNECT) as call:
                assert (b"x-server", b"\xe9") in (await call.next())["headers"]

    async def test_a_host_that_cannot_accept_gets_its_error_back(self, engine, autojump_clock):
        call = Call(websocket_scope(WEBSOCKET))
        call.queue.send_nowait(CONNECT)
        call.error = OSError("the client has gone")
        await call.run(app_of(engine))
        assert call.failure is call.error
        await nothing_is_left(engine)


class TestAllowRequest:
    """It may take its time; the client need not wait for it."""

    @pytest.fixture
    async def asked(self):
        cancelled = []

        async def allow(request) -> None:
            try:
                await trio.sleep(10)
            except trio.Cancelled:
                cancelled.append(trio.current_time())
                raise

        async with running_engine(EngineConfig(allow_request=allow), Limits(connect_timeout=20)) as engine:
            engine.cancelled = cancelled
            yield engine
            await nothing_is_left(engine)

    async def test_a_client_that_waits_is_accepted(self, asked, autojump_clock):
        async with calling(app_of(asked), websocket_scope(WEBSOCKET), CONNECT) as call:
            await trio.sleep(11)
            await call.put(text("4a"))
            assert call.sent[0]["type"] == "websocket.accept"
            (session,) = asked.sessions.values()
            assert recorder(session).messages == ["a"]
            await call.go()

    async def test_a_client_that_leaves_is_not(self, asked, autojump_clock):
        async with calling(app_of(asked), websocket_scope(WEBSOCKET), CONNECT) as call:
            await trio.sleep(1)
            await call.go()
            await call.end()
            assert (call.sent, asked.cancelled) == ([], [1])
            assert not asked.sessions

    async def test_in_the_very_moment_in_which_it_is_allowed(self, asked, autojump_clock):
        async with calling(app_of(asked), websocket_scope(WEBSOCKET), CONNECT) as call:
            await trio.sleep(10)
            await call.go()
            await call.end()
            await trio.sleep(1)
            assert not asked.sessions

    async def test_it_takes_too_long(self, caplog, autojump_clock):
        async def allow(request) -> None:
            await trio.sleep_forever()

        async with running_engine(EngineConfig(allow_request=allow), Limits(connect_timeout=20)) as engine:
            async with calling(app_of(engine), websocket_scope(WEBSOCKET), CONNECT) as call:
                await call.end()
                assert call.sent == [{"type": "websocket.close"}]
                assert trio.current_time() == 20
            assert "TooSlowError" in caplog.text


class TestRefusal:
    async def test_without_the_extension(self, engine, autojump_clock):
        for extensions in ({"extensions": {}}, {"extensions": None}, {}):
            scope = websocket_scope(f"{WEBSOCKET}&sid=unknown", **extensions)
            async with calling(app_of(engine), scope, CONNECT) as call:
                await call.end()
                assert call.sent == [{"type": "websocket.close"}]
        await nothing_is_left(engine)

    async def test_with_the_extension(self, engine, autojump_clock):
        scope = websocket_scope(f"{WEBSOCKET}&sid=unknown", extensions={"websocket.http.response": {}})
        async with calling(app_of(engine), scope, CONNECT) as call:
            await call.end()
            kinds = [sent["type"] for sent in call.sent]
            assert kinds == ["websocket.http.response.start", "websocket.http.response.body"]
            assert (call.answer.status, call.answer.body) == (400, b"Session ID unknown")
            assert call.answer.header("content-length") == "18"
            assert call.answer.header("content-type") == "text/html"
            assert call.answer.header("connection") == "close"
        await nothing_is_left(engine)

    async def test_with_another_extension(self, engine, autojump_clock):
        scope = websocket_scope("EIO=9", extensions={"tls": {}})
        async with calling(app_of(engine), scope, CONNECT) as call:
            await call.end()
            assert call.sent == [{"type": "websocket.close"}]


class TestReceiving:
    async def test_text_and_bytes(self, opened, autojump_clock):
        await opened.call.put(text("4a"), binary(b"\0\xff"), text("4é"), binary(b""))
        assert opened.recorder.messages == ["a", b"\0\xff", "é", b""]

    async def test_with_both_keys(self, opened, autojump_clock):
        # As hosts may: "at least one of these must be non-None", and the other is there all the same.
        await opened.call.put(text("4a") | {"bytes": None}, binary(b"b") | {"text": None})
        assert opened.recorder.messages == ["a", b"b"]

    async def test_an_empty_text_is_a_text(self, opened, autojump_clock):
        await opened.call.put(text("") | {"bytes": None})
        assert opened.recorder.reasons == [CloseReason.PARSE_ERROR]

    @pytest.mark.parametrize("fitting", [
        text("4" + "a" * (LIMIT - 1)), text("4" + "é" * 149 + "a"), binary(b"b" * LIMIT),
    ])  # fmt: skip
    async def test_of_the_largest_size(self, opened, autojump_clock, fitting):
        await opened.call.put(fitting)
        assert len(opened.recorder.messages) == 1
        assert opened.recorder.reasons == []

    # The second one has few characters and many bytes.
    @pytest.mark.parametrize("large", [text("4" + "a" * LIMIT), text("4" + "é" * 150), binary(b"b" * (LIMIT + 1))])
    async def test_too_big_in_bytes(self, opened, autojump_clock, large):
        await opened.call.put(text("4before"), large, text("4after"))
        assert opened.recorder.messages == ["before"]
        assert closes_of(opened.call)[0] == TOO_BIG
        assert opened.call.delivered[-1] == {"type": "websocket.close", "code": TOO_BIG}
        await opened.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_what_comes_after_the_end_is_taken(self, opened, autojump_clock):
        opened.session.close(CloseReason.FORCED_SERVER_CLOSE)
        await opened.call.end()
        # More than the host's queue holds.
        await opened.call.put(*[text("4late")] * 30)
        assert opened.recorder.messages == []
        await opened.is_closed(CloseReason.FORCED_SERVER_CLOSE)

    async def test_a_host_that_ends_its_queue_with_the_call(self, engine, autojump_clock):
        # What it raises in the drain costs nobody anything, the server least of all.
        async with calling(app_of(engine), websocket_scope(WEBSOCKET), CONNECT) as call:
            (session,) = engine.sessions.values()
            session.close(CloseReason.FORCED_SERVER_CLOSE)
            call.queue.close()
            await call.end()
            await settle()
        assert engine.is_running
        await nothing_is_left(engine)


class TestSending:
    async def test_text_and_bytes(self, opened, autojump_clock):
        opened.session.send([message("a"), message(b"\1")])
        assert [await opened.call.next() for _ in range(2)] == [
            {"type": "websocket.send", "text": "4a"},
            {"type": "websocket.send", "bytes": b"\1"},
        ]

    async def test_after_the_client_has_gone(self, opened, autojump_clock):
        await opened.call.go()
        await opened.is_closed(CloseReason.TRANSPORT_CLOSE)
        assert closes_of(opened.call) == []

    async def test_a_send_that_raises(self, opened, autojump_clock):
        opened.call.error = AttributeError("'NoneType' object has no attribute 'start'")
        opened.session.send([message("lost"), message("lost too")])
        await settle()
        assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]
        # After the one that failed nothing is tried again, not even a close.
        assert [sent.get("text") for sent in opened.call.sent[2:]] == ["4lost"]
        await opened.is_closed(CloseReason.TRANSPORT_CLOSE)

    async def test_a_send_that_never_ends(self, opened, autojump_clock):
        opened.call.reading = trio.Event()
        opened.session.send([message("stuck"), message("never tried")])
        await opened.call.end()
        deadline = opened.engine.limits.write_deadline
        assert opened.recorder.closed_at == deadline
        # The call returns although the send is stuck, and so the host drops the connection: that frees the send.
        assert opened.call.ended_at == deadline + FAREWELL
        assert [sent.get("text") for sent in opened.call.sent[2:]] == ["4stuck", None]
        # The host was told before, in a scope that was cancelled: nothing went out.
        assert opened.call.sent_during_call[-1] == {"type": "websocket.close", "code": NORMAL}
        assert closes_of(opened.call) == [NORMAL]
        assert opened.call.delivered[2:] == []
        await opened.is_closed(CloseReason.SLOW_CONSUMER)

    async def test_a_client_that_was_only_slow(self, opened, autojump_clock):
        opened.call.reading = trio.Event()
        opened.session.send([message("a")])
        await trio.sleep(opened.engine.limits.write_deadline - 0.1)
        opened.call.reading.set()
        assert (await opened.call.next())["text"] == "4a"
        assert opened.recorder.reasons == []

    async def test_the_host_stops_while_a_send_is_stuck(self, opened, autojump_clock):
        opened.call.reading = trio.Event()
        opened.session.send([message("stuck")])
        await settle()
        opened.call.cancel_scope.cancel()
        await opened.call.end()
        assert opened.call.ended_at == FAREWELL
        assert closes_of(opened.call) == [NORMAL]
        # It is drained all the same.
        await opened.call.put(*[text("4late")] * 30)
        await opened.is_closed(CloseReason.TRANSPORT_CLOSE)


class TestClosing:
    async def test_a_host_that_cancels_is_still_drained(self, opened, autojump_clock):
        opened.recorder.busy = trio.Event()
        await opened.call.put(*[text("4a")] * (QUEUE + 1))
        opened.call.cancel_scope.cancel()
        await opened.call.end()
        await opened.call.put(*[text("4late")] * (QUEUE + 1))
        await opened.is_closed(CloseReason.TRANSPORT_CLOSE)

    async def test_by_the_client(self, opened, autojump_clock):
        await opened.call.go()
        await opened.call.end()
        assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]
        # Also nobody waits for a second disconnect, which would never come.
        await nothing_is_left(opened.engine)

    async def test_by_the_server(self, opened, autojump_clock):
        opened.session.send([message("last")])
        opened.session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        assert (await opened.call.next())["text"] == "4last"
        assert await opened.call.next() == {"type": "websocket.close", "code": NORMAL}
        await opened.is_closed(CloseReason.SERVER_SHUTTING_DOWN)
        assert closes_of(opened.call) == [NORMAL]

    @pytest.mark.parametrize("turn", range(10))  # whose turn it is first is by chance
    async def test_the_server_stops(self, autojump_clock, turn):
        async with trio.open_nursery() as nursery:
            call = Call(websocket_scope(WEBSOCKET))
            call.queue.send_nowait(CONNECT)
            async with running_engine() as engine:
                nursery.start_soon(call.run, app_of(engine))
                await settle()
        assert call.failure is None
        assert call.delivered[-1] == {"type": "websocket.close", "code": NORMAL}

    async def test_the_host_stops(self, opened, autojump_clock):
        opened.call.cancel_scope.cancel()
        await opened.call.end()
        # Its client is told while there is time.
        assert opened.call.delivered[-1] == {"type": "websocket.close", "code": NORMAL}
        await opened.is_closed(CloseReason.TRANSPORT_CLOSE)


class TestUpgrade:
    async def test_from_long_polling(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        scope = websocket_scope(query.replace("polling", "websocket"))
        async with calling(app_of(engine), scope, CONNECT) as call:
            await call.put(text("2probe"))
            assert [sent.get("text") for sent in call.delivered] == [None, "3probe"]
            await call.put(text("5"), text("4over there"))
            assert session.upgrade is Upgrade.DONE
            assert recorder(session).messages == ["over there"]
            await call.go()
            await call.end()
        assert recorder(session).reasons == [CloseReason.TRANSPORT_CLOSE]
        await nothing_is_left(engine)

    @pytest.mark.parametrize("how", ["given up", "not sent"])
    async def test_a_get_that_ends_behind_it_costs_nothing(self, engine, autojump_clock, how):
        query, session = await open_polling(engine)
        scope = websocket_scope(query.replace("polling", "websocket"))
        async with calling(app_of(engine), scope, CONNECT) as call, calling(app_of(engine), http_scope(query)) as get:
            await call.put(text("2probe"))
            get.error = OSError("the client has closed this connection") if how == "not sent" else None
            call.queue.send_nowait(text("5"))
            while session.upgrade is not Upgrade.DONE:
                await trio.lowlevel.checkpoint()
            if how == "given up":
                get.queue.send_nowait({"type": "http.disconnect"})
            await settle()
            assert session.close_reason is None
            await call.put(text("4still here"))
            assert recorder(session).messages == ["still here"]

    async def test_too_big_a_probe_costs_the_probe_only(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        scope = websocket_scope(query.replace("polling", "websocket"))
        async with calling(app_of(engine), scope, CONNECT, text("2" * (LIMIT + 1))) as call:
            await call.end()
            assert closes_of(call) == [TOO_BIG]
            await call.go()
        assert session.state is SessionState.OPEN

    async def test_a_websocket_that_says_polling(self, engine, autojump_clock):
        async with calling(app_of(engine), websocket_scope(POLLING), CONNECT) as call:
            await call.end()
            assert [sent["type"] for sent in call.sent] == ["websocket.accept", "websocket.close"]
            await call.go()
        await nothing_is_left(engine)


class TestStream:
    """The message stream by itself."""

    @pytest.fixture
    def call(self):
        return Call(websocket_scope())

    @pytest.fixture
    def stream(self, call):
        return ASGIMessageStream(call.receive, call.send, LIMIT, Counters())

    async def test_a_disconnect_is_its_end(self, call, stream, autojump_clock):
        await call.go()
        with pytest.raises(trio.EndOfChannel):
            await stream.receive()
        assert stream.closed
        # Not even handed to the host, which would drop it and return at once: a writer would spin.
        with pytest.raises(trio.BrokenResourceError):
            await stream.send("late")
        await stream.aclose()
        assert call.sent == []

    async def test_closing_twice(self, call, stream, autojump_clock):
        await stream.aclose()
        await stream.aclose()
        await stream.abort()
        assert call.sent == [{"type": "websocket.close", "code": NORMAL}]
        with pytest.raises(trio.BrokenResourceError):
            await stream.send("late")

    async def test_closing_when_the_host_raises(self, call, stream, autojump_clock, caplog):
        caplog.set_level(logging.DEBUG, "trio_socketio")
        call.error = RuntimeError("a fault of the host")
        await stream.aclose()
        assert stream.closed
        assert "could not be closed: RuntimeError" in caplog.text

    async def test_after_a_send_has_failed(self, call, stream, autojump_clock):
        call.error = ValueError("a fault of the host")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.send("a")
        assert caught.value.__cause__ is call.error
        with pytest.raises(trio.BrokenResourceError):
            await stream.send("b")
        assert len(call.sent) == 1

    async def test_too_big_tells_the_client_when_it_is_closed(self, call, stream, autojump_clock):
        await call.put(binary(b"x" * (LIMIT + 1)))
        with pytest.raises(StreamFailure):
            await stream.receive()
        assert not stream.closed
        await stream.aclose()
        assert call.sent == [{"type": "websocket.close", "code": TOO_BIG}]

    async def test_abort_writes_nothing_and_waits_for_nothing(self, call, stream, autojump_clock):
        call.reading = trio.Event()
        before = trio.current_time()
        await stream.abort()
        assert trio.current_time() == before
        assert (call.sent, call.delivered) == ([{"type": "websocket.close", "code": NORMAL}], [])

    async def test_abort_in_a_cancelled_scope(self, call, stream, autojump_clock):
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.abort()
        assert closes_of(call) == [NORMAL]

    async def test_a_close_that_was_cancelled_is_a_close(self, call, stream, autojump_clock):
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.aclose()
        assert scope.cancelled_caught
        await stream.aclose()
        assert closes_of(call) == [NORMAL]


async def test_each_kind_of_request_stays_what_it_is(engine, autojump_clock):
    """The same query over HTTP is an ordinary request, and refused as one."""
    async with calling(app_of(engine), http_scope(WEBSOCKET), *body(b"")) as call:
        await call.end()
        assert call.answer.status == 400
