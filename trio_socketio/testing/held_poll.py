"""The answer to a poll that is held on its way, so that later ones overtake it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import trio

from trio_socketio._util import NoPublicConstructor
from trio_socketio._wire.engine_packet import EnginePacket


@final
class HeldPoll(metaclass=NoPublicConstructor):
    """An answer that ``link.hold_poll()`` holds, or will hold when it comes."""

    def __init__(self) -> None:
        self._packets: tuple[str | bytes, ...] | None = None
        self._came = trio.Event()
        self._released = trio.Event()

    @property
    def is_waiting(self) -> bool:
        """No answer has come yet."""
        return self._packets is None and not self.is_released

    @property
    def is_released(self) -> bool:
        """The answer has gone on, or none was held."""
        return self._released.is_set()

    @property
    def packets(self) -> tuple[str | bytes, ...]:
        """The packets of the answer, as they travel; none before it has come."""
        return self._packets or ()

    async def wait(self) -> None:
        """Wait until there is an answer, and it is held."""
        await self._came.wait()

    def release(self) -> None:
        """Let it go on; before it has come: hold nothing."""
        self._released.set()

    def keep(self, packets: Sequence[EnginePacket]) -> None:
        """Hold an answer; for the kit's own use."""
        self._packets = tuple(packet.message_form for packet in packets)
        self._came.set()

    async def wait_released(self) -> None:
        """Wait until it goes on; for the kit's own use."""
        await self._released.wait()
