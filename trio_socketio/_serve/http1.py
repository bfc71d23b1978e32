"""HTTP/1.1 without I/O: request heads, chunked bodies, answers.

Parsing is llhttp's, by httptools, and as strict as it comes: Content-Length beside Transfer-Encoding, a bare line feed, a
folded header, a chunk size that is none are refused there. What it leaves to its users is done here: how large a head may
be, which versions and hosts are accepted, and where a head ends. That it must end where *we* find the blank line is what
keeps pipelined requests apart: the parser of a head is never given a byte beyond it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import final
from urllib.parse import unquote

import httptools

from trio_socketio._engine.http import BodyTooLarge, Request
from trio_socketio._limits import Limits
from trio_socketio._serve.link import Link

END_OF_HEAD = b"\r\n\r\n"

_NAMES = {
    name.encode(): name.lower()
    for name in (
        "Host", "Connection", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Length",
        "Cookie", "Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Pragma", "Cache-Control",
    )
}  # fmt: skip
"""What is in nearly every request, as it is nearly always written."""

_LINE_ENDS = (b"\r", b"\n")

_VERSIONS = {b" HTTP/1.1": "1.1", b" HTTP/1.0": "1.0"}

_REASONS = {status.value: status.phrase for status in HTTPStatus}

BLANK_LINES = 8
"""Bytes of line ends that are passed over in front of a request."""

FRAMING = 8
"""Bytes of chunk sizes and the like for each byte of a chunked body: a body in chunks of one byte has five."""


class BadRequest(Exception):  # noqa: N818 - caught where the connection is served
    """A request that is refused before anybody has seen it.

    Args:
        status: of the answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@final
@dataclass(slots=True)
class Head:
    """A request's head."""

    raw: bytes
    """As it came, with the blank line."""
    method: str
    target: str
    path: str
    """Decoded, without the query."""
    query_string: str
    headers: dict[str, str]
    """Names in lower case; the values of repeated ones are joined."""
    keep_alive: bool
    is_old: bool
    """HTTP/1.0."""
    content_length: int
    chunks: ChunkedBody | None
    """Reads the body, if it is chunked."""

    def request(self, path: str, link: Link) -> Request:
        """Make the engine's request, with its own path."""
        return Request(
            method=self.method,
            path=path,
            query_string=self.query_string,
            headers=self.headers,
            client=link.client,
            secure=link.secure,
        )


@final
class HeadReader:
    """Cuts one head out of what comes.

    Args:
        limits: how large it may be.
    """

    __slots__ = ("_blank", "_count", "_headers", "_keep_alive", "_limits", "_parser", "_raw", "_target", "rest")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._headers: dict[str, str] = {}
        self._count = 0
        self._keep_alive = False
        self._target = b""
        self._raw = b""
        self._blank = 0
        self._parser = httptools.HttpRequestParser(self)
        self.rest = b""
        """What came behind the head."""

    @property
    def has_begun(self) -> bool:
        """Part of a head is there."""
        return bool(self._raw)

    def feed(self, data: bytes) -> Head | None:
        """Take bytes; the head, once it is whole.

        Raises:
            BadRequest: it will never be one.
        """
        former = len(self._raw)
        if not former:
            # "a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty line"
            data = self._without_blank_lines(data) if data[:1] in _LINE_ENDS else data
        raw = self._raw = self._raw + data if former else data
        end = raw.find(END_OF_HEAD, max(former - 3, 0))
        if end < 0:
            self._parse(data)
            self._check_size(len(raw))
            return None
        end += len(END_OF_HEAD)
        self._parse(data[: end - former])
        self._check_size(end)
        self.rest = raw[end:]
        return self._head(raw[:end])

    def _without_blank_lines(self, data: bytes) -> bytes:
        text = data.lstrip(b"\r\n")
        self._blank += len(data) - len(text)
        if self._blank > BLANK_LINES:
            raise BadRequest(HTTPStatus.BAD_REQUEST)
        return text

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # It would have us stop here, as we do.
        except httptools.HttpParserError as error:
            raise BadRequest(_status_of(error)) from error

    def _check_size(self, size: int) -> None:
        if len(self._target) > self._limits.max_target:
            raise BadRequest(HTTPStatus.REQUEST_URI_TOO_LONG)
        if size > self._limits.max_head or self._count > self._limits.max_header_fields:
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _head(self, raw: bytes) -> Head:
        parser, headers = self._parser, self._headers
        # Not the parser's word: it takes RTSP for HTTP.
        version = _VERSIONS.get(raw[raw.index(b"\r") - 9 : raw.index(b"\r")])
        if version is None:
            raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        # "A server that receives a request message with a transfer coding it does not understand SHOULD respond with 501
        # (Not Implemented)."
        coding = headers.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise BadRequest(HTTPStatus.NOT_IMPLEMENTED)
        # "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host
        # header field and to any request message that contains more than one": joined, they have a comma.
        if "," in headers.get("host", "," if version == "1.1" else ""):
            raise BadRequest(HTTPStatus.BAD_REQUEST)
        target = _origin_form(self._target)
        path, _, query = target.partition("?")
        length = headers.get("content-length", "0")
        if len(length) > 16:
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return Head(
            raw=raw,
            method=parser.get_method().decode("ascii"),
            target=target,
            path=unquote(path) if "%" in path else path,
            query_string=query,
            headers=headers,
            keep_alive=self._keep_alive,
            is_old=version == "1.0",
            content_length=int(length),
            chunks=None if coding is None else ChunkedBody(),
        )

    # Called by the parser

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field."""
        self._count += 1
        if self._count > self._limits.max_header_fields:
            return  # One too many: refused in a moment.
        key, text = _NAMES.get(name) or name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        headers = self._headers
        headers[key] = f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """Note whether the connection goes on: at the end of the message, the parser has forgotten it."""
        self._keep_alive = self._parser.should_keep_alive()


@final
class ChunkedBody:
    """A chunked body.

    It has a parser of its own: that of the head stops for good where a request asks for an upgrade, and may have a body
    nevertheless. What comes behind the body in the same piece can't be told apart from it: the connection must be closed.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        self._body = bytearray()
        self._raw = 0
        self.is_complete: bool = False
        """Its end is there; what comes behind it is not its."""

    def feed(self, data: bytes, *, limit: int, max_head: int) -> bytes | None:
        """Take bytes; the body, once it is whole.

        Raises:
            BadRequest: it is broken, or mostly something else than a body.
            BodyTooLarge: it is longer than ``limit``.
        """
        self._raw += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.is_complete:
                raise BadRequest(HTTPStatus.BAD_REQUEST) from error
        if len(self._body) > limit:
            raise BodyTooLarge
        if not self.is_complete and self._raw > FRAMING * len(self._body) + max_head:
            raise BadRequest(HTTPStatus.BAD_REQUEST)
        return bytes(self._body) if self.is_complete else None

    # Called by the parser

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        if not self.is_complete:
            self._body += data

    def on_message_complete(self) -> None:
        """Note its end."""
        self.is_complete = True


def _origin_form(target: bytes) -> str:
    text = target.decode("latin-1")
    if "://" not in text or text.startswith("/"):
        return text
    # "To allow for transition to the absolute-form for all requests in some future version of HTTP, a server MUST
    # accept the absolute-form in requests."
    _, _, after = text.partition("://")
    authority = after.partition("?")[0].partition("/")[0]
    rest = after.removeprefix(authority)
    return rest if rest.startswith("/") else "/" + rest


def _status_of(error: httptools.HttpParserError) -> int:
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        return HTTPStatus.NOT_IMPLEMENTED
    return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED if "version" in str(error) else HTTPStatus.BAD_REQUEST


def encode_answer(
    status: int, headers: Iterable[tuple[str, str]], body: bytes = b"", *, closing: bool = False, date: bool = True
) -> bytes:
    """Make the bytes of an answer; ``headers`` must say the body's length."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if date:
        lines.append(f"date: {_date.text()}")
    if closing:
        lines.append("connection: close")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body


def encode_refusal(status: int, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Make the answer to a bad request, after which the connection is closed."""
    body = _REASONS.get(status, "").encode()
    plain = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
    return encode_answer(status, [*plain, *headers], body, closing=True)


@final
class _Date:
    """The Date header, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def text(self) -> str:
        second = int(time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


_date = _Date()
