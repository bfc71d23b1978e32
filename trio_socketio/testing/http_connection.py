"""HTTP/1.1, the client's side: one request after the other on one connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import httptools
import trio

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio.testing.http_answer import HTTPAnswer
from trio_socketio.testing.memory_stream import MemoryStream

HOST = "memory.invalid"
"""The name that servers in memory have; nobody looks it up."""

MOST = 16_777_216
"""Bytes of an answer; more is a mistake."""


def encode_request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Make a request; ``host`` and ``content-length`` are added if they are not given."""
    fields = {"host": HOST} | {name.lower(): value for name, value in headers.items()}
    if body or method in {"POST", "PUT", "PATCH"}:
        fields.setdefault("content-length", str(len(body)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@final
class _AnswerReader:
    """Collects an answer, as httptools reads it."""

    def __init__(self, *, is_bodiless: bool) -> None:
        self._is_bodiless = is_bodiless
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.is_whole = self._is_bodiless

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_whole = True


@final
class HTTPConnection:
    """A connection that is used for one request at a time.

    Args:
        stream: the client's end of it.
    """

    def __init__(self, stream: MemoryStream) -> None:
        self.stream: MemoryStream = stream
        self.rest: bytes = b""
        """What came behind an answer with 101."""
        self._is_closing = False

    @property
    def is_usable(self) -> bool:
        """Another request may go over it."""
        return not self._is_closing and not self.stream.has_ended

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HTTPAnswer:
        """Send a request, and wait for its answer.

        Raises:
            trio.BrokenResourceError: the connection is gone, with or without part of an answer.
            RemoteProtocolError: what came is no answer.
        """
        request = encode_request(method, target, headers or {}, body)
        self._is_closing = True  # until the answer has come, whole
        await self.stream.send_all(request)
        return await self._answer(is_bodiless=method == "HEAD")

    async def _answer(self, *, is_bodiless: bool) -> HTTPAnswer:
        reader = _AnswerReader(is_bodiless=is_bodiless)
        parser = httptools.HttpResponseParser(reader)
        while not reader.is_whole:
            data = await self.stream.receive_some()
            if not data or len(reader.body) > MOST:
                msg = f"the connection ended in an answer, after {len(reader.body)} bytes of its body"
                raise trio.BrokenResourceError(msg)
            try:
                parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self.rest = data[upgrade.args[0] :]
                break
            except httptools.HttpParserError as error:
                msg = f"the server's answer is not HTTP: {data[:100]!r}"
                raise RemoteProtocolError(msg) from error
        self._is_closing = "close" in reader.headers.get("connection", "").lower()
        return HTTPAnswer(status=parser.get_status_code(), headers=reader.headers, body=bytes(reader.body))
