"""A WebSocket that does nothing by itself: for tests of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from trio_socketio._util import NoPublicConstructor
from trio_socketio.testing.client_websocket import ClientWebSocket
from trio_socketio.testing.failures import ExpectationFailed
from trio_socketio.testing.packet_pattern import PacketPattern
from trio_socketio.testing.patience import Patience
from trio_socketio.testing.raw_packets import RawPackets


@final
class RawWebSocket(metaclass=NoPublicConstructor):
    """Sends and expects packets: ``async with raw.open_websocket() as websocket``."""

    def __init__(self, websocket: ClientWebSocket, patience: Patience) -> None:
        self._websocket = websocket
        self._patience = patience
        self._packets = RawPackets(self._fetch, patience)

    async def _fetch(self) -> Sequence[str | bytes]:
        return [await self._websocket.receive()]

    @property
    def close_code(self) -> int | None:
        """The code with which the server has closed it, once ``expect_close`` has seen that."""
        return self._websocket.close_code

    async def send(self, *packets: str | bytes) -> None:
        """Send packets as they travel: ``"40"``, ``'42["x"]'``, bytes for an attachment.

        Raises:
            ExpectationFailed: the server takes nothing for longer than its patience.
            trio.BrokenResourceError: the connection is gone.
        """
        await self._patience.wait(
            lambda: self._websocket.send(*packets), lambda: "the server doesn't take what the raw client sends"
        )

    async def expect(self, *patterns: PacketPattern) -> str | bytes:
        """Take the next packets, which must look like these, in order.

        Args:
            patterns: text in which ``...`` stands for anything, bytes, or regular expressions.

        Returns:
            The last one, as it came.

        Raises:
            ExpectationFailed: one looks different, or does not come; the message says what came instead.
            TypeError: not a pattern.
        """
        return await self._packets.expect(*patterns)

    async def expect_nothing(self, *, within: float = 0.0) -> None:
        """Make sure that no packet comes for so many seconds; with 0, that none is on its way.

        Raises:
            ExpectationFailed: one has come.
        """
        await self._packets.expect_nothing(within)

    async def expect_close(self, code: int | None = None) -> None:
        """Make sure that the server closes the WebSocket, and sends no packet before.

        Args:
            code: with which it must; any, or none, if it is left out.

        Raises:
            ExpectationFailed: a packet came, it stays open, or the code is another one.
        """
        await self._packets.expect_end()
        if code is not None and self.close_code != code:
            msg = f"expected the WebSocket to be closed with {code}, not with {self.close_code}"
            raise ExpectationFailed(msg)

    async def close(self, code: int = 1000) -> None:
        """Close it.

        Raises:
            trio.BrokenResourceError: the connection is gone.
        """
        await self._websocket.close(code)
