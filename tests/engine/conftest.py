"""An engine that runs, in virtual time; a file that needs other settings has a fixture of its own."""

from __future__ import annotations

import pytest

from tests.support.client import open_stream
from tests.support.engine import nothing_is_left, recorder, running_engine


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine() as engine:
        yield engine


class Opened:
    """A session that began on a WebSocket."""

    def __init__(self, engine, client, session) -> None:
        self.engine, self.client, self.session = engine, client, session
        self.recorder = recorder(session)


@pytest.fixture
async def opened(engine):
    async with open_stream(engine) as client:
        assert (await client.get())[0] == "0"
        (session,) = engine.sessions.values()
        yield Opened(engine, client, session)
    await nothing_is_left(engine)
