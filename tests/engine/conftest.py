"""An engine that runs, in virtual time; a file that needs other settings has a fixture of its own."""

from __future__ import annotations

import pytest

from tests.support.engine import running_engine


@pytest.fixture
async def engine(autojump_clock):
    async with running_engine() as engine:
        yield engine
