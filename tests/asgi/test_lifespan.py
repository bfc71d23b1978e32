"""The host's lifespan runs the server, and another application's lifespan inside it."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.support.asgi import LIFESPAN, SHUTDOWN, STARTUP, Call, app_of, ask, calling, http_scope
from tests.support.client import settle
from tests.support.engine import POLLING, an_engine
from trio_socketio._asgi.lifespan import SECONDS
from trio_socketio._engine.server import EngineServer

STARTED = {"type": "lifespan.startup.complete"}
STOPPED = {"type": "lifespan.shutdown.complete"}


def refusal(text: str) -> dict[str, str]:
    return {"type": "lifespan.startup.failed", "message": text}


@pytest.fixture
def engine(autojump_clock) -> EngineServer:
    return an_engine()


class HostThatRaises(Call):
    """As hypercorn: the message that says that something has failed raises, in whoever sends it."""

    async def send(self, message) -> None:
        await super().send(message)
        if message["type"].endswith(".failed"):
            raise LookupError(f"lifespan failure: {message['message']}")


class Other:
    """Another application with a lifespan of its own; says whether the server ran meanwhile."""

    def __init__(self, engine: EngineServer) -> None:
        self.engine = engine
        self.happened: list[tuple[str, bool]] = []
        self.scopes = []

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        for answer in (STARTED, STOPPED):
            message = await receive()
            self.happened.append((message["type"], self.engine.is_running))
            await send(answer)


async def breaks(engine: EngineServer) -> None:
    """Let a task of the server's fail, as only a fault of the library could."""

    async def fails() -> None:
        raise ArithmeticError("a fault of the library")

    engine.start_soon(fails)
    await settle()


class TestAlone:
    async def test_the_server_runs_from_start_up_to_shutdown(self, engine, autojump_clock):
        async with calling(app_of(engine), LIFESPAN) as call:
            assert call.sent == []
            await call.put(STARTUP)
            assert (call.sent, engine.is_running) == ([STARTED], True)
            assert (await ask(app_of(engine), http_scope(POLLING))).status == 200
            assert not call.ended.is_set()
            await call.put(SHUTDOWN)
            await call.end()
            assert (call.sent, engine.is_running) == ([STARTED, STOPPED], False)
        assert not engine.sessions

    async def test_once_more(self, engine, autojump_clock):
        for _ in range(2):
            async with calling(app_of(engine), LIFESPAN, STARTUP, SHUTDOWN) as call:
                await call.end()
                assert call.sent == [STARTED, STOPPED]

    async def test_a_host_that_is_cancelled(self, engine, autojump_clock):
        async with calling(app_of(engine), LIFESPAN, STARTUP) as call:
            call.cancel_scope.cancel()
            await call.end()
            assert (call.sent, engine.is_running) == ([STARTED], False)

    async def test_whoever_runs_the_server_already_goes_on_running_it(self, engine, autojump_clock):
        async with engine.running():
            async with calling(app_of(engine), LIFESPAN, STARTUP, SHUTDOWN) as call:
                await call.end()
                assert call.sent == [STARTED, STOPPED]
            assert engine.is_running
            assert (await ask(app_of(engine), http_scope(POLLING))).status == 200


class TestOtherApplication:
    async def test_its_lifespan_is_inside(self, engine, autojump_clock):
        other = Other(engine)
        async with calling(app_of(engine, other), LIFESPAN) as call:
            await call.put(STARTUP)
            assert call.sent == [STARTED]
            await call.put(SHUTDOWN)
            await call.end()
            assert call.sent == [STARTED, STOPPED]
        assert other.happened == [("lifespan.startup", True), ("lifespan.shutdown", True)]
        # The state that it keeps for its requests is in there: it must be the very same.
        assert other.scopes[0] is LIFESPAN
        assert not engine.is_running

    @pytest.mark.parametrize("asks", [False, True])
    async def test_one_without_a_lifespan(self, engine, autojump_clock, caplog, asks):
        async def other(scope, receive, send) -> None:
            if asks:
                await receive()
            assert scope["type"] == "http"

        caplog.set_level(logging.DEBUG, "trio_socketio")
        await self._answered_for_it(engine, other)
        assert "no lifespan: AssertionError" in caplog.text
        assert [record.levelno for record in caplog.records] == [logging.DEBUG]

    @pytest.mark.parametrize("asks", [False, True])
    async def test_one_that_returns_at_once(self, engine, autojump_clock, asks):
        async def other(scope, receive, send) -> None:
            if asks:
                await receive()

        await self._answered_for_it(engine, other)

    async def _answered_for_it(self, engine, other) -> None:
        async with calling(app_of(engine, other), LIFESPAN) as call:
            assert call.sent == []
            await call.put(STARTUP)
            assert (call.sent, engine.is_running) == ([STARTED], True)
            await call.put(SHUTDOWN)
            await call.end()
            assert call.sent == [STARTED, STOPPED]

    async def test_one_that_hangs_while_it_starts(self, engine, autojump_clock):
        async def other(scope, receive, send) -> None:
            await receive()
            await trio.sleep_forever()

        async with calling(app_of(engine, other), LIFESPAN, STARTUP) as call:
            await trio.sleep(1000)
            # The host is not told anything that isn't true; it has a timeout of its own, and cancels then.
            assert call.sent == []
            call.cancel_scope.cancel()
            await call.end()
            assert (call.sent, engine.is_running) == ([], False)

    async def test_one_that_hangs_while_it_stops(self, engine, autojump_clock):
        async def other(scope, receive, send) -> None:
            await receive()
            await send(STARTED)
            await receive()
            await trio.sleep_forever()

        async with calling(app_of(engine, other), LIFESPAN, STARTUP, SHUTDOWN) as call:
            await trio.sleep(1000)
            assert (call.sent, call.ended.is_set()) == ([STARTED], False)
            call.cancel_scope.cancel()
            await call.end()
            assert (call.sent, engine.is_running) == ([STARTED], False)

    async def test_one_that_goes_after_its_start_up(self, engine, autojump_clock):
        async def other(scope, receive, send) -> None:
            await receive()
            await send(STARTED)

        async with calling(app_of(engine, other), LIFESPAN, STARTUP) as call:
            await call.end()
            assert call.sent == [STARTED]

    async def test_one_that_raises_after_its_start_up(self, engine, autojump_clock, caplog):
        async def other(scope, receive, send) -> None:
            await receive()
            await send(STARTED)
            raise LookupError("lost its database")

        async with calling(app_of(engine, other), LIFESPAN, STARTUP) as call:
            with pytest.raises(LookupError, match="lost its database"):
                await call.end()
            assert call.sent == [STARTED, refusal("lost its database")]
        assert not engine.is_running
        assert "the server has failed" in caplog.text


class TestOtherApplicationThatDoesNotStart:
    @pytest.fixture(params=["startup", "shutdown"])
    def failed(self, request):
        return {"type": f"lifespan.{request.param}.failed", "message": "no database"}

    async def test_it_says_so_and_returns(self, engine, autojump_clock, failed):
        async def other(scope, receive, send) -> None:
            await receive()
            await send(failed)

        async with calling(app_of(engine, other), LIFESPAN, STARTUP) as call:
            await call.end()
            assert call.sent == [failed]
        assert not engine.is_running

    async def test_it_says_so_and_raises(self, engine, autojump_clock, failed, caplog):
        # As Starlette does. The host has heard what the other one has to say: not once more from us.
        async def other(scope, receive, send) -> None:
            await receive()
            await send(failed)
            raise LookupError("no database")

        async with calling(app_of(engine, other), LIFESPAN, STARTUP) as call:
            with pytest.raises(LookupError, match="no database"):
                await call.end()
            assert call.sent == [failed]
        assert not engine.is_running
        assert caplog.records == []

    async def test_the_host_raises_its_own_message(self, engine, autojump_clock, failed):
        async def other(scope, receive, send) -> None:
            await receive()
            await send(failed)

        call = HostThatRaises(LIFESPAN)
        call.queue.send_nowait(STARTUP)
        await call.run(app_of(engine, other))
        assert str(call.failure.args[0]) == "lifespan failure: no database"
        assert call.sent == [failed]


class TestFailingServer:
    async def test_it_fails_while_it_runs(self, engine, autojump_clock, caplog):
        async with calling(app_of(engine), LIFESPAN, STARTUP) as call:
            assert call.sent == [STARTED]
            await breaks(engine)
            with pytest.raises(ExceptionGroup) as caught:
                await call.end()
            assert caught.group_contains(ArithmeticError, match="a fault of the library")
            started, late = call.sent
            assert (started, late) == (STARTED, refusal(str(caught.value)))
        assert not engine.is_running
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert "a fault of the library" in caplog.text

    async def test_it_fails_before_the_other_one_has_started(self, engine, autojump_clock):
        async def other(scope, receive, send) -> None:
            await receive()
            await trio.sleep_forever()

        async with calling(app_of(engine, other), LIFESPAN, STARTUP) as call:
            await breaks(engine)
            with pytest.raises(ExceptionGroup):
                await call.end()
            assert [sent["type"] for sent in call.sent] == ["lifespan.startup.failed"]

    async def test_the_host_raises_when_it_hears_of_it(self, engine, autojump_clock):
        call = HostThatRaises(LIFESPAN)
        call.queue.send_nowait(STARTUP)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.run, app_of(engine))
            await settle()
            await breaks(engine)
        assert isinstance(call.failure, LookupError)
        assert isinstance(call.failure.__context__, ExceptionGroup)

    async def test_a_host_that_does_not_listen(self, engine, autojump_clock):
        class Deaf(Call):
            async def send(self, message) -> None:
                await super().send(message)
                if message != STARTED:
                    await trio.sleep_forever()

        call = Deaf(LIFESPAN)
        call.queue.send_nowait(STARTUP)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.run, app_of(engine))
            await settle()
            await breaks(engine)
        # It was tried for a while, and the error was not lost.
        assert call.ended_at == SECONDS
        assert isinstance(call.failure, ExceptionGroup)

    async def test_a_host_that_raises_instead_of_a_message(self, engine, autojump_clock):
        async with calling(app_of(engine), LIFESPAN) as call:
            call.queue.close()
            with pytest.raises(trio.EndOfChannel):
                await call.end()
            assert [sent["type"] for sent in call.sent] == ["lifespan.startup.failed"]
        assert not engine.is_running
