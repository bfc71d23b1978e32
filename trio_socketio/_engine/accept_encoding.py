"""Which coding of an answer a client would like best (RFC 9110, 12.5.3)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias

Coding: TypeAlias = Literal["gzip", "deflate"]

CODINGS: tuple[Coding, ...] = ("gzip", "deflate")
"""Those that we can make, the better one first."""

MAX_CHARACTERS = 256
MAX_ELEMENTS = 16
"""Browsers send five or six. Whoever sends more gets an answer as it is, which everybody can read."""

_ELEMENT = re.compile(r"([!#$%&'*+.^_`|~0-9a-z-]+)[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


@lru_cache(maxsize=128)  # There are as many values as there are kinds of clients, and their lengths are bounded.
def _chosen(text: str) -> Coding | None:
    weights: dict[str, float] = {}
    for element in text.lower().split(","):
        found = _ELEMENT.fullmatch(element.strip(" \t"))
        if found is not None:
            # "x-gzip" is the same (RFC 9110, 8.4.1.3).
            weights.setdefault(found[1].removeprefix("x-"), 1.0 if found[2] is None else float(found[2]))
    others = weights.get("*", 0.0)
    best = max(CODINGS, key=lambda coding: weights.get(coding, others))
    weight = weights.get(best, others)
    # As it is an answer is welcome always; only who says how much can like it better.
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None


def preferred_coding(text: str) -> Coding | None:
    """Choose by the value of ``Accept-Encoding``; ``None`` for the answer as it is. Elements that are none don't count."""
    if not text or len(text) > MAX_CHARACTERS or text.count(",") >= MAX_ELEMENTS:
        return None
    return _chosen(text)
