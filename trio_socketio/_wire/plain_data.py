"""What stands for text, numbers, arrays and objects, turned into these: the hook of both parsers' encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def plain(value: object) -> object:
    """Turn what stands for a JSON value into one; msgspec asks about each type that it does not know.

    Raises:
        TypeError: it stands for none.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    # Of types that it knows it asks only if they stand as keys.
    if isinstance(value, Mapping) and type(value) is not dict:
        return dict(value)
    if isinstance(value, Sequence) and type(value) not in {list, tuple}:
        return list(value)
    msg = f"{type(value).__name__} can't be sent, at least not there: events and acknowledgements hold JSON, and bytes"
    raise TypeError(msg)
