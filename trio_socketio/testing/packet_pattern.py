"""What a test says that a packet looks like: text in which three dots stand for anything, bytes, or a regular expression."""

from __future__ import annotations

import re
from typing import TypeAlias

PacketPattern: TypeAlias = str | bytes | re.Pattern[str]
"""``"40{...}"`` is a text that begins with ``40{`` and ends with ``}``; bytes are themselves; a pattern must match all."""

ANYTHING = "..."


def check_pattern(pattern: object) -> None:
    """Refuse what is no pattern.

    Raises:
        TypeError: it is none of the three.
    """
    is_text_pattern = isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str)
    if not is_text_pattern and not isinstance(pattern, (str, bytes)):
        msg = f"a packet is expected as text (with '...' for anything), bytes or a pattern of text, not {pattern!r}"
        raise TypeError(msg)


def matches(pattern: PacketPattern, packet: str | bytes) -> bool:
    """Say whether a packet, or another text, looks like that."""
    if isinstance(pattern, bytes) or isinstance(packet, bytes):
        return pattern == packet
    if isinstance(pattern, str):
        pattern = re.compile(".*".join(map(re.escape, pattern.split(ANYTHING))), re.DOTALL)
    return pattern.fullmatch(packet) is not None


def shown_pattern(pattern: PacketPattern) -> str:
    """Show it in a message."""
    return repr(pattern.pattern if isinstance(pattern, re.Pattern) else pattern)
