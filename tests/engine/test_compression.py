"""The compression of answers: which, for whom, and that nothing is lost by it."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest
import trio

from tests.support.client import open_polling, request, settle
from tests.support.engine import POLLING, ask, message, recorder, running_engine
from trio_socketio import CloseReason, EngineConfig, HTTPCompression, Limits
from trio_socketio._engine.compression import SLICE, Compressor
from trio_socketio._engine.http import Response
from trio_socketio._wire.engine_packet import EnginePacket, PacketType

GZIP = {"accept-encoding": "gzip"}
LARGE = 20 * SLICE


def text(size: int) -> str:
    """Text as it is sent in events: with repetitions, but not too many."""
    rng = random.Random(1)
    return "".join(f"{rng.randrange(10**6):06} " for _ in range(size // 7 + 1))[:size]


def decoded(response: Response) -> bytes:
    match dict(response.headers).get("content-encoding"):
        case "gzip":
            return gzip.decompress(response.body)
        case "deflate":
            return zlib.decompress(response.body)
        case None:
            return response.body


def headers_of(response: Response) -> dict[str, str]:
    return dict(response.header_list())


async def compressed(
    response: Response, accepted: str | None = "gzip", method: str = "GET", level: int = 4
) -> Response:
    fields = {} if accepted is None else {"accept-encoding": accepted}
    return await Compressor(HTTPCompression(level=level)).compressed(request(POLLING, method, fields), response)


class TestSettings:
    def test_defaults(self):
        assert EngineConfig().http_compression is None
        assert (HTTPCompression().threshold, HTTPCompression().level) == (1024, 4)

    @pytest.mark.parametrize("settings", [{"threshold": -1}, {"level": 0}, {"level": 10}, {"level": -1}])
    def test_out_of_range(self, settings):
        with pytest.raises(ValueError, match="out of range: give"):
            HTTPCompression(**settings)

    @pytest.mark.parametrize("value", [1.5, "6", None, True])
    @pytest.mark.parametrize("name", ["threshold", "level"])
    def test_no_number(self, name, value):
        with pytest.raises(TypeError, match=f"{name}=.*takes a whole number"):
            HTTPCompression(**{name: value})


class TestCompressor:
    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    @pytest.mark.parametrize("size", [1024, SLICE, SLICE + 1, 5 * SLICE, 1_000_000])
    async def test_what_is_decoded_is_what_it_was(self, coding, size):
        body = text(size).encode()
        response = await compressed(Response(200, body, "text/plain"), coding)
        assert decoded(response) == body
        assert headers_of(response) == {
            "content-type": "text/plain",
            "content-length": str(len(response.body)),
            "content-encoding": coding,
            "vary": "Accept-Encoding",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        assert len(response.body) < 0.6 * size

    @pytest.mark.parametrize("accepted", [None, "", "br", "gzip;q=0", "identity, gzip;q=0.1"])
    async def test_clients_that_do_not_take_it(self, accepted):
        response = await compressed(Response(200, b"a" * 2000), accepted)
        assert response.body == b"a" * 2000
        # A cache must know nevertheless that others would get something else.
        assert response.headers == [("vary", "Accept-Encoding")]

    async def test_vary_is_one_header(self):
        response = await compressed(Response(200, b"a" * 2000, headers=[("Vary", "Origin"), ("x", "y")]))
        assert response.headers == [("Vary", "Origin, Accept-Encoding"), ("x", "y"), ("content-encoding", "gzip")]

    async def test_what_would_not_become_smaller_stays(self):
        noise = random.Random(1).randbytes(5000)
        response = await compressed(Response(200, noise))
        assert (response.body, response.headers) == (noise, [("vary", "Accept-Encoding")])

    async def test_what_a_hook_has_encoded_stays(self):
        response = await compressed(Response(200, b"a" * 2000, headers=[("Content-Encoding", "br")]))
        assert response.body == b"a" * 2000
        assert [value for name, value in response.headers if name.lower() == "content-encoding"] == ["br"]

    @pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD")])
    async def test_answers_without_a_body(self, status, method):
        response = await compressed(Response(status, b"a" * 2000), method=method)
        assert (response.body, response.headers) == (b"a" * 2000, [])

    @pytest.mark.parametrize(("size", "expected"), [(99, False), (100, True)])
    async def test_what_is_below_the_threshold_stays(self, size, expected):
        # Not only for polls, which know it: for files, and for what middlewares answer.
        compressor = Compressor(HTTPCompression(threshold=100))
        response = await compressor.compressed(request(POLLING, headers=GZIP), Response(200, b"a" * size))
        assert (("vary", "Accept-Encoding") in response.headers) is expected
        assert decoded(response) == b"a" * size

    async def test_level(self):
        body = text(50_000).encode()
        sizes = [len((await compressed(Response(200, body), level=level)).body) for level in (1, 9)]
        assert sizes[0] > sizes[1]

    async def test_others_have_a_turn_meanwhile(self, nursery):
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        nursery.start_soon(others)
        await compressed(Response(200, text(LARGE).encode()))
        assert turns >= LARGE // SLICE // 2

    async def test_small_ones_take_no_checkpoint(self):
        with trio.CancelScope() as scope:
            scope.cancel()
            response = await compressed(Response(200, text(SLICE).encode()))
        assert not scope.cancelled_caught
        assert ("content-encoding", "gzip") in response.headers

    async def test_large_ones_wait_for_each_other(self, nursery):
        compressor, done = Compressor(HTTPCompression()), []

        async def one(name: str, size: int) -> None:
            await compressor.compressed(request(POLLING, headers=GZIP), Response(200, text(size).encode()))
            done.append(name)

        nursery.start_soon(one, "large", LARGE)
        while not compressor._turn.locked():
            await trio.lowlevel.checkpoint()
        nursery.start_soon(one, "second", SLICE + 1)
        nursery.start_soon(one, "small", SLICE)
        await settle()
        assert done == ["small", "large", "second"]


class TestPolls:
    """What goes out by the engine."""

    @pytest.fixture
    async def engine(self, autojump_clock):
        config = EngineConfig(ping_interval=10_000, http_compression=HTTPCompression())
        async with running_engine(config, Limits(send_queue_bytes=10_000_000)) as engine:
            yield engine

    async def poll(self, engine, query: str, headers: dict[str, str] = GZIP) -> Response:
        return await engine.handle_http(request(query, headers=headers), None)

    @pytest.mark.parametrize(("size", "expected"), [(1022, False), (1023, True), (100_000, True)])
    async def test_from_the_threshold_on(self, engine, size, expected):
        query, session = await open_polling(engine)
        session.send([message("a" * size)])
        response = await self.poll(engine, query)
        assert decoded(response) == b"4" + b"a" * size
        assert ("content-encoding" in headers_of(response)) is expected
        assert headers_of(response)["vary"] == ("Origin, Accept-Encoding" if expected else "Origin")

    async def test_not_unless_it_is_set_up(self, autojump_clock):
        async with running_engine(EngineConfig(ping_interval=10_000)) as engine:
            query, session = await open_polling(engine)
            session.send([message("a" * 5000)])
            response = await self.poll(engine, query)
            assert (response.body, response.headers) == (b"4" + b"a" * 5000, [("vary", "Origin")])

    @pytest.mark.parametrize(("flags", "expected"), [
        ([False], False), ([False, False], False), ([True], True), ([False, True], True), ([True, False], True),
    ])  # fmt: skip
    async def test_if_any_packet_wants_it(self, engine, flags, expected):
        query, session = await open_polling(engine)
        session.send([EnginePacket(PacketType.MESSAGE, "a" * 2000, compress) for compress in flags])
        assert ("content-encoding" in headers_of(await self.poll(engine, query))) is expected

    async def test_the_sid_is_never_in_what_is_compressed(self, autojump_clock):
        async with running_engine(EngineConfig(http_compression=HTTPCompression(threshold=0))) as engine:
            response = await self.poll(engine, POLLING)
            assert response.body.startswith(b'0{"sid"')
            assert "content-encoding" not in headers_of(response)
            # Nor are answers that are no packets.
            assert "content-encoding" not in headers_of(await self.poll(engine, "EIO=4"))

    async def test_a_client_that_goes_meanwhile_loses_its_session(self, engine, nursery):
        # The packets are taken from the queue by then: with the answer they are lost, and so must be the session.
        query, session = await open_polling(engine)
        with trio.CancelScope() as scope:
            session.send([message(text(LARGE))])
            nursery.start_soon(_cancel_when_locked, engine, scope)
            await self.poll(engine, query)
        assert scope.cancelled_caught
        assert recorder(session).reasons == [CloseReason.TRANSPORT_ERROR]
        assert not engine._compressor._turn.locked()

    async def test_a_session_that_ends_meanwhile(self, engine, nursery):
        query, session = await open_polling(engine)
        session.send([message(text(LARGE))])
        asked = await ask(nursery, engine, "GET", query)
        assert asked.result == (200, b"4" + text(LARGE).encode()), "without Accept-Encoding as it is"
        session.send([message(text(LARGE))])
        nursery.start_soon(_close_when_locked, engine, session)
        response = await self.poll(engine, query)
        assert decoded(response) == b"4" + text(LARGE).encode()
        assert recorder(session).reasons == [CloseReason.FORCED_CLOSE]


async def _until_locked(engine) -> None:
    while not engine._compressor._turn.locked():
        await trio.lowlevel.checkpoint()


async def _cancel_when_locked(engine, scope: trio.CancelScope) -> None:
    await _until_locked(engine)
    scope.cancel()


async def _close_when_locked(engine, session) -> None:
    await _until_locked(engine)
    session.close(CloseReason.FORCED_CLOSE)
