"""One connection of the native front: its requests in order, its deadlines, and that nothing is left of it."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair

from tests.support.client import only_session, settle
from tests.support.engine import message, nothing_is_left, recorder
from tests.support.front import POLLING, FrontClient, http, running_front, upgrade
from trio_socketio import CloseReason, EngineConfig, Limits
from trio_socketio._serve.connection import FrontConnection
from trio_socketio._serve.link import LINGER
from trio_socketio._serve.stream_link import StreamLink


class NeverHalfClosed(trio.abc.Stream):
    """A stream that can't say an end, as TLS."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.send_all, self.receive_some, self.aclose = stream.send_all, stream.receive_some, stream.aclose

    async def send_all(self, data): ...
    async def receive_some(self, max_bytes=None): ...
    async def aclose(self): ...
    async def wait_send_all_might_not_block(self): ...


class TestExchanges:
    @pytest.mark.parametrize("kind", ["stream", "socket"])
    async def test_one_after_the_other(self, front, autojump_clock, kind):
        client = front.connect() if kind == "stream" else front.connect_socket()
        opened = await client.ask(http("GET", POLLING))
        assert opened.headers["content-type"] == "text/plain; charset=UTF-8"
        assert set(opened.headers) == {
            "content-type",
            "content-length",
            "cache-control",
            "x-content-type-options",
            "date",
            "vary",
        }
        target = f"{POLLING}&sid={opened.sid}"
        (session,) = front.engine.sessions.values()
        assert (await client.ask(http("POST", target, b"4hello"))).body == b"ok"
        session.send([message("one")])
        assert (await client.ask(http("GET", target))).body == b"4one"
        await client.send(http("GET", target))
        session.send([message("two")])
        assert (await client.answer()).body == b"4two"
        assert recorder(session).messages == ["hello"]
        assert session.request.client == "192.0.2.1"
        assert front.noted == [("GET", 200), ("POST", 200), ("GET", 200), ("GET", 200)]

    async def test_pipelined(self, front, autojump_clock):
        client = front.connect()
        target = await client.open_polling()
        only_session(front.engine).send([message("a")])
        await client.send(http("POST", target, b"4x") + http("GET", target) + http("POST", target, b"4y")[:-1])
        assert [(await client.answer()).body for _ in range(2)] == [b"ok", b"4a"]
        await client.send(b"z")
        assert (await client.answer()).body == b"ok"
        assert recorder(only_session(front.engine)).messages == ["x", "z"]

    async def test_pipelined_behind_a_held_poll(self, front, autojump_clock):
        client = front.connect()
        target = await client.open_polling()
        await client.send(http("GET", target), http("POST", target, b"4x"))
        session = only_session(front.engine)
        assert recorder(session).messages == []
        session.send([message("a")])
        assert [(await client.answer()).body for _ in range(2)] == [b"4a", b"ok"]

    @pytest.mark.parametrize(
        ("version", "connection", "expected"),
        [("1.1", None, None), ("1.1", "close", "close"), ("1.0", None, "close"), ("1.0", "keep-alive", "keep-alive")],
    )
    async def test_keep_alive(self, front, autojump_clock, version, connection, expected):
        client = front.connect()
        headers = {} if connection is None else {"connection": connection}
        answer = await client.ask(http("GET", POLLING, version=version, **headers))
        assert answer.status == 200
        assert answer.headers.get("connection") == expected
        if expected == "close":
            assert await client.rest() == b""
        else:
            await client.open_polling()

    async def test_head(self, front, autojump_clock):
        client = front.connect()
        refused = await client.ask(http("HEAD", POLLING), bodiless=True)
        assert (refused.status, int(refused.headers["content-length"]) > 0) == (400, True)
        await client.open_polling()

    async def test_a_chunked_body_ends_the_connection(self, front, autojump_clock):
        client = front.connect()
        target = await client.open_polling()
        answer = await client.ask(http("POST", target, transfer_encoding="chunked") + b"2\r\n4a\r\n0\r\n\r\n")
        assert (answer.body, answer.headers["connection"]) == (b"ok", "close")
        assert await client.rest() == b""
        assert recorder(only_session(front.engine)).messages == ["a"]

    @pytest.mark.parametrize("sid", ["&sid=unknown", ""])
    async def test_a_body_that_was_not_read_ends_the_connection(self, front, autojump_clock, sid):
        client = front.connect()
        answer = await client.ask(http("POST", POLLING + sid, content_length="1000") + http("GET", "/smuggled"))
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert await client.rest() == b""

    @pytest.mark.parametrize("sid", ["&sid=unknown", ""])
    async def test_a_body_that_is_there_goes_with_its_request(self, front, autojump_clock, sid):
        client = front.connect()
        for _ in range(2):
            answer = await client.ask(http("POST", POLLING + sid, http("GET", "/smuggled")))
            assert answer.status == 400
            assert "connection" not in answer.headers

    async def test_a_body_too_large(self, autojump_clock):
        async with running_front(limits=Limits(max_payload=1000)) as front:
            client = front.connect()
            answer = await client.ask(http("POST", await client.open_polling(), content_length="1001") + b"4")
            assert (answer.status, answer.headers["connection"]) == (413, "close")
            assert await client.rest() == b""
            await nothing_is_left(front.engine)

    async def test_bad_chunks(self, front, autojump_clock):
        client = front.connect()
        target = await client.open_polling()
        answer = await client.ask(http("POST", target, transfer_encoding="chunked") + b"z\r\n")
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        await nothing_is_left(front.engine)

    async def test_a_prefix_that_a_proxy_leaves_on(self, autojump_clock):
        async with running_front(root_path="/prefix", date=False) as front:
            client = front.connect()
            answer = await client.ask(http("GET", "/prefix" + POLLING))
            assert (answer.status, "date" in answer.headers) == (200, False)
            assert only_session(front.engine).request.path == "/socket.io/"


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "status"),
        [
            (b"BREW / HTTP/1.1\r\n", 501),
            (http("GET", "/" + "a" * 10_000), 414),
            (http("GET", "/", x="a" * 20_000), 431),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/2.0\r\n\r\n", 505),
            (http("GET", "/other"), 404),
            (http("GET", "/socket.iox/?EIO=4&transport=polling"), 404),
        ],
    )
    async def test_answered_and_closed(self, front, autojump_clock, data, status):
        client = front.connect()
        answer = await client.ask(data)
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert await client.rest() == b""
        await settle()
        assert front.ended_at == []
        await client.stream.aclose()
        await settle()
        assert front.ended_at == [0]

    async def test_a_refused_client_that_stays(self, front, autojump_clock):
        client = front.connect()
        await client.ask(b"BREW / HTTP/1.1\r\n")
        await trio.sleep(10)
        assert front.ended_at == [LINGER]

    async def test_engine_refusals(self, front, autojump_clock):
        client = front.connect()
        for target, code in ((POLLING + "&sid=x", 1), ("/socket.io/?EIO=3&transport=polling", 5), ("/socket.io/", 0)):
            answer = await client.ask(http("GET", target))
            assert (answer.status, json.loads(answer.body)["code"]) == (400, code)
        assert (await client.ask(http("GET", POLLING, origin="http://evil"))).status == 403
        assert "connection" not in answer.headers

    async def test_a_fault_in_the_engine_costs_one_connection(self, autojump_clock, caplog):
        def fault(session):
            raise RuntimeError("a fault of ours")

        async with running_front() as front:
            client, other = front.connect(), front.connect()
            front.engine._files = fault
            await client.send(http("GET", POLLING))
            assert await client.rest() == b""
            front.engine._files = None
            await other.open_polling()
        assert "a connection ended by a fault of the server" in caplog.text
        assert "a fault of ours" in caplog.text


class TestDeadlines:
    async def test_one_that_fails_costs_one_connection(self, front, autojump_clock, caplog, monkeypatch):
        def fail(self):
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(FrontConnection, "_be_late", fail)
        client = front.connect()
        await client.send(b"G")
        assert await client.rest() == b""
        assert front.ended_at == [10]
        assert "a fault of ours" in caplog.text

    @pytest.mark.parametrize("kind", ["stream", "socket"])
    async def test_a_head_that_does_not_end(self, front, autojump_clock, kind):
        client = front.connect() if kind == "stream" else front.connect_socket()
        await trio.sleep(5)
        for byte in b"GET /":
            await client.stream.send_all(bytes([byte]))
            await trio.sleep(1.9)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert await client.rest() == b""
        assert front.ended_at == [15]

    async def test_a_late_client_that_does_not_read(self, front, autojump_clock):
        client = front.connect(lockstep_stream_pair)
        await client.send(b"G")
        await trio.sleep(20)
        assert front.ended_at == [11]

    async def test_each_head_has_its_own_time(self, front, autojump_clock):
        client = front.connect()
        for _ in range(3):
            data = http("GET", POLLING)
            await client.send(data[:5])
            await trio.sleep(9)
            await client.send(data[5:])
            assert (await client.answer()).status == 200
            await trio.sleep(55)

    @pytest.mark.parametrize("said", [b"", b"\r\n"])
    async def test_one_that_says_nothing(self, front, autojump_clock, said):
        client = front.connect()
        await client.send(said)
        assert await client.rest() == b""
        assert front.ended_at == [60]

    async def test_idle_behind_an_answer(self, autojump_clock):
        async with running_front(keep_alive=7) as front:
            client = front.connect()
            await trio.sleep(6)
            await client.open_polling()
            assert await client.rest() == b""
            assert front.ended_at == [13]

    async def test_a_head_that_begins_in_the_last_moment_has_its_time(self, front, autojump_clock):
        client = front.connect()
        data = http("GET", POLLING)
        await trio.sleep(59)
        await client.send(data[:5])
        await trio.sleep(9)
        await client.send(data[5:])
        assert (await client.answer()).status == 200

    async def test_a_held_poll_is_not_idle(self, front, autojump_clock):
        client = front.connect()
        target = await client.open_polling()
        await client.send(http("GET", target))
        await trio.sleep(1000)
        only_session(front.engine).send([message("a")])
        assert (await client.answer()).body == b"4a"

    async def test_a_bad_head_in_the_last_moment_is_answered_once(self, front, autojump_clock):
        ours, theirs = memory_stream_pair()
        front.serve(StreamLink(NeverHalfClosed(theirs), None))
        client = FrontClient(ours)
        await client.send(b"B")
        await trio.sleep(9.5)
        assert (await client.ask(b"REW / HTTP/1.1\r\n")).status == 501
        assert await client.rest() == b""
        assert front.ended_at == [10.5]

    async def test_tls_that_does_not_come(self, front, tls, autojump_clock):
        _, theirs = memory_stream_pair()
        front.serve(StreamLink(trio.SSLStream(theirs, tls[0], server_side=True), None))
        await trio.sleep(20)
        assert front.ended_at == [10]

    async def test_an_answer_that_is_not_taken(self, front, autojump_clock):
        client = front.connect(lockstep_stream_pair)
        await client.send(http("GET", POLLING))
        session = only_session(front.engine)
        await trio.sleep(20)
        # Nobody knows its sid: it ends by itself. The connection has ended.
        assert front.ended_at == [10]
        session.close(CloseReason.FORCED_SERVER_CLOSE)

    async def test_a_poll_that_is_not_taken(self, autojump_clock):
        async with running_front(limits=Limits(write_deadline=3)) as front:
            target = await front.connect().open_polling()
            session, client = only_session(front.engine), front.connect(lockstep_stream_pair)
            await client.send(http("GET", target))
            session.send([message("a")])
            await trio.sleep(10)
            assert recorder(session).reasons == [CloseReason.SLOW_CONSUMER]
            assert recorder(session).closed_at == 3
            await nothing_is_left(front.engine)

    async def test_a_poll_that_is_taken_bit_by_bit(self, autojump_clock):
        async with running_front() as front:
            target = await front.connect().open_polling()
            session, client = only_session(front.engine), front.connect_socket(4096)
            session.send([message("a" * 100_000)])
            await client.send(http("GET", target))
            await trio.sleep(9)
            assert len((await client.answer()).body) == 100_001
            assert recorder(session).reasons == []
            await client.stream.aclose()


class TestClosing:
    async def test_idle_ones_at_once(self, front, autojump_clock):
        fresh, used, begun = (front.connect() for _ in range(3))
        await used.open_polling()
        await begun.send(b"GET")
        front.site.close()
        assert [await client.rest() for client in (fresh, used, begun)] == [b""] * 3
        assert front.ended_at == [0] * 3

    async def test_others_after_their_answer(self, front, autojump_clock):
        client = front.connect()
        await client.send(http("GET", await client.open_polling()) + http("GET", POLLING))
        front.site.close()
        only_session(front.engine).send([message("a")])
        answer = await client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"4a", "close")
        assert await client.rest() == b""
        assert front.noted == [("GET", 200)] * 2

    async def test_new_ones(self, front, autojump_clock):
        front.site.close()
        assert await front.connect().rest() == b""


class TestGone:
    @pytest.mark.parametrize("kind", ["stream", "socket"])
    async def test_during_a_held_poll(self, front, autojump_clock, kind):
        client = front.connect() if kind == "stream" else front.connect_socket()
        await client.send(http("GET", await client.open_polling()))
        session = only_session(front.engine)
        await client.stream.aclose()
        await settle()
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
        await nothing_is_left(front.engine)

    @pytest.mark.parametrize("framing", [{"content_length": "5"}, {"transfer_encoding": "chunked"}])
    async def test_in_the_middle_of_a_body(self, front, autojump_clock, framing):
        client = front.connect()
        await client.send(http("POST", await client.open_polling(), **framing) + b"4")
        session = only_session(front.engine)
        await client.stream.aclose()
        await settle()
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
        await nothing_is_left(front.engine)

    async def test_before_the_answer(self, front, autojump_clock):
        client, broken = front.connect(), front.connect(lockstep_stream_pair)
        target = await client.open_polling()
        session = only_session(front.engine)
        session.send([message("a")])
        await broken.send(http("GET", target))
        await broken.stream.aclose()
        await settle()
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]

    @pytest.mark.parametrize("request_", [http("GET", POLLING), upgrade()])
    async def test_while_the_application_decides(self, autojump_clock, request_):
        cancelled = []

        async def allow_request(request):
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                cancelled.append(trio.current_time())
                raise

        async with running_front(EngineConfig(allow_request=allow_request)) as front:
            client = front.connect()
            await client.send(request_ + b"pipelined")
            await trio.sleep(3)
            await client.stream.aclose()
            await settle()
            assert cancelled == [3]
            assert front.ended_at == [3]
            await nothing_is_left(front.engine)

    @pytest.mark.parametrize("kind", ["stream", "socket"])
    async def test_a_server_that_is_cancelled(self, autojump_clock, kind):
        async with running_front() as front:
            client = front.connect() if kind == "stream" else front.connect_socket()
            await client.send(http("GET", await client.open_polling()))
            front.cancel()
            assert await client.rest() == b""
            assert front.is_idle
