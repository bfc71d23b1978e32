"""The answer to a poll that is held on its way, so that later ones overtake it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import trio

from trio_socketio._util import NoPublicConstructor
from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio.testing.patience import Patience


@final
class HeldPoll(metaclass=NoPublicConstructor):
    """An answer that ``link.hold_poll()`` holds, or will hold when it comes."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._packets: tuple[str | bytes, ...] | None = None
        self._came = trio.Event()
        self._released = trio.Event()

    @property
    def _is_waiting(self) -> bool:
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
        """Wait until there is an answer, and it is held.

        Raises:
            ExpectationFailed: no poll was answered in the server's patience.
        """
        await self._patience.wait(self._came.wait, lambda: "there is no poll to hold: none was answered")

    def release(self) -> None:
        """Let it go on; before it has come: hold nothing."""
        self._released.set()

    def _keep(self, packets: Sequence[EnginePacket]) -> None:
        """Hold an answer."""
        self._packets = tuple(packet.message_form for packet in packets)
        self._came.set()

    async def _wait_released(self) -> None:
        """Wait until it goes on."""
        await self._released.wait()
