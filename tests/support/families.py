"""Families of namespaces for tests, and what is left of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trio_socketio import Server

TENANT = re.compile(r"/tenant/(?P<tenant>[a-z]+)(?:/(?P<part>\d+))?")


async def anything(name: str, auth: Mapping[str, Any]) -> bool:
    """A rule that lets all come into being."""
    return True


def names(sio: Server) -> set[str]:
    """All namespaces that are there beside the root, by any of the server's books."""
    books = sio._namespaces
    there = set(books._members)
    of_families = {name for family in books._families for name in family.members}
    assert of_families == set(books._owners) <= there
    assert books._wanted <= there
    assert there == set(sio.statistics().sockets)
    return there - {"/"}
