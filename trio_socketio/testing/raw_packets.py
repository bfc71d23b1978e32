"""Packets that have come to a raw client, one after the other, and what a test expects of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import final

import trio

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio.testing.failures import ExpectationFailed, HandshakeFailed
from trio_socketio.testing.packet_pattern import PacketPattern, check_pattern, matches, shown_pattern
from trio_socketio.testing.patience import Patience

SHOWN = 200
"""Characters of a packet that a message shows."""

SHORTLY = 0.001
"""Seconds that ``expect_nothing`` waits at the least: what is on its way without a delay is there by then."""


@final
class RawPackets:
    """What comes by one transport.

    Args:
        fetch: waits for more; raises when no more can come.
        patience: of the waits.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Sequence[str | bytes]]], patience: Patience) -> None:
        self._fetch = fetch
        self._patience = patience
        self._waiting: deque[str | bytes] = deque()

    async def next(self, wanted: str) -> str | bytes:
        """Take the next packet.

        Raises:
            ExpectationFailed: none came in time, or none can come any more; the message begins with what is ``wanted``.
        """
        await trio.lowlevel.checkpoint()
        try:
            await self._patience.wait(self._fill, lambda: f"{wanted} did not come, and nothing else")
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError) as gone:
            msg = f"{wanted} can't come any more: {str(gone) or 'the server has closed the connection'}"
            raise ExpectationFailed(msg) from gone
        except (HandshakeFailed, ConnectionRefusedError, RemoteProtocolError) as failure:
            msg = f"{wanted} can't come: {failure}"
            raise ExpectationFailed(msg) from failure
        return self._waiting.popleft()

    async def _fill(self) -> None:
        while not self._waiting:
            self._waiting += await self._fetch()

    async def expect(self, *patterns: PacketPattern) -> str | bytes:
        """Take the next packets, which must look like these, in order; return the last one.

        Raises:
            ExpectationFailed: one looks different, or does not come.
            TypeError: not a pattern.
        """
        for pattern in patterns:
            check_pattern(pattern)
        packet: str | bytes = ""
        for pattern in patterns:
            wanted = shown_pattern(pattern)
            packet = await self.next(wanted)
            if not matches(pattern, packet):
                behind = f", and behind it {list(self._waiting)!r:.{SHOWN}}" if self._waiting else ""
                msg = f"expected the packet {wanted}, but {packet!r:.{SHOWN}} came{behind}"
                raise ExpectationFailed(msg)
        return packet

    async def expect_nothing(self, within: float) -> None:
        """Make sure that no packet comes for so many seconds.

        Raises:
            ExpectationFailed: one has come; it is taken.
        """
        with trio.move_on_after(max(within, SHORTLY)):
            try:
                await self._fill()
            except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
                return  # Nothing can come any more.
        if self._waiting:
            msg = f"{self._waiting.popleft()!r:.{SHOWN}} came, and nothing should"
            raise ExpectationFailed(msg)

    async def expect_end(self) -> None:
        """Make sure that the server closes, and sends nothing before.

        Raises:
            ExpectationFailed: a packet came, or the connection stays open.
        """
        await trio.lowlevel.checkpoint()
        try:
            await self._patience.wait(self._fill, lambda: "the server has not closed the connection")
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
            return
        msg = f"expected the end of the connection, but {self._waiting.popleft()!r:.{SHOWN}} came"
        raise ExpectationFailed(msg)
