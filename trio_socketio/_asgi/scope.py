"""ASGI's types, the engine's request out of an ASGI scope, and what every connection must still be read for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from trio_socketio._engine.http import Headers, Request
from trio_socketio._logging import scope_logger

_logger = scope_logger("engine")

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApplication: TypeAlias = Callable[[Any, Any, Any], Awaitable[Any]]
"""Any ASGI 3 application; frameworks annotate theirs in ways of their own."""


def request_of(scope: Scope, path: str) -> Request:
    """Make the engine's request; ``path`` is without the prefix that we are mounted under."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        # HTTP/2 and 3 cut cookies into headers of their own: "concatenated using the two-octet delimiter of 0x3b, 0x20".
        separator = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{separator}{value}" if name in headers else value
    client = scope.get("client")
    return Request(
        method=scope.get("method", "GET"),
        path=path,
        query_string=(scope.get("query_string") or b"").decode("latin-1"),
        headers=headers,
        client=None if client is None else client[0],
        secure=scope.get("scheme") in {"https", "wss"},
    )


def raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Encode headers as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def drain(receive: Receive) -> None:
    """Take what still comes, and drop it, until the client has gone.

    Hosts hand events over by a short queue, and some wait for ever on an application that doesn't take them.
    """
    try:
        while (await receive())["type"] not in {"http.disconnect", "websocket.disconnect"}:
            pass
    except Exception as error:  # noqa: BLE001 - nobody else is hurt: others end the queue with the application's call
        _logger.debug("a connection could not be drained: %r", error)
