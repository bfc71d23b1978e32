"""What an application does with each HTTP request before the engine looks at it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import trio

from trio_socketio._engine.http import NOT_MODIFIED, Headers, Request, Response
from trio_socketio._exceptions import ConnectionRefused
from trio_socketio._logging import scope_logger, shortened, show_error
from trio_socketio._wire.engine_handshake import Refusal

_logger = scope_logger("engine")

Middleware: TypeAlias = Callable[[Request], Awaitable[Response | None]]

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*")


_FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Ours to say: two that contradict each other are how requests and answers get mixed up."""


def unfit_headers(headers: Headers) -> Headers:
    """Return those headers of the application's that can't be sent."""
    return [header for header in headers if not _HEADER.fullmatch(": ".join(header)) or header[0].lower() in _FRAMING]


async def ask_middlewares(
    middlewares: Sequence[Middleware], request: Request, seconds: float
) -> Response | tuple[Refusal, str | None] | None:
    """Ask one after the other, until one has an answer, or refuses.

    Args:
        middlewares: in order.
        request: what they are asked about.
        seconds: that they may take together.
    """
    try:
        with trio.fail_after(seconds):
            for middleware in middlewares:
                answer = await middleware(request)
                if answer is not None:
                    return answer if _is_fit(answer) else Response(500)
    except ConnectionRefused as refusal:
        return Refusal.FORBIDDEN, refusal.message
    except Exception as error:
        _logger.exception("a middleware raised: the request is refused")
        show_error(error, "middleware")
        return Refusal.BAD_REQUEST, None
    return None


def _is_fit(answer: object) -> bool:
    if not isinstance(answer, Response):
        _logger.error("a middleware returned %s, not a Response or None: its client pays", shortened(answer))
        return False
    try:
        fits = _fits(answer)
    except (TypeError, AttributeError):  # It holds what is no text, or no bytes.
        fits = False
    if not fits:
        _logger.error("a middleware made a response that can't be sent, %s: its client pays", shortened(answer))
    return fits


def _fits(answer: Response) -> bool:
    content_type = [] if answer.content_type is None else [("content-type", answer.content_type)]
    has_body = bool(memoryview(answer.body))
    bodiless = answer.status in {204, NOT_MODIFIED}
    return (
        200 <= answer.status <= 599
        and not (bodiless and has_body)
        and not unfit_headers([*content_type, *answer.headers])
    )
