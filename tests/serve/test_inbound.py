"""What a connection receives: heads, bodies, and that its client has gone."""

from __future__ import annotations

import pytest
import trio
from trio.testing import memory_stream_pair

from tests.support.client import settle
from tests.support.front import http
from trio_socketio import Limits
from trio_socketio._engine.http import BodyTooLarge, ClientGone
from trio_socketio._serve.http1 import BadRequest
from trio_socketio._serve.inbound import CONTINUE, Inbound
from trio_socketio._serve.stream_link import StreamLink

CHUNKED = {"transfer_encoding": "chunked"}


class Side:
    """The receiving side of a connection, and its client."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.client, theirs = memory_stream_pair()
        self.link = StreamLink(theirs, None)
        self.inbound = Inbound(self.link, limits or Limits())
        self.begun_at: list[float] = []

    async def head(self):
        return await self.inbound.head(lambda: self.begun_at.append(trio.current_time()))

    async def send_slowly(self, data: bytes) -> None:
        for at in range(len(data)):
            await trio.sleep(1)
            await self.client.send_all(data[at : at + 1])

    async def body_of(self, *pieces: bytes, limit: int = 1000) -> bytes:
        """Read a request's head and body."""
        await self.client.send_all(pieces[0])
        body = self.inbound.body(await self.head())
        for piece in pieces[1:]:
            await self.client.send_all(piece)
        return await body.read(limit)


@pytest.fixture
def side():
    return Side()


class TestHeads:
    async def test_pipelined(self, side, autojump_clock):
        await side.client.send_all(http("GET", "/1") + http("GET", "/2") + b"the rest")
        assert [(await side.head()).path for _ in range(2)] == ["/1", "/2"]
        assert side.inbound.pending == b"the rest"
        assert side.begun_at == []

    async def test_begun_is_told_once_at_its_first_byte(self, side, nursery, autojump_clock):
        data = http("GET", "/1")
        nursery.start_soon(side.send_slowly, data)
        assert (await side.head()).path == "/1"
        assert side.begun_at == [1]
        assert trio.current_time() == len(data)

    async def test_empty_lines_begin_nothing(self, side, nursery, autojump_clock):
        nursery.start_soon(side.send_slowly, b"\r\n\r\n" + http("GET", "/1"))
        await side.head()
        assert side.begun_at == [5]

    async def test_begun_by_what_is_pending(self, side, nursery, autojump_clock):
        await side.client.send_all(http("GET", "/1") + b"GET")
        await side.head()
        nursery.start_soon(side.send_slowly, http("GET", "/2")[3:])
        assert (await side.head()).path == "/2"
        assert side.begun_at == [0]

    @pytest.mark.parametrize("said", [b"", b"\r\n", b"GET / HTT", http("GET", "/")[:-1]])
    async def test_the_client_goes(self, side, said):
        await side.client.send_all(said)
        await side.client.aclose()
        assert await side.head() is None

    async def test_bad(self, side):
        await side.client.send_all(b"BREW / HTTP/1.1\r\n")
        with pytest.raises(BadRequest):
            await side.head()

    async def test_the_limits_are_the_servers(self):
        side = Side(Limits(max_target=5))
        await side.client.send_all(http("GET", "/12345"))
        with pytest.raises(BadRequest) as refusal:
            await side.head()
        assert refusal.value.status == 414


class TestBodies:
    async def test_none(self, side):
        await side.client.send_all(http("GET", "/") + b"next")
        body = side.inbound.body(await side.head())
        assert body.is_complete
        assert await body.read(0) == b""
        assert side.inbound.pending == b"next"

    async def test_by_length(self, side):
        assert await side.body_of(http("POST", "/", b"abc") + b"next") == b"abc"
        assert side.inbound.pending == b"next"

    async def test_by_length_in_pieces(self, side, nursery, autojump_clock):
        data = http("POST", "/", b"abcdef")
        await side.client.send_all(data[:-4])
        body = side.inbound.body(await side.head())
        assert not body.is_complete
        nursery.start_soon(side.send_slowly, data[-4:])
        assert await body.read(6) == b"abcdef"
        assert body.is_complete
        assert trio.current_time() == 4

    async def test_in_chunks(self, side):
        assert await side.body_of(http("POST", "/", **CHUNKED), b"1\r\na\r\n", b"2\r\nbc\r\n0\r\n\r\n") == b"abc"

    async def test_in_chunks_along_with_the_head(self, side):
        assert await side.body_of(http("POST", "/", **CHUNKED) + b"1\r\na\r\n0\r\n\r\n") == b"a"
        assert side.inbound.pending == b""

    @pytest.mark.parametrize(
        "piece", [http("POST", "/", b"abc"), http("POST", "/", **CHUNKED) + b"3\r\nabc\r\n0\r\n\r\n"]
    )
    async def test_too_large(self, piece):
        assert await Side().body_of(piece, limit=3) == b"abc"
        side = Side()
        with pytest.raises(BodyTooLarge):
            await side.body_of(piece, limit=2)

    async def test_too_large_is_known_before_it_comes(self, side):
        with pytest.raises(BodyTooLarge):
            await side.body_of(http("POST", "/", content_length="1000000"), limit=2)

    async def test_not_read_it_is_not_complete(self, side):
        await side.client.send_all(http("POST", "/", b"abc"))
        body = side.inbound.body(await side.head())
        with pytest.raises(BodyTooLarge):
            await body.read(2)
        assert not body.is_complete

    async def test_bad_chunks(self, side):
        with pytest.raises(BadRequest):
            await side.body_of(http("POST", "/", **CHUNKED), b"z\r\n")

    @pytest.mark.parametrize("piece", [http("POST", "/", content_length="5"), http("POST", "/", **CHUNKED)])
    @pytest.mark.parametrize("part", [b"", b"1\r\n"])
    async def test_the_client_goes_in_the_middle(self, side, piece, part):
        await side.client.send_all(piece)
        body = side.inbound.body(await side.head())
        await side.client.send_all(part)
        await side.client.aclose()
        with pytest.raises(ClientGone):
            await body.read(10)
        assert not body.is_complete

    async def test_cancelled(self, side, autojump_clock):
        await side.client.send_all(http("POST", "/", b"abc")[:-1])
        body = side.inbound.body(await side.head())
        with trio.move_on_after(1) as scope:
            await body.read(10)
        assert scope.cancelled_caught
        assert not body.is_complete


class TestContinue:
    @pytest.mark.parametrize("value", ["100-continue", "100-Continue"])
    @pytest.mark.parametrize("framing", [{"content_length": "3"}, CHUNKED])
    async def test_it_is_said_when_the_body_is_wanted(self, side, nursery, autojump_clock, value, framing):
        await side.client.send_all(http("POST", "/", expect=value, **framing))
        body = side.inbound.body(await side.head())
        bodies = []

        async def read():
            bodies.append(await body.read(10))

        nursery.start_soon(read)
        assert await side.client.receive_some() == CONTINUE
        await side.client.send_all(b"abc" if "content_length" in framing else b"3\r\nabc\r\n0\r\n\r\n")
        await settle()
        assert bodies == [b"abc"]

    async def test_not_if_the_client_has_not_waited(self, side, autojump_clock):
        assert await side.body_of(http("POST", "/", b"abc", expect="100-continue")) == b"abc"
        await side.link.aclose()
        assert await side.client.receive_some() == b""

    @pytest.mark.parametrize("options", [{"content_length": "11"}, {"content_length": "0"}, {}])
    async def test_not_if_none_is_wanted(self, side, autojump_clock, options):
        await side.client.send_all(http("POST", "/", expect="100-continue", **options))
        body = side.inbound.body(await side.head())
        try:
            await body.read(10)
        except BodyTooLarge:
            pass
        await side.link.aclose()
        assert await side.client.receive_some() == b""

    async def test_nothing_for_other_expectations(self, side, autojump_clock):
        await side.body_of(http("POST", "/", expect="miracles", content_length="3"), b"abc")
        await side.link.aclose()
        assert await side.client.receive_some() == b""


class TestGone:
    async def test_what_is_said_before_is_kept(self, side, nursery, autojump_clock):
        side.inbound.pending = b"1"
        gone = trio.Event()

        async def wait():
            await side.inbound.wait_gone()
            gone.set()

        nursery.start_soon(wait)
        for piece in (b"2", b"3"):
            await side.client.send_all(piece)
            await settle()
        assert not gone.is_set()
        await side.client.aclose()
        await settle()
        assert gone.is_set()
        assert side.inbound.pending == b"123"

    async def test_cancelled_it_has_lost_nothing(self, side, autojump_clock):
        await side.client.send_all(http("GET", "/next"))
        with trio.move_on_after(1) as scope:
            await side.inbound.wait_gone()
        assert scope.cancelled_caught
        assert (await side.head()).path == "/next"

    async def test_who_says_more_than_may_be_kept_counts_as_gone(self, autojump_clock):
        side = Side(Limits(max_head=100))
        for _ in range(10):
            await side.client.send_all(bytes(100))
        with trio.fail_after(1):
            await side.inbound.wait_gone()
        # One piece more than it may be: what is behind it stays with the kernel.
        assert 100 < len(side.inbound.pending) <= 1000


class TestHold:
    @pytest.mark.parametrize("releases", [1, 2])
    async def test_released(self, side, nursery, autojump_clock, releases):
        hold = side.inbound.new_hold()
        released_at = []

        async def wait():
            await hold.wait()
            released_at.append(trio.current_time())

        nursery.start_soon(wait)
        await trio.sleep(1)
        for _ in range(releases):
            hold.release()
        await settle()
        assert released_at == [1]

    async def test_released_before_the_wait(self, side, autojump_clock):
        hold = side.inbound.new_hold()
        hold.release()
        await hold.wait()
        assert trio.current_time() == 0

    async def test_the_client_goes(self, side, autojump_clock):
        hold = side.inbound.new_hold()

        async def wait():
            with pytest.raises(ClientGone):
                await hold.wait()

        async with trio.open_nursery() as waiting:
            waiting.start_soon(wait)
            await settle()
            await side.client.aclose()

    async def test_the_client_has_gone_already(self, side, autojump_clock):
        await side.client.aclose()
        with pytest.raises(ClientGone):
            await side.inbound.new_hold().wait()

    async def test_pipelined_bytes_are_kept(self, side, nursery, autojump_clock):
        hold = side.inbound.new_hold()
        nursery.start_soon(hold.wait)
        data = http("GET", "/next")
        for piece in (data[:5], data[5:]):
            await side.client.send_all(piece)
            await settle()
        hold.release()
        await settle()
        assert (await side.head()).path == "/next"

    async def test_cancelled(self, side, autojump_clock):
        with trio.move_on_after(1) as scope:
            await side.inbound.new_hold().wait()
        assert scope.cancelled_caught

    async def test_each_is_for_one_wait(self, side, autojump_clock):
        first, second = side.inbound.new_hold(), side.inbound.new_hold()
        first.release()
        await first.wait()
        with trio.move_on_after(1) as scope:
            await second.wait()
        assert scope.cancelled_caught
