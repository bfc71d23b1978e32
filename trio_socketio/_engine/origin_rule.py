"""The decision about a request's ``Origin``, and the headers that follow from it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import final

from trio_socketio._engine.cors import CORS
from trio_socketio._engine.http import Headers, Request, Response
from trio_socketio._engine.origin import OPAQUE, is_same_origin, parse_origin
from trio_socketio._logging import scope_logger, shortened, show_error

_logger = scope_logger("engine")

MAX_ORIGIN = 300
"""Characters of an origin that patterns and functions are asked about: a host's name has 253 at most."""

_SERIALISED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
"""What a browser sends (RFC 6454, 6.2), and can be sent back."""

# Whether a request is served at all depends on it.
_VARY = ("vary", "Origin")


@final
class OriginRule:
    """Lets requests through by their ``Origin``; made once from the settings."""

    __slots__ = ("_check", "_cors", "_granted", "_listed", "_patterns")

    def __init__(self, cors: CORS | None) -> None:
        self._cors = cors
        self._listed = {} if cors is None else {parse_origin(origin) or origin: origin for origin in cors.listed}
        self._patterns = () if cors is None else cors.patterns
        self._check = cors.origins if cors is not None and callable(cors.origins) else None
        self._granted: Headers = []
        if cors is not None and cors.credentials:
            self._granted.append(("access-control-allow-credentials", "true"))
        if cors is not None and cors.exposed_headers:
            self._granted.append(("access-control-expose-headers", ", ".join(cors.exposed_headers)))

    def judge(self, request: Request) -> tuple[bool, Headers]:
        """Say whether the request may be served, and with which headers it is answered in any case."""
        origin = request.headers.get("origin")
        if self._cors is not None and self._cors.origins == "*":
            return True, self._headers("*")
        # Without one it comes from no browser.
        if origin is None:
            return True, [_VARY]
        listed = self._listed.get(parse_origin(origin) or origin) if self._listed else None
        if listed is not None:
            # What is sent back is our text, not the client's.
            return True, self._headers(listed)
        if is_same_origin(origin, host=request.host, secure=request.secure):
            return True, [_VARY]
        if self._matches(origin, request):
            return True, self._headers(origin)
        return False, [_VARY]

    def _headers(self, allowed: str) -> Headers:
        return [("access-control-allow-origin", allowed), *self._granted, _VARY]

    def _matches(self, origin: str, request: Request) -> bool:
        if self._check is None and not self._patterns:
            return False
        is_opaque = origin == OPAQUE
        if not is_opaque and (len(origin) > MAX_ORIGIN or not _SERIALISED.fullmatch(origin)):
            return False
        if self._check is not None:
            return _ask(self._check, origin, request)
        return not is_opaque and any(pattern.fullmatch(origin) for pattern in self._patterns)

    def preflight(self, request: Request) -> Response | None:
        """Answer a browser's question before a request of another origin; ``None`` if it isn't one."""
        cors = self._cors
        if cors is None or request.method != "OPTIONS":
            return None
        headers = [
            ("access-control-allow-methods", ", ".join(cors.methods)),
            ("access-control-allow-headers", ", ".join(cors.allowed_headers)),
        ]
        if cors.max_age is not None:
            headers.append(("access-control-max-age", str(cors.max_age)))
        return Response(cors.options_status, headers=headers)


def _ask(check: Callable[[str, Request], object], origin: str, request: Request) -> bool:
    try:
        verdict = check(origin, request)
    except Exception as error:
        _logger.exception("CORS(origins=...) raised: the client is refused")
        show_error(error, "cors")
        return False
    if isinstance(verdict, bool):
        return verdict
    if inspect.iscoroutine(verdict):
        verdict.close()  # Nobody will await it.
    _logger.error("CORS(origins=...) returned %s, not True or False: the client is refused", shortened(verdict))
    return False
