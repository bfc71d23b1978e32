"""Compression of answers: to polls, and of the client's bundles.

It is done in the server's own task, in slices: a checkpoint behind each lets everybody else have a turn. Of large answers
one is compressed at a time, since each needs a quarter of a megabyte for it, and a broadcast wakes thousands of polls in
one moment.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import final

import msgspec
import trio

from trio_socketio._engine.accept_encoding import Coding, preferred_coding
from trio_socketio._engine.http import NOT_MODIFIED, Headers, Request, Response

SLICE = 32_768
"""Bytes that are compressed in one step: about half a millisecond at the default level, one and a half of random data."""

_WINDOW_BITS: dict[Coding, int] = {"gzip": 31, "deflate": 15}
"""zlib's way to say which frame: gzip's own, or zlib's, which is what HTTP calls deflate."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPCompression:
    """Compress the answers to polls, and the client's bundles, for clients that take it, by gzip or deflate.

    The answer to a handshake is never compressed, nor is one of which each packet was sent with ``compress=False``.

    Args:
        threshold: bytes of an answer from which on it is compressed.
        level: zlib's, from 1 (fast) to 9 (small).

    Raises:
        ValueError: a value out of range.
        TypeError: one that is no whole number.
    """

    threshold: int = 1024
    level: int = 4

    def __post_init__(self) -> None:
        for name, value, least, most in (("threshold", self.threshold, 0, 2**31), ("level", self.level, 1, 9)):
            if type(value) is not int:
                msg = f"HTTPCompression({name}={value!r}) takes a whole number"
                raise TypeError(msg)
            if not least <= value <= most:
                msg = f"HTTPCompression({name}={value!r}) is out of range: give {least} to {most}"
                raise ValueError(msg)


@final
class Compressor:
    """Compresses the answers of one server.

    Args:
        settings: how.
    """

    __slots__ = ("_level", "_threshold", "_turn")

    def __init__(self, settings: HTTPCompression) -> None:
        self._level = settings.level
        self._threshold = settings.threshold
        self._turn = trio.Lock()

    async def compressed(self, request: Request, response: Response) -> Response:
        """Return the response as the client likes it best.

        A checkpoint only for a body of more than one ``SLICE``; cancelled there, the response is lost.
        """
        bodiless = request.method == "HEAD" or response.status in {204, NOT_MODIFIED}
        if bodiless or len(response.body) < self._threshold:
            return response
        _vary(response.headers, "Accept-Encoding")
        if any(name.lower() == "content-encoding" for name, _ in response.headers):
            return response  # A hook has done it.
        coding = preferred_coding(request.headers.get("accept-encoding", ""))
        if coding is None:
            return response
        body = await self._encode(response.body, coding)
        if len(body) >= len(response.body):
            return response
        response.headers.append(("content-encoding", coding))
        return msgspec.structs.replace(response, body=body)

    async def _encode(self, body: bytes, coding: Coding) -> bytes:
        if len(body) <= SLICE:
            return zlib.compress(body, self._level, _WINDOW_BITS[coding])
        async with self._turn:
            encoder = zlib.compressobj(self._level, zlib.DEFLATED, _WINDOW_BITS[coding])
            parts: list[bytes] = []
            view = memoryview(body)
            for start in range(0, len(body), SLICE):
                parts.append(encoder.compress(view[start : start + SLICE]))
                await trio.lowlevel.checkpoint()
            parts.append(encoder.flush())
        return b"".join(parts)


def _vary(headers: Headers, field: str) -> None:
    """Tell caches that the answer depends on this field of the request, too."""
    for number, (name, value) in enumerate(headers):
        if name.lower() == "vary":
            headers[number] = (name, f"{value}, {field}")
            return
    headers.append(("vary", field))
