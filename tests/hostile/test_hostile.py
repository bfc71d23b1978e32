"""Whatever a client sends, the server lives, serves the others, and keeps nothing of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trio

from tests.hostile.case import JOINED, SESSION, Act, Case, Endless, Ends, frame, get
from tests.hostile.cases import ALL, KINDS
from tests.hostile.harness import harness, throw

BRIEF = 0.3
"""Seconds for which it is waited for what the server should do by itself: here it needn't."""


@pytest.mark.parametrize("name", ALL)
async def test_survival(name):
    async with harness() as served:
        outcome = await served.throw(ALL[name], BRIEF)
        assert outcome.let_go, str(outcome)


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


DEAF = {
    "pings": (*JOINED, Act.DEAF, Endless(frame(b"p" * 125, 9) * 100, 20_000_000)),
    "events": (*JOINED, Act.DEAF, Endless(frame(b'427["echo","%s"]' % (b"x" * 1000)) * 10, 20_000_000)),
    "requests": (Act.DEAF, Endless(get(target=SESSION) * 100, 20_000_000)),
}


@pytest.mark.parametrize("name", DEAF)
async def test_clients_that_talk_and_do_not_listen(name):
    async with harness(write_deadline=0.3) as served:
        forget_peak()
        before = peak()
        outcome = await served.throw(Case(name, DEAF[name], Ends()), BRIEF)
        # Pings need not all be answered; whoever can do without keeping the answers may read on.
        assert outcome.ended or name == "pings", str(outcome)
        assert peak() - before < MEMORY


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


def forget_peak() -> None:
    """Begin anew with ``peak``."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the most memory that this process has had, in kB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])


@pytest.mark.parametrize("name", GREEDY)
async def test_memory(name):
    async with harness() as served:
        forget_peak()
        before = peak()
        await served.throw(ALL[name], BRIEF)
        assert peak() - before < MEMORY


def test_there_are_enough():
    assert len(ALL) == sum(map(len, KINDS.values())) >= 90
