"""Names of the shapes that cross the public API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

Data: TypeAlias = (
    "str | bytes | bytearray | memoryview | int | float | bool | Mapping[str, Data] | Sequence[Data] | None"
)
"""What an event's argument or an acknowledgement may hold: JSON, and bytes anywhere in its arrays and objects.

What msgspec knows beside that (dataclasses, sets, times, UUIDs) is encoded in its way, and bytes in *those* become base64
text. NaN and infinities become ``null``, as in JavaScript."""

# The text above is for type checkers. At run time it could be evaluated only where its names are imported: whoever
# evaluates annotations, as msgspec does, is told what it comes to.
globals()["Data"] = Annotated[Any, Data]

Room: TypeAlias = str
"""A room's name: 1 to ``Limits.max_name_length`` characters."""
