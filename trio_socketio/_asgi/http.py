"""HTTP over ASGI: one request, one response, and two things that hosts make hard.

A client that gives its request up is only seen by whoever calls ``receive``: so somebody always does. And a ``send`` to
a client that doesn't read may be impossible to cancel: so it runs in the server's nursery, and this call, which the host
waits for, goes when the write deadline is over; that makes the host drop the connection.
"""

from __future__ import annotations

from functools import partial
from typing import final

import trio

from trio_socketio._asgi.scope import Message, Receive, Send, drain, raw
from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.http import BodyTooLarge, Request, Response
from trio_socketio._engine.server import EngineServer
from trio_socketio._logging import scope_logger

_logger = scope_logger("engine")


@final
class RequestBody:
    """The body of one request, and the news that its client has gone."""

    __slots__ = ("_abandoned", "_receive", "complete")

    def __init__(self, receive: Receive, abandoned: trio.CancelScope) -> None:
        self._receive = receive
        self._abandoned = abandoned
        self.complete = False
        """All of it has been received."""

    async def read(self, limit: int) -> bytes:
        """Read it whole; see ``ReadBody``."""
        body = bytearray()
        while not self.complete:
            body += (await self._next()).get("body", b"")
            if len(body) > limit:
                raise BodyTooLarge
        return bytes(body)

    async def watch(self) -> None:
        """Read on and drop it, until the client has gone."""
        while True:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._abandoned.cancel()
            await trio.sleep_forever()
        self.complete = not message.get("more_body", False)
        return message


@trio.lowlevel.enable_ki_protection
async def serve_http(engine: EngineServer, request: Request, receive: Receive, send: Send) -> None:
    """Serve one request."""
    response: Response | None = None
    abandoned = trio.CancelScope()
    body = RequestBody(receive, abandoned)
    with abandoned:
        if request.method == "GET":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(body.watch)
                response = await engine.handle_http(request, body.read)
                nursery.cancel_scope.cancel()
        else:
            response = await engine.handle_http(request, body.read)
    # The client may go in the very moment in which its answer was made: what is in it is lost then, too.
    if abandoned.cancel_called or response is None:
        engine.undelivered(request, response, CloseReason.TRANSPORT_ERROR)
        return
    if not body.complete:
        engine.start_soon(partial(drain, receive))
        if "transfer-encoding" in request.headers or request.content_length:
            # Nobody will make use of the rest: the connection can't be used again.
            response.headers.append(("connection", "close"))
    failure = await send_response(engine, send, response, request.method)
    if failure is not None:
        engine.undelivered(request, response, failure)


async def send_response(engine: EngineServer, send: Send, response: Response, method: str) -> CloseReason | None:
    """Send the response to a request of this method, for as long as a write may take.

    Returns:
        Why it did not go out, as far as the host lets us know; ``None`` if it did.
    """
    # "The server MUST NOT send content in the response" to HEAD; not all hosts see to that.
    body = b"" if method == "HEAD" else response.body
    writing = trio.CancelScope()
    sent = trio.Event()
    failure: CloseReason | None = CloseReason.SLOW_CONSUMER

    async def write() -> None:
        nonlocal failure
        try:
            with writing:
                await send(
                    {"type": "http.response.start", "status": response.status, "headers": raw(response.header_list())}
                )
                await send({"type": "http.response.body", "body": body})
                failure = None
        except Exception as error:  # noqa: BLE001 - hosts raise all sorts when the client has gone
            failure = CloseReason.TRANSPORT_ERROR
            _logger.debug("a response could not be sent: %r", error)
        finally:
            sent.set()

    if engine.start_soon(write):
        try:
            with trio.move_on_after(engine.limits.write_deadline):
                await sent.wait()
        finally:
            # Where the host lets a send be cancelled, nothing is left of it; where not, we have gone, and that frees it.
            writing.cancel()
    else:
        await write()
    return failure
