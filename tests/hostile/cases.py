"""All cases, by kind."""

from __future__ import annotations

from tests.hostile import bodies, connections, engine, frames, heads, old_clients, requests, upgrades
from tests.hostile.case import Case

KINDS: dict[str, list[Case]] = {
    "requests": requests.CASES,
    "heads": heads.CASES,
    "bodies": bodies.CASES,
    "connections": connections.CASES,
    "upgrades": upgrades.CASES,
    "frames": frames.CASES,
    "engine": engine.CASES,
    "old clients": old_clients.CASES,
}

ALL: dict[str, Case] = {f"{kind}: {case.name}": case for kind, cases in KINDS.items() for case in cases}
"""By a name of their own."""
