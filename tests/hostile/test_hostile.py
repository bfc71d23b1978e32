"""Whatever a client sends, the server lives, serves the others, and keeps nothing of it."""

from __future__ import annotations

import re
from pathlib import Path

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


GREEDY = [
    "requests: a line without an end",
    "heads: fields without an end",
    "bodies: chunks without an end",
    "bodies: a body of 2 GB to come",
    "bodies: a body of 1 GB for nobody",
    "bodies: trailers without an end",
    "frames: length 2 GB, and more and more",
    "frames: length 2^63 - 1",
    "frames: fragments without an end",
    "frames: bytes in fragments without an end",
    "engine: 9,999,999,999 attachments",
    "engine: 100,000 deep",
]
MEMORY = 24_000
"""kB that a client of such a kind may cost at most; both ends of it are in this process."""


def peak() -> int:
    """Return the most memory that this process has had, in kB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])


@pytest.mark.parametrize("name", GREEDY)
async def test_memory(name):
    async with harness() as served:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
        before = peak()
        await served.throw(ALL[name], BRIEF)
        assert peak() - before < MEMORY


def test_there_are_enough():
    assert len(ALL) == sum(map(len, KINDS.values())) >= 90
