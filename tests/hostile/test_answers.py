"""Each case is answered as it should be, and nothing that a client sends is worth an error in the log."""

from __future__ import annotations

import logging

import pytest

from tests.hostile.cases import ALL
from tests.hostile.harness import complaint, harness

PATIENCE = 2.0


@pytest.mark.parametrize("name", ALL)
async def test_answer(name, caplog):
    async with harness() as served:
        outcome = await served.throw(ALL[name], PATIENCE)
    assert complaint(ALL[name], outcome) is None
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
