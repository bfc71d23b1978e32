"""Long-polling: who gets what, what may not overlap, and how long a body may take."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import http, open_polling, open_stream, poll, post, request, settle
from tests.support.engine import POLLING, SlowBody, ask, message, nothing_is_left, recorder, running_engine
from trio_socketio import CloseReason, Limits
from trio_socketio._engine.http import BodyTooLarge
from trio_socketio._engine.polling import PollingTransport

BAD_REQUEST = (400, b'{"code":3,"message":"Bad request"}')
UNKNOWN = (400, b'{"code":1,"message":"Session ID unknown"}')


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine() as engine:
        yield engine


def upgrade_of(query: str) -> str:
    return query.replace("polling", "websocket")


async def result(awaitable) -> tuple[int, bytes]:
    response = await awaitable
    return response.status, response.body


class TestWhoGetsWhat:
    """The table at the head of the module, row by row."""

    async def test_packets_wait(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        session.send([message("a")])
        session.send([message(b"\1\2"), message("é")])
        response = await poll(engine, query)
        assert (response.status, response.body) == (200, "4a\x1ebAQI=\x1e4é".encode())
        assert response.content_type == "text/plain; charset=UTF-8"
        # And one that is held gets what comes, at once.
        asked = await ask(nursery, engine, "GET", query)
        assert asked.answer is None
        await trio.sleep(5)
        session.send([message("b")])
        await settle()
        assert (asked.result, asked.at) == ((200, b"4b"), 5)

    async def test_all_that_waits_comes_in_one_answer(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        for number in range(5):
            session.send([message(str(number))])
        await settle()
        assert asked.result == (200, b"\x1e".join(b"4%d" % number for number in range(5)))

    async def test_the_server_closes_the_session_and_a_get_is_held(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        session.send([message("a")])
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await settle()
        # Apart from the CLOSE: the official client drops what stands in front of one.
        assert asked.result == (200, b"4a")
        assert await result(poll(engine, query)) == (200, b"6\x1e1")
        assert recorder(session).reasons == [CloseReason.SERVER_SHUTTING_DOWN]
        await nothing_is_left(engine)

    async def test_the_server_closes_and_nothing_waits(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await settle()
        assert asked.result == (200, b"1")

    async def test_the_server_closes_and_the_get_comes_later(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await trio.sleep(5)
        assert await result(poll(engine, query)) == (200, b"6\x1e1")
        assert recorder(session).reasons == [CloseReason.SERVER_SHUTTING_DOWN]
        assert await result(poll(engine, query)) == UNKNOWN

    async def test_the_server_closes_with_packets_and_the_get_comes_later(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        session.send([message("a")])
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await trio.sleep(5)
        assert await result(poll(engine, query)) == (200, b"4a")
        assert await result(poll(engine, query)) == (200, b"6\x1e1")

    async def test_the_server_closes_and_no_get_comes(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        session.send([message("a")])
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await trio.sleep(100)
        assert recorder(session).closed_at == 10
        assert await result(poll(engine, query)) == UNKNOWN

    @pytest.mark.parametrize(("reason", "body"), [
        (CloseReason.PING_TIMEOUT, b"1"),
        (CloseReason.FORCED_CLOSE, b"1"),
        (CloseReason.PARSE_ERROR, b"1"),
        (CloseReason.TRANSPORT_CLOSE, b"6"),
    ])  # fmt: skip
    async def test_the_session_is_dead(self, engine, nursery, autojump_clock, reason, body):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        session.send([message("too late")])
        session.close(reason)
        await settle()
        assert asked.result == (200, body)
        assert await result(poll(engine, query)) == UNKNOWN

    async def test_the_session_has_upgraded(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        async with open_stream(engine, upgrade_of(query)) as client:
            await client.put("5")
            session.send([message("by WebSocket")])
            assert asked.result == BAD_REQUEST
            assert await client.get() == "4by WebSocket"
            assert await result(poll(engine, query)) == BAD_REQUEST
            assert await result(post(engine, query, b"4x")) == BAD_REQUEST
            assert session.close_reason is None

    async def test_an_upgrade_is_on_its_way(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        held = await ask(nursery, engine, "GET", query)
        async with open_stream(engine, upgrade_of(query)) as client:
            await trio.sleep(3)
            assert held.answer is None, "before the probe nothing changes"
            await client.put("2probe")
            assert await client.get() == "3probe"
            began = trio.current_time()
            await trio.sleep(1)
            assert (held.result, held.at) == ((200, b"6"), pytest.approx(began + 0.1))
            began = trio.current_time()
            assert await result(poll(engine, query)) == (200, b"6")
            assert trio.current_time() == pytest.approx(began + 0.1)
            # What there is to say is still said on polling.
            session.send([message("a")])
            assert await result(poll(engine, query)) == (200, b"4a")
            held = await ask(nursery, engine, "GET", query)
            session.send([message("b")])
            await settle()
            assert held.result == (200, b"4b")
        # The probe has failed: GETs are held again.
        began = trio.current_time()
        held = await ask(nursery, engine, "GET", query)
        await trio.sleep(5)
        session.send([message("c")])
        await settle()
        assert (held.result, held.at) == ((200, b"4c"), began + 5)

    async def test_the_client_gave_it_up(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        asked.give_up()
        await settle()
        assert asked.answer is None
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
        await nothing_is_left(engine)

    async def test_a_poll_cancelled_with_packets_in_hand_loses_none_and_doubles_none(
        self, engine, nursery, autojump_clock
    ):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        session.send([message("a")])
        asked.give_up()
        await settle()
        # It has its answer, or the session is over: never one that goes on without what was in hand.
        if asked.answer is None:
            assert session.close_reason is CloseReason.TRANSPORT_ERROR
        else:
            assert (asked.result, session.close_reason) == ((200, b"4a"), None)


class TestOverlap:
    async def test_a_second_get(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        first = await ask(nursery, engine, "GET", query)
        assert await result(poll(engine, f"{query}&t=other")) == (400, b"")
        await settle()
        assert first.result == (200, b"1")
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
        await nothing_is_left(engine)

    async def test_a_second_get_while_the_first_is_being_answered(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        first = await ask(nursery, engine, "GET", query)
        session.send([message("a")])
        assert await result(poll(engine, query)) == (400, b"")
        await settle()
        assert first.result == (200, b"1")

    async def test_gets_one_after_the_other(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        for number in range(3):
            asked = await ask(nursery, engine, "GET", query)
            session.send([message(str(number))])
            await settle()
            assert asked.result == (200, b"4%d" % number)

    async def test_a_second_post(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        body = SlowBody()
        answers = []

        async def first():
            answers.append(await engine.handle_http(request(query, "POST"), body.read))

        nursery.start_soon(first)
        await settle()
        body.parts.send_nowait(b"4never")
        assert await result(post(engine, query, b"4second")) == (400, b"")
        await settle()
        assert [(answer.status, answer.body) for answer in answers] == [(400, b"")]
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
        assert recorder(session).messages == []
        await nothing_is_left(engine)

    async def test_a_get_and_a_post(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        for number in range(3):
            assert await result(post(engine, query, b"4%d" % number)) == (200, b"ok")
        assert asked.answer is None
        assert recorder(session).messages == ["0", "1", "2"]

    async def test_a_second_post_while_the_first_waits_for_its_handler(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        recorder(session).busy = trio.Event()
        first = await ask(nursery, engine, "POST", query, b"4a\x1e4b")
        assert first.answer is None
        assert await result(post(engine, query, b"4c")) == (400, b"")
        await settle()
        assert first.result == (400, b"")
        assert recorder(session).messages == ["a"]
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]


class TestPost:
    async def test_messages(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        response = await post(engine, query, "4a\x1ebAQI=\x1e4é".encode())
        assert (response.status, response.body, response.content_type) == (200, b"ok", "text/html")
        assert recorder(session).messages == ["a", b"\1\2", "é"]

    async def test_a_handler_that_has_no_room_holds_up_the_answer(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        handler = recorder(session)
        handler.busy = trio.Event()
        asked = await ask(nursery, engine, "POST", query, b"4a\x1e4b")
        await trio.sleep(300)
        assert (asked.answer, handler.messages, handler.reasons) == (None, ["a"], [])
        handler.busy.set()
        await settle()
        assert (asked.result, handler.messages) == ((200, b"ok"), ["a", "b"])

    async def test_a_long_payload_lets_others_in(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        turns = []

        async def other():
            while True:
                turns.append(len(recorder(session).messages))
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as others:
            others.start_soon(other)
            await trio.lowlevel.checkpoint()
            assert (await post(engine, query, b"\x1e".join([b"4x"] * 1000))).status == 200
            others.cancel_scope.cancel()
        assert len({count for count in turns if 0 < count < 1000}) >= 10

    @pytest.mark.parametrize("body", [b"", b"abc", b"4a\x1e", b"\x1e4a", b"4a\x1e9", b"b?", b"4\xff", b"4a\x1eb?"])
    async def test_what_is_no_payload(self, engine, nursery, autojump_clock, body):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        assert await result(post(engine, query, body)) == BAD_REQUEST
        await settle()
        assert asked.result == (200, b"1")
        assert recorder(session).reasons == [CloseReason.PARSE_ERROR]
        assert recorder(session).messages == [], "nothing of it is delivered"

    async def test_too_many_packets(self, autojump_clock):
        async with running_engine(limits=Limits(max_packets_per_payload=3)) as engine:
            query, session = await open_polling(engine)
            assert await result(post(engine, query, b"4a\x1e4b\x1e4c")) == (200, b"ok")
            assert await result(post(engine, query, b"4a\x1e4b\x1e4c\x1e4d")) == BAD_REQUEST
            assert recorder(session).messages == ["a", "b", "c"]
            assert recorder(session).reasons == [CloseReason.PARSE_ERROR]

    async def test_a_ping_of_the_client(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        assert await result(post(engine, query, b"4a\x1e2\x1e4b")) == BAD_REQUEST
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
        assert recorder(session).messages == ["a"]

    async def test_a_message_against_the_protocol_above(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        assert (await post(engine, query, b"4refuse me\x1e4b")).status == 400
        assert recorder(session).reasons == [CloseReason.FORCED_CLOSE]
        assert recorder(session).messages == ["refuse me"]

    @pytest.mark.parametrize("packet", [b"0", b"5", b"6", b"3probe"])
    async def test_packets_that_mean_nothing_here(self, engine, autojump_clock, packet):
        query, session = await open_polling(engine)
        assert await result(post(engine, query, packet)) == (200, b"ok")
        assert session.close_reason is None

    @pytest.mark.parametrize("kind", ["application/octet-stream", "Application/Octet-Stream; x=y"])
    async def test_bytes(self, engine, autojump_clock, kind):
        query, session = await open_polling(engine)

        async def unread(limit):
            raise AssertionError("it must not be read")

        response = await engine.handle_http(request(query, "POST", {"content-type": kind}), unread)
        assert (response.status, response.body) == BAD_REQUEST
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]

    async def test_close(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        asked = await ask(nursery, engine, "GET", query)
        assert await result(post(engine, query, b"4a\x1e1\x1e4b")) == (200, b"ok")
        await settle()
        assert asked.result == (200, b"6")
        assert recorder(session).messages == ["a"]
        assert recorder(session).reasons == [CloseReason.TRANSPORT_CLOSE]
        await nothing_is_left(engine)

    async def test_close_and_a_get_at_the_same_time(self, engine, autojump_clock):
        for _ in range(10):
            query, session = await open_polling(engine)
            answers = {}

            async def send(method, body, query=query, answers=answers):
                answers[method] = await result(http(engine, method, query, body))

            async with trio.open_nursery() as both:
                both.start_soon(send, "POST", b"1")
                both.start_soon(send, "GET", b"")
            assert answers == {"POST": (200, b"ok"), "GET": (200, b"6")}
            assert recorder(session).reasons == [CloseReason.TRANSPORT_CLOSE]

    async def test_while_the_server_closes_it_is_taken_and_dropped(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        assert await result(post(engine, query, b"4late")) == (200, b"ok")
        assert recorder(session).messages == []


class TestSize:
    async def test_announced(self, engine, autojump_clock):
        query, session = await open_polling(engine)

        async def unread(limit):
            raise AssertionError("it must not be read")

        response = await engine.handle_http(request(query, "POST", {"content-length": "1000001"}), unread)
        assert (response.status, response.body) == (413, b"")
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
        await nothing_is_left(engine)

    async def test_found_out(self, engine, autojump_clock):
        query, session = await open_polling(engine)

        async def too_large(limit):
            assert limit == 1_000_000
            raise BodyTooLarge

        response = await engine.handle_http(request(query, "POST"), too_large)
        assert (response.status, response.body) == (413, b"")
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]

    async def test_the_largest(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        assert (await post(engine, query, b"4" + b"x" * 999_999)).status == 200
        assert len(recorder(session).messages[0]) == 999_999


class TestDeadline:
    @pytest.mark.parametrize(("length", "seconds"), [
        (None, 30), ("0", 10), ("65536", 11), ("655360", 20), ("1000000", 10 + 1_000_000 / 65_536),
    ])  # fmt: skip
    async def test_to_the_tick(self, autojump_clock, nursery, length, seconds):
        limits = Limits(max_payload=10_000_000)
        async with running_engine(limits=limits) as engine:
            query, session = await open_polling(engine)
            headers = {} if length is None else {"content-length": length}
            response = await engine.handle_http(request(query, "POST", headers), SlowBody().read)
            assert (response.status, response.body) == (408, b"")
            assert trio.current_time() == pytest.approx(seconds, abs=1e-6)
            assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
            await nothing_is_left(engine)

    async def test_its_bound(self, autojump_clock):
        limits = Limits(max_payload=100_000_000, post_deadline=30)
        async with running_engine(limits=limits) as engine:
            query, _ = await open_polling(engine)
            await engine.handle_http(request(query, "POST", {"content-length": "99999999"}), SlowBody().read)
            assert trio.current_time() == 30

    async def test_its_session_ends_meanwhile(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        answers = []

        async def send():
            answers.append(await result(engine.handle_http(request(query, "POST"), SlowBody().read)))

        nursery.start_soon(send)
        await trio.sleep(3)
        session.close(CloseReason.FORCED_SERVER_CLOSE)
        await settle()
        assert (answers, trio.current_time()) == ([(400, b"")], 3)
        assert recorder(session).reasons == [CloseReason.FORCED_SERVER_CLOSE]

    async def test_one_that_comes_in_time(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        body = SlowBody()
        answers = []

        async def send():
            answers.append(await engine.handle_http(request(query, "POST", {"content-length": "3"}), body.read))

        nursery.start_soon(send)
        await trio.sleep(9.9)
        body.parts.send_nowait(b"4ab")
        body.parts.close()
        await settle()
        assert answers[0].status == 200
        assert recorder(session).messages == ["ab"]

    async def test_a_post_that_is_given_up(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        with trio.move_on_after(1):
            await engine.handle_http(request(query, "POST"), SlowBody().read)
        # The next one is not taken for an overlap.
        assert (await post(engine, query, b"4a")).status == 200
        assert recorder(session).messages == ["a"]


class TestTransport:
    async def test_name_and_writable(self, engine, nursery, autojump_clock):
        query, session = await open_polling(engine)
        transport = session.transport
        assert isinstance(transport, PollingTransport)
        assert (transport.name, transport.writable) == ("polling", False)
        transport.wake()
        session.send_volatile([message("nobody polls")])
        asked = await ask(nursery, engine, "GET", query)
        assert transport.writable
        transport.wake()
        await settle()
        assert asked.answer is None, "there was nothing to say"
        session.send_volatile([message("now")])
        await settle()
        assert asked.result == (200, b"4now")
        assert not transport.writable

    async def test_other_methods(self, engine, autojump_clock):
        query, session = await open_polling(engine)
        for method in ("PUT", "DELETE", "HEAD", "OPTIONS"):
            assert await result(http(engine, method, query)) == (500, b"")
        assert session.close_reason is None

    async def test_an_unknown_session(self, engine, autojump_clock):
        for method in ("GET", "POST", "PUT"):
            assert await result(http(engine, method, f"{POLLING}&sid=unknown")) == UNKNOWN
