"""What a server answers to an HTTP request, as tests look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import msgspec

from trio_socketio._wire.engine_payload import RECORD_SEPARATOR


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPAnswer:
    """An answer: its status, its headers, its body.

    Args:
        status: such as 200.
        headers: by names in lower case; those that came several times are joined by ", ".
        body: the bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def packets(self) -> list[str]:
        """The Engine.IO packets in the body, as they travel in it."""
        return self.text.split(RECORD_SEPARATOR) if self.body else []

    def json(self) -> Any:
        """Return what the body means as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return msgspec.json.decode(self.body)
