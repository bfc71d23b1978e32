"""HTTP over ASGI: bodies in parts, clients that leave at any moment, and sends that fail or never end."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.support.asgi import GONE, Call, app_of, ask, body, calling, http_scope
from tests.support.client import open_polling, settle
from tests.support.engine import POLLING, background_tasks, message, nothing_is_left, recorder, running_engine
from trio_socketio import CORS, CloseReason, EngineConfig, Limits
from trio_socketio._asgi.http import RequestBody, send_response
from trio_socketio._engine.http import BodyTooLarge, Response
from trio_socketio._engine.session import Session, SessionState

ANNOUNCED = [(b"transfer-encoding", b"chunked")]
LIMIT = 300


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine(limits=Limits(max_payload=LIMIT)) as engine:
        yield engine


class Client:
    """A client on long-polling: its application, its session, and the query that means it."""

    def __init__(self, engine, query: str, session: Session) -> None:
        self.engine, self.app, self.query, self.session = engine, app_of(engine), query, session
        self.recorder = recorder(session)

    def polling(self, *messages):
        return calling(self.app, http_scope(self.query), *(messages or body(b"")))

    def posting(self, *messages, headers=ANNOUNCED):
        return calling(self.app, http_scope(self.query, "POST", headers=headers), *messages)

    async def is_closed(self, reason: CloseReason) -> None:
        assert self.recorder.reasons == [reason]
        await nothing_is_left(self.engine)


@pytest.fixture
async def client(engine):
    return Client(engine, *await open_polling(engine))


class TestAnswer:
    async def test_start_and_body(self, client, autojump_clock):
        client.session.send([message("a"), message(b"\1")])
        async with client.polling() as call:
            await call.end()
        start, content = call.sent
        assert start == {"type": "http.response.start", "status": 200, "headers": start["headers"]}
        assert content == {"type": "http.response.body", "body": b"4a\x1ebAQ=="}
        assert call.answer.header("content-type") == "text/plain; charset=UTF-8"
        assert call.answer.header("content-length") == "8"
        assert call.answer.header("connection") is None

    @pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
    async def test_methods_that_mean_nothing(self, client, autojump_clock, method):
        answer = await ask(client.app, http_scope(client.query, method))
        assert answer.status in {400, 500}
        assert client.session.state is SessionState.OPEN

    async def test_a_preflight_keeps_its_connection(self, autojump_clock):
        headers = [(b"origin", b"https://app.example"), (b"access-control-request-method", b"POST")]
        async with running_engine(EngineConfig(cors=CORS(origins=("https://app.example",)))) as engine:
            answer = await ask(app_of(engine), http_scope(POLLING, "OPTIONS", headers=headers))
            await nothing_is_left(engine)
        assert answer.status == 204
        assert answer.header("access-control-allow-origin") == "https://app.example"
        assert answer.header("connection") is None


class TestBody:
    async def test_in_one_part(self, client, autojump_clock):
        answer = await ask(client.app, http_scope(client.query, "POST"), b"4whole")
        assert (answer.status, answer.body, answer.header("connection")) == (200, b"ok", None)
        assert client.recorder.messages == ["whole"]

    async def test_in_parts_with_time_between(self, client, autojump_clock):
        async with client.posting(*body(b"4in ", more=True)) as call:
            for part in (b"", b"parts", b"\x1e4", b"next \xc3"):
                await trio.sleep(1)
                await call.put(*body(part, more=True))
            assert (call.sent, client.recorder.messages) == ([], [])
            await call.put(*body(b"\xa9"))
            await call.end()
            assert call.answer.status == 200
        assert client.recorder.messages == ["in parts", "next é"]

    async def test_messages_that_leave_out_what_they_may(self, client, autojump_clock):
        nothing_yet = {"type": "http.request", "more_body": True}
        async with client.posting(nothing_yet, {"type": "http.request", "body": b"4a"}) as call:
            await call.end()
        assert client.recorder.messages == ["a"]

    async def test_of_the_largest_size(self, client, autojump_clock):
        answer = await ask(client.app, http_scope(client.query, "POST"), b"4" + b"a" * 100, b"a" * (LIMIT - 101))
        assert answer.status == 200
        assert client.recorder.messages == ["a" * (LIMIT - 1)]

    async def test_too_large_at_its_end(self, client, autojump_clock):
        answer = await ask(client.app, http_scope(client.query, "POST", headers=ANNOUNCED), b"4" * (LIMIT + 1))
        # All of it was read: the connection may be used again.
        assert (answer.status, answer.header("connection")) == (413, None)
        await client.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_too_large_long_before_its_end(self, client, autojump_clock):
        async with client.posting(*body(*[b"4" * 100] * 4, more=True)) as call:
            await call.end()
            assert (call.answer.status, call.answer.header("connection")) == (413, "close")
            # The rest is taken, more than the host's queue holds, until the client has gone.
            await call.put(*body(*[b"4" * 100] * 30))
            await call.go()
        await client.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_announced_as_too_large(self, client, autojump_clock):
        headers = [(b"content-length", str(LIMIT + 1).encode())]
        async with client.posting(headers=headers) as call:
            await call.end()
            assert (call.answer.status, call.answer.header("connection")) == (413, "close")
            await call.put(*body(*[b"4"] * 30, more=True))
            await call.go()
        await client.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_too_slow(self, client, autojump_clock):
        async with client.posting(*body(b"4never", more=True)) as call:
            await call.end()
            assert call.ended_at == client.engine.limits.post_deadline
            assert (call.answer.status, call.answer.header("connection")) == (408, "close")
            await call.go()
        await client.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_of_a_request_that_is_refused(self, engine, autojump_clock):
        scope = http_scope(f"{POLLING}&sid=unknown", "POST", headers=ANNOUNCED)
        async with calling(app_of(engine), scope, *body(b"4", more=True)) as call:
            await call.end()
            assert (call.answer.status, call.answer.header("connection")) == (400, "close")
            await call.put(*body(*[b"4"] * 30))
            await call.go()
        await nothing_is_left(engine)

    async def test_of_a_get_is_taken_while_it_is_held(self, client, autojump_clock):
        async with client.polling(*body(b"x", more=True)) as call:
            await call.put(*body(*[b"x"] * 30))
            client.session.send([message("a")])
            await call.end()
            assert (call.answer.body, call.answer.header("connection")) == (b"4a", None)

    async def test_of_a_get_is_taken_after_its_answer(self, engine, autojump_clock):
        # On hypercorn a GET with more chunks than its queue holds would stay for ever, long after its client has gone.
        async with calling(app_of(engine), http_scope(POLLING, headers=ANNOUNCED), *body(b"x", more=True)) as call:
            await call.end()
            await call.put(*body(*[b"x"] * 30))
            await call.go()
            assert call.answer.status == 200
        await settle()
        assert not background_tasks(engine)

    async def test_what_it_knows_of_itself(self, autojump_clock):
        call = Call(http_scope())
        request_body = RequestBody(call.receive, trio.CancelScope())
        await call.put(*body(b"ab", b"cd"))
        assert not request_body.complete
        assert await request_body.read(4) == b"abcd"
        assert request_body.complete
        assert await request_body.read(4) == b""

    async def test_one_byte_too_many(self, autojump_clock):
        call = Call(http_scope())
        request_body = RequestBody(call.receive, trio.CancelScope())
        await call.put(*body(b"ab", b"cd", b"e"))
        with pytest.raises(BodyTooLarge):
            await request_body.read(3)
        # It stopped at the part that was too much.
        assert call.receive_channel.statistics().current_buffer_used == 1


class TestClientsThatLeave:
    async def test_while_a_poll_is_held(self, client, autojump_clock):
        async with client.polling() as call:
            await trio.sleep(3)
            assert (call.sent, client.recorder.reasons) == ([], [])
            await call.go()
            await call.end()
            assert call.sent == []
        await client.is_closed(CloseReason.TRANSPORT_ERROR)
        assert client.recorder.closed_at == 3

    async def test_in_the_moment_of_the_answer(self, client, autojump_clock):
        async with client.polling() as call:
            # Both wake in the same step: the poll has its packets in hand, and the news that nobody takes them.
            client.session.send([message("lost")])
            call.queue.send_nowait(GONE["http"])
            await call.end()
            assert call.sent == []
        await client.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_before_the_request_is_looked_at(self, client, autojump_clock):
        async with client.polling(GONE["http"]) as call:
            await call.end()
            assert call.sent == []
        await client.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_in_the_middle_of_a_body(self, client, autojump_clock):
        async with client.posting(*body(b"4half", more=True)) as call:
            await call.go()
            await call.end()
            assert call.sent == []
        assert client.recorder.messages == []
        await client.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_while_the_application_decides(self, autojump_clock):
        cancelled = []

        async def allow(request) -> bool:
            try:
                await trio.sleep_forever()
            finally:
                cancelled.append(request)

        async with running_engine(EngineConfig(allow_request=allow)) as engine:
            async with calling(app_of(engine), http_scope(POLLING), *body(b"")) as call:
                assert cancelled == []
                await call.go()
                await call.end()
            assert len(cancelled) == 1
            await nothing_is_left(engine)

    async def test_after_the_answer(self, client, autojump_clock):
        async with client.polling() as call:
            client.session.send([message("a")])
            await call.end()
            await call.go()
        assert client.session.state is SessionState.OPEN

    async def test_a_host_that_cancels(self, client, autojump_clock):
        async with client.polling() as call:
            call.cancel_scope.cancel()
            await call.end()
        await client.is_closed(CloseReason.TRANSPORT_ERROR)


class TestSendsThatFail:
    async def test_a_poll(self, client, autojump_clock, caplog):
        caplog.set_level(logging.DEBUG, "trio_socketio")
        async with client.polling() as call:
            call.error = OSError("the client has gone")
            client.session.send([message("lost")])
            await call.end()
            assert [sent["type"] for sent in call.sent] == ["http.response.start"]
        await client.is_closed(CloseReason.TRANSPORT_ERROR)
        assert "could not be sent: OSError('the client has gone')" in caplog.text

    async def test_the_body_only(self, client, autojump_clock):
        class FailsAtTheBody(Call):
            async def send(self, sent):
                await super().send(sent)
                self.error = RuntimeError("a fault of the host")

        call = FailsAtTheBody(http_scope(client.query))
        client.session.send([message("lost")])
        await call.run(client.app)
        assert call.failure is None
        assert len(call.sent) == 2
        call.queue.send_nowait(GONE["http"])
        await client.is_closed(CloseReason.TRANSPORT_ERROR)

    async def test_a_session_that_is_not_meant_lives_on(self, client, autojump_clock):
        call = Call(http_scope(f"{POLLING}&sid=unknown"))
        call.error = OSError()
        await call.run(client.app)
        assert (call.failure, client.session.state) == (None, SessionState.OPEN)


class TestSendsThatNeverEnd:
    async def test_a_poll(self, client, autojump_clock):
        async with client.polling() as call:
            call.reading = trio.Event()
            client.session.send([message("lost")])
            await settle()
            assert not call.ended.is_set()
            await trio.sleep(client.engine.limits.write_deadline - 0.1)
            assert (call.ended.is_set(), client.recorder.reasons) == (False, [])
            await call.end()
            assert call.ended_at == client.engine.limits.write_deadline
            assert call.delivered == []
        await client.is_closed(CloseReason.SLOW_CONSUMER)

    async def test_slow_and_still_in_time(self, client, autojump_clock):
        async with client.polling() as call:
            call.reading = trio.Event()
            client.session.send([message("a")])
            await trio.sleep(client.engine.limits.write_deadline - 0.1)
            call.reading.set()
            await call.end()
            assert call.answer.body == b"4a"
        assert client.session.state is SessionState.OPEN

    async def test_a_host_that_cancels_the_call_is_not_held_up(self, client, autojump_clock):
        async with client.polling() as call:
            call.reading = trio.Event()
            client.session.send([message("a")])
            await settle()
            call.cancel_scope.cancel()
            await settle()
            assert call.ended.is_set()

    async def test_the_server_stops_while_a_send_is_stuck(self, autojump_clock):
        call = Call(http_scope(POLLING))
        call.reading = trio.Event()
        async with trio.open_nursery() as nursery:
            async with running_engine() as engine:
                nursery.start_soon(call.run, app_of(engine))
                await settle()
                nursery.start_soon(self._read_later, call)
        assert call.failure is None

    async def _read_later(self, call: Call) -> None:
        await trio.sleep(1)
        call.reading.set()


class TestSendResponse:
    async def test_it_says_that_it_went_out(self, engine, autojump_clock):
        call = Call(http_scope())
        assert await send_response(engine, call.send, Response(200, b"x"), "GET") is None
        assert call.answer.body == b"x"

    async def test_head_gets_no_body(self, engine, autojump_clock):
        call = Call(http_scope(method="HEAD"))
        assert await send_response(engine, call.send, Response(404, b"Not Found"), "HEAD") is None
        assert (call.answer.status, call.answer.body, call.answer.header("content-length")) == (404, b"", "9")

    @pytest.mark.parametrize("error", [OSError(), RuntimeError(), trio.BrokenResourceError(), AttributeError()])
    async def test_it_says_why_not(self, engine, autojump_clock, error):
        call = Call(http_scope())
        call.error = error
        assert await send_response(engine, call.send, Response(200), "GET") is CloseReason.TRANSPORT_ERROR

    async def test_a_send_that_can_be_cancelled_is(self, engine, autojump_clock):
        """hypercorn's over HTTP/2 is one, and the end of its connection doesn't free it."""

        async def send(what: object) -> None:
            await trio.sleep_forever()

        assert await send_response(engine, send, Response(200), "GET") is CloseReason.SLOW_CONSUMER
        await nothing_is_left(engine)
