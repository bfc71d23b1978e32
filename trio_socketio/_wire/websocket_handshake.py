"""The opening handshake of RFC 6455, the server's side: is it an upgrade to WebSocket, and what is the answer.

That a request has exactly one ``Host``, and is well-formed, is the business of whoever read it. Here headers are given
by their names in lower case, those that came several times joined by ", ". Whatever they hold, nothing is raised.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import final

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # 1.3
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2


@final
@dataclass(frozen=True, slots=True)
class Accepted:
    """Answer 101 with these headers; frames follow."""

    headers: list[tuple[str, str]]


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """Answer with this status, headers and message."""

    status: int
    message: str
    headers: list[tuple[str, str]]


def wants_websocket(headers: Mapping[str, str]) -> bool:
    """Whether the request asks to go on with WebSocket; not whether it may."""
    return _has_token(headers.get("upgrade", ""), "websocket") and _has_token(headers.get("connection", ""), "upgrade")


def answer(method: str, headers: Mapping[str, str], *, http_minor: int = 1) -> Accepted | Refused:
    """Check a request that wants WebSocket, by 4.2.1, and make the answer, by 4.2.2.

    Extensions that the client offers are never accepted.

    Args:
        method: the HTTP method.
        headers: the request's.
        http_minor: the x in HTTP/1.x.
    """
    if method != "GET":
        return Refused(405, "a WebSocket begins with GET", [("allow", "GET")])
    # RFC 9110, 7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request."
    if http_minor < 1 or not wants_websocket(headers):
        return Refused(400, "not a WebSocket handshake", [])
    # Its bytes would be read as frames.
    if headers.get("content-length", "0").strip() != "0" or "transfer-encoding" in headers:
        return Refused(400, "a WebSocket handshake has no body", [])
    version = headers.get("sec-websocket-version")
    if version is None:
        return Refused(400, "no Sec-WebSocket-Version", [])
    if version.strip() != "13":
        # 4.4 asks for the version, RFC 9110 15.5.22 for the protocol.
        return Refused(426, "only version 13", [("sec-websocket-version", "13"), ("upgrade", "websocket")])
    key = headers.get("sec-websocket-key", "").strip()
    if not _is_key(key):
        return Refused(400, "illegal Sec-WebSocket-Key", [])
    return Accepted(_headers(key, headers.get("sec-websocket-protocol", "")))


def _headers(key: str, protocols: str) -> list[tuple[str, str]]:
    digest = sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    found = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", b64encode(digest).decode())]
    # It means nothing here. But a browser that offers any fails the connection if none is chosen.
    first = next(filter(None, _elements(protocols)), "")
    if _TOKEN.fullmatch(first):
        found.append(("sec-websocket-protocol", first))
    return found


def _is_key(key: str) -> bool:
    # 4.2.1: "a base64-encoded [...] value that, when decoded, is 16 bytes in length"
    try:
        return len(key) == 24 and len(b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def _has_token(value: str, token: str) -> bool:
    # Without the check the Kelvin sign would be a k.
    return value.isascii() and token in [element.lower() for element in _elements(value)]


def _elements(value: str) -> list[str]:
    return [element.strip(" \t") for element in value.split(",")]
