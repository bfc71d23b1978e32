"""The decision about a request's ``Origin``, and the headers that follow from it."""

from __future__ import annotations

from typing import final

from trio_socketio._engine.cors import CORS
from trio_socketio._engine.http import Headers, Request, Response
from trio_socketio._engine.origin import is_same_origin, matching_origin


@final
class OriginRule:
    """Lets requests through by their ``Origin``; made once from the settings."""

    __slots__ = ("_cors",)

    def __init__(self, cors: CORS | None) -> None:
        self._cors = cors

    def allows(self, request: Request) -> bool:
        """Say whether the request may be served: without an ``Origin`` it comes from no browser."""
        origin = request.headers.get("origin")
        if origin is None:
            return True
        if self._cors is not None and matching_origin(origin, self._cors.origins) is not None:
            return True
        return is_same_origin(origin, host=request.headers.get("host"), secure=request.secure)

    def headers(self, request: Request) -> Headers:
        """Headers that every answer to this request carries."""
        headers: Headers = []
        cors = self._cors
        allowed = None if cors is None else matching_origin(request.headers.get("origin", ""), cors.origins)
        if cors is not None and allowed is not None:
            headers.append(("access-control-allow-origin", allowed))
            if cors.credentials:
                headers.append(("access-control-allow-credentials", "true"))
        # Whether a request is served at all depends on it.
        headers.append(("vary", "Origin"))
        return headers

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
        return Response(204, headers=headers)
