"""ASGI's types, and the engine's request out of an ASGI scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from trio_socketio._engine.http import Headers, Request

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
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    client = scope.get("client")
    return Request(
        method=scope.get("method", "GET"),
        path=path,
        query_string=scope["query_string"].decode("latin-1"),
        headers=headers,
        client=None if client is None else client[0],
        secure=scope["scheme"] in {"https", "wss"},
    )


def raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Encode headers as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
