"""What the application hears of requests that are refused."""

from __future__ import annotations

import pytest

from tests.support.client import open_polling, open_stream, poll, post, request
from tests.support.engine import POLLING, WEBSOCKET, an_engine, running_engine
from trio_socketio import CORS, ConnectionRefusal, ConnectionRefused, EngineConfig, Limits, Response


class Heard:
    """A hook that keeps what it hears."""

    def __init__(self) -> None:
        self.refusals: list[ConnectionRefusal] = []

    def __call__(self, refusal: ConnectionRefusal) -> None:
        self.refusals.append(refusal)

    def take(self) -> tuple[int, int | None, str, dict[str, str]]:
        """The only one since the last time."""
        (refusal,) = self.refusals
        self.refusals.clear()
        return refusal.status, refusal.code, refusal.message, dict(refusal.context)


@pytest.fixture
def heard():
    return Heard()


async def test_what_is_wrong_with_the_request(autojump_clock, heard):
    async with running_engine(EngineConfig(connection_error=heard)) as engine:
        query, session = await open_polling(engine)
        await post(engine, query, b"4a")
        assert heard.refusals == [], "what is served is not refused"
        await poll(engine, "EIO=4&transport=nonsense")
        assert heard.take() == (400, 0, "Transport unknown", {"transport": "nonsense"})
        await poll(engine, "EIO=4")
        assert heard.take() == (400, 0, "Transport unknown", {"transport": ""})
        await poll(engine, f"{POLLING}&sid=0123456789")
        assert heard.take() == (400, 1, "Session ID unknown", {"sid": "0123..."})
        await post(engine, POLLING, b"")
        assert heard.take() == (400, 2, "Bad handshake method", {"method": "POST"})
        await poll(engine, WEBSOCKET)
        expected = {"name": "TRANSPORT_HANDSHAKE_ERROR", "transport": "websocket", "protocol": "4"}
        assert heard.take() == (400, 3, "Bad request", expected)
        await poll(engine, query.replace("EIO=4", "EIO=7"))
        expected = {"name": "PROTOCOL_MISMATCH", "transport": "polling", "protocol": "7"}
        assert heard.take() == (400, 3, "Bad request", expected)
        await poll(engine, query.replace("polling", "websocket"))
        assert heard.take() == (400, 3, "Bad request", {"name": "TRANSPORT_MISMATCH", "transport": "websocket"})
        await poll(engine, "EIO=7&transport=polling")
        assert heard.take() == (400, 5, "Unsupported protocol version", {"protocol": "7"})
        assert session.close_reason is None


async def test_websockets(autojump_clock, heard):
    async with running_engine(EngineConfig(connection_error=heard)) as engine:
        await engine.admit(request("EIO=4&transport=nonsense"))
        assert heard.take() == (400, 0, "Transport unknown", {"transport": "nonsense"})
        await engine.admit(request(f"{WEBSOCKET}&sid=0123456789"))
        assert heard.take() == (400, 1, "Session ID unknown", {"sid": "0123..."})
        await engine.admit(request("EIO=7&transport=websocket"))
        assert heard.take() == (400, 5, "Unsupported protocol version", {"protocol": "7"})


@pytest.mark.parametrize("over", ["polling", "websocket"])
class TestOnBothTransports:
    @pytest.fixture
    def ask(self, over):
        async def ask(engine, headers: dict[str, str] | None = None) -> None:
            if over == "polling":
                await engine.handle_http(request(POLLING, headers=headers), None)
            else:
                assert isinstance(await engine.admit(request(WEBSOCKET, headers=headers)), Response)

        return ask

    async def test_a_foreign_origin(self, autojump_clock, heard, ask):
        config = EngineConfig(connection_error=heard, cors=CORS(origins=("https://app.example",)))
        async with running_engine(config) as engine:
            await ask(engine, {"origin": "https://evil.example", "host": "a"})
            expected = {"name": "INVALID_ORIGIN", "origin": "https://evil.example"}
            assert heard.take() == (403, 4, "Forbidden", expected)

    async def test_allow_request(self, autojump_clock, heard, ask, caplog):
        verdicts = iter([False, ConnectionRefused("members only"), RuntimeError("no database")])

        async def allow(asked):
            verdict = next(verdicts)
            if isinstance(verdict, Exception):
                raise verdict
            return verdict

        async with running_engine(EngineConfig(connection_error=heard, allow_request=allow)) as engine:
            await ask(engine)
            assert heard.take() == (403, 4, "Forbidden", {"message": "Forbidden"})
            await ask(engine)
            assert heard.take() == (403, 4, "members only", {"message": "members only"})
            await ask(engine)
            assert heard.take() == (400, 3, "Bad request", {"name": "ALLOW_REQUEST_FAILURE"})

    async def test_middlewares(self, autojump_clock, heard, ask, caplog):
        verdicts = iter([Response(429), ConnectionRefused("members only"), RuntimeError("no database"), "nonsense"])

        async def middleware(asked):
            verdict = next(verdicts)
            if isinstance(verdict, Exception):
                raise verdict
            return verdict

        async with running_engine(EngineConfig(connection_error=heard, middleware=(middleware,))) as engine:
            await ask(engine)
            assert heard.take() == (429, None, "Middleware", {"name": "MIDDLEWARE_FAILURE"})
            await ask(engine)
            assert heard.take() == (403, 4, "members only", {"message": "members only"})
            await ask(engine)
            assert heard.take() == (400, 3, "Bad request", {"name": "MIDDLEWARE_FAILURE"})
            await ask(engine)
            assert heard.take() == (500, None, "Middleware", {"name": "MIDDLEWARE_FAILURE"})

    async def test_no_place(self, autojump_clock, heard, ask, caplog):
        await ask(an_engine(EngineConfig(connection_error=heard)))
        assert heard.take() == (503, None, "No place", {"name": "NO_PLACE"})
        async with running_engine(EngineConfig(connection_error=heard), Limits(max_sessions=1)) as engine:
            await open_polling(engine)
            await ask(engine)
            assert heard.take() == (503, None, "No place", {"name": "NO_PLACE"})

    async def test_a_hook_that_raises_changes_nothing(self, autojump_clock, ask, caplog):
        def hook(refusal):
            raise RuntimeError("in the hook")

        async with running_engine(EngineConfig(connection_error=hook, cors=CORS(origins=()))) as engine:
            await ask(engine, {"origin": "https://evil.example", "host": "a"})
            assert engine.counters.refused == {"Forbidden": 1}
        assert "RuntimeError: in the hook" in caplog.text


async def test_the_last_place_is_taken_while_a_websocket_opens(autojump_clock, heard):
    async with running_engine(EngineConfig(connection_error=heard), Limits(max_sessions=1)) as engine:
        admission = await engine.admit(request(WEBSOCKET))
        async with open_stream(engine) as stream:
            assert (await stream.get())[0] == "0"
            assert heard.refusals == []
            engine_side = _Closable()
            await engine.carry(admission, engine_side)
            assert engine_side.is_closed
            assert heard.take() == (101, None, "No place", {"name": "NO_PLACE"})


class _Closable:
    is_closed = False

    async def send(self, message):
        raise AssertionError("nothing is said")

    async def aclose(self):
        self.is_closed = True


async def test_what_a_client_sent_is_cut_short_and_its_secrets_are_not_shown(autojump_clock, heard):
    async with running_engine(EngineConfig(connection_error=heard)) as engine:
        await poll(engine, f"EIO=4&transport={'x' * 5000}")
        (refusal,) = heard.refusals
        assert refusal.context == {"transport": "x" * 100}
        heard.refusals.clear()
        query, session = await open_polling(engine)
        await poll(engine, query.replace("EIO=4", "EIO=3"))
        (refusal,) = heard.refusals
        assert session.sid not in repr(refusal)
        assert session.sid in refusal.request.query_string
        with pytest.raises(TypeError):
            refusal.context["name"] = "other"
