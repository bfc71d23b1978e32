"""Whatever a client sends, the server lives, serves the others, and keeps nothing of it."""

from __future__ import annotations

import pytest
import trio

from tests.hostile.cases import ALL, KINDS
from tests.hostile.harness import harness, throw

BRIEF = 0.3
"""Seconds for which it is waited for what the server should do by itself: here it needn't."""


@pytest.mark.parametrize("name", ALL)
async def test_survival(name):
    async with harness() as served:
        outcome = await served.throw(ALL[name], BRIEF)
        assert outcome.let_go, outcome


@pytest.mark.parametrize("kind", KINDS)
async def test_all_at_once(kind):
    sids = []

    async def one(case):
        sids.extend((await throw(case, served._port, BRIEF)).sids)

    async with harness() as served:
        async with trio.open_nursery() as clients:
            for case in KINDS[kind]:
                clients.start_soon(one, case)
        await served.settle(sids)


def test_there_are_enough():
    assert len(ALL) == sum(map(len, KINDS.values())) >= 90
