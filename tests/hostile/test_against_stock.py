"""The cases can be thrown at stock hypercorn, which doesn't outlive all of them."""

from __future__ import annotations

import trio

from tests.hostile.against_stock import Fate, run
from tests.hostile.cases import ALL

HARMLESS = ["upgrades: short key", "connections: CL-TE", "frames: RSV 1"]
DEADLY = [
    "upgrades: with a body",
    "upgrades: subprotocol in 8 bits",
    "upgrades: extension deflate with bits of words",
]


async def test_what_kills_it_and_what_does_not():
    fates = {}
    with trio.fail_after(60):
        await run(
            [ALL[name] for name in HARMLESS + DEADLY], lambda result: fates.update({result.case.name: result.fate})
        )
    for name in HARMLESS:
        assert fates[ALL[name].name] is Fate.ANSWERED, name
    for name in DEADLY:
        assert fates[ALL[name].name] is Fate.KILLED, name
