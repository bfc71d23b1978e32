"""HTTP requests and responses as values: all that the engine knows of whoever serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias, final
from urllib.parse import unquote_plus

import msgspec
import trio

from trio_socketio._wire.engine_handshake import Refusal

Headers: TypeAlias = list[tuple[str, str]]
"""Names and values of a response's headers, in order; a hook may change the list in place."""

MAX_QUERY_FIELDS = 100
NOT_MODIFIED = 304

_NO_STORE = ("cache-control", "no-store")
_NO_SNIFF = ("x-content-type-options", "nosniff")


class BodyTooLarge(Exception):  # noqa: N818 - it is caught where it is raised; users never see it
    """A request's body is longer than it may be."""


ReadBody: TypeAlias = Callable[[int], Awaitable[bytes]]
"""Reads a whole body of at most so many bytes, or raises BodyTooLarge; a client that is gone cancels the call."""


class ClientGone(Exception):  # noqa: N818 - caught where the request came from; users never see it
    """The client has given its request up."""


class Hold(Protocol):
    """How a request waits for its answer."""

    def release(self) -> None:
        """Let it go on. Synchronous; may come before the wait, and more than once."""

    async def wait(self) -> None:
        """Wait for ``release``.

        Raises:
            ClientGone: the client has left meanwhile, where the host does not cancel the call instead.
        """


@final
class EventHold:
    """A hold for hosts that cancel the call when the client leaves."""

    __slots__ = ("_released",)

    def __init__(self) -> None:
        self._released = trio.Event()

    def release(self) -> None:
        """See ``Hold``."""
        self._released.set()

    async def wait(self) -> None:
        """See ``Hold``."""
        await self._released.wait()


@final
class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request's head.

    Args:
        method: in capitals.
        path: decoded, without the query and without the prefix that the application is mounted under.
        query_string: as it came.
        headers: names in lower case; the values of repeated ones are joined by ``", "``, those of cookies by ``"; "``.
        client: the peer's address, or ``None`` if there is none (a unix socket).
        secure: it came over TLS.
        forwarded_host: what a trusted proxy says that the client asked for; see ``TrustedProxies``.
    """

    method: str
    path: str
    query_string: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    client: str | None = None
    secure: bool = False
    forwarded_host: str | None = None
    _state: dict[str, Any] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What the application notes about the request, such as who has made it: empty at first.

        A middleware and ``allow_request`` fill it; of the request that opened the session it is ``Handshake.state``.
        """
        if self._state is None:
            msgspec.structs.force_setattr(self, "_state", {})
        assert self._state is not None  # noqa: S101 - it was made just now
        return self._state

    @property
    def host(self) -> str | None:
        """The host and the port that the client asked for: what a trusted proxy says, else the header ``Host``."""
        return self.forwarded_host or self.headers.get("host")

    @property
    def url(self) -> str:
        """The path and the query, as in the request line."""
        return f"{self.path}?{self.query_string}" if self.query_string else self.path

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; of a repeated one the first. A query with too many fields counts as empty."""
        parts = self.query_string.split("&")
        if len(parts) > MAX_QUERY_FIELDS:
            return {}
        fields: dict[str, str] = {}
        for part in parts:
            name, _, value = part.partition("=")
            if "%" in part or "+" in part:
                name, value = unquote_plus(name), unquote_plus(value)
            if part:
                fields.setdefault(name, value)
        return fields

    @property
    def content_length(self) -> int | None:
        """The announced length of the body in bytes; ``None`` if it isn't announced."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None


@final
class Response(msgspec.Struct, frozen=True):
    """A whole response.

    Args:
        status: of HTTP.
        body: what is sent.
        content_type: of the body.
        headers: more of them; the body's length and what every answer carries come by themselves.
        compress: it may be compressed, if that is set up and the client takes it.
    """

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: Headers = msgspec.field(default_factory=list)
    compress: bool = False

    def header_list(self) -> Headers:
        """All headers, with the type and the length of the body and what every answer carries."""
        headers = [] if self.content_type is None else [("content-type", self.content_type)]
        if self.status != NOT_MODIFIED:
            headers.append(("content-length", str(len(self.body))))
        # Answers are one client's own, and never anything but what they say they are.
        for name, _ in self.headers:
            if name.lower() == "cache-control":
                break
        else:
            headers.append(_NO_STORE)
        headers.append(_NO_SNIFF)
        return headers + self.headers


def refused(refusal: Refusal, message: str | None = None) -> Response:
    """Make the answer to a request that is not served."""
    return Response(refusal.status, refusal.body(message), "application/json")


def refused_websocket(refusal: Refusal, message: str | None = None) -> Response:
    """Make the answer to a WebSocket request that is not served: the plain message, as the reference's."""
    return Response(refusal.status, (message or refusal.message).encode(), "text/html")
