"""Binary data out of a packet's arguments, and back into them.

JSON cannot hold bytes. So the sender takes them out, leaves ``{"_placeholder": true, "num": k}`` in their places and
sends them after the packet, in the order of ``k``; the receiver puts them back. Both walks are iterative and bounded:
neither a deep nor a cyclic structure can exhaust the stack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trio_socketio._exceptions import RemoteProtocolError

MAX_DEPTH = 200
"""Nesting of what we send ourselves; more is a mistake (a cycle), not data."""

_BINARY = (bytes, bytearray, memoryview)
_LEAVES = frozenset({str, int, float, bool, type(None)})


def take_out(args: list[Any]) -> tuple[list[Any], list[bytes]]:
    """Replace binary data by placeholders.

    Returns:
        ``args`` itself and no attachments if there is no binary data in it (the usual case costs one look at each
        argument), else a copy with placeholders and the attachments in order.

    Raises:
        ValueError: nested too deeply, or a structure that contains itself.
    """
    for argument in args:
        if type(argument) not in _LEAVES:
            break
    else:
        return args, []
    if not _has_binary(args):
        return args, []
    attachments: list[bytes] = []
    return _without_binary(args, attachments), attachments


def _has_binary(args: list[Any]) -> bool:
    level: list[Any] = [args]
    for _ in range(MAX_DEPTH):
        below: dict[int, Any] = {}  # by identity: what contains itself twice would double with each level
        for container in level:
            for value in container.values() if isinstance(container, Mapping) else container:
                if type(value) in _LEAVES or isinstance(value, str):
                    continue
                if isinstance(value, _BINARY):
                    return True
                if isinstance(value, (Mapping, Sequence)):
                    below[id(value)] = value
        if not below:
            return False
        level = list(below.values())
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"event arguments are nested more than {MAX_DEPTH} deep, or contain themselves")


def _without_binary(value: Any, attachments: list[bytes], depth: int = 0) -> Any:
    # Recursion is safe here only because _has_binary stops at the first bytes it meets: so bound it once more.
    if isinstance(value, _BINARY):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if depth > MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, Mapping):
        return {key: _without_binary(item, attachments, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_binary(item, attachments, depth + 1) for item in value]
    return value


def put_back(args: list[Any], attachments: list[bytes]) -> list[Any]:
    """Replace placeholders by their attachments, in place.

    Every attachment must be used exactly once, by an index that is a whole number in range: anything else was not made
    by a Socket.IO encoder (CVE-2022-2421 was an index that is a name).

    Raises:
        RemoteProtocolError: a placeholder that breaks these rules, or an attachment that nobody asked for.
    """
    used: set[int] = set()
    stack: list[Any] = [args]
    while stack:
        container = stack.pop()
        items = list(container.items()) if isinstance(container, dict) else list(enumerate(container))
        for key, value in items:
            if isinstance(value, dict) and value.get("_placeholder") is True:
                index = _index(value.get("num"), len(attachments), used)
                container[key] = attachments[index]
            elif isinstance(value, (dict, list)):
                stack.append(value)
    if len(used) != len(attachments):
        msg = "an attachment has no placeholder"
        raise RemoteProtocolError(msg)
    return args


def _index(number: Any, count: int, used: set[int]) -> int:
    if type(number) is not int or not 0 <= number < count or number in used:
        msg = "illegal placeholder"
        raise RemoteProtocolError(msg)
    used.add(number)
    return number
