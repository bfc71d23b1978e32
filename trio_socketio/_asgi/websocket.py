"""WebSocket over ASGI.

On stock hypercorn a ``send`` to a client that doesn't read can't be cancelled, and it holds up whoever waits for it: the
connection's task, a shutdown. There is a way out. The task that sends belongs to the server's nursery (the engine sees
to that), so this call can return while it is stuck; and closing *within a cancelled scope* moves the host's state to
closed without a write, so that the host then drops the connection, which frees the sender.
"""

from __future__ import annotations

from functools import partial
from typing import final

import trio

from trio_socketio._asgi.scope import Receive, Scope, Send, drain, raw
from trio_socketio._engine.http import Request, Response
from trio_socketio._engine.server import Admission, EngineServer
from trio_socketio._engine.statistics import Counters
from trio_socketio._engine.transport import StreamFailure, Take
from trio_socketio._logging import scope_logger
from trio_socketio._wire.engine_packet import encoded_size

_logger = scope_logger("engine")

EXTENSION = "websocket.http.response"

NORMAL_CLOSURE = 1000
MESSAGE_TOO_BIG = 1009


@final
class ASGIMessageStream:
    """The engine's message stream on an accepted ASGI WebSocket."""

    __slots__ = ("_code", "_counters", "_max_message", "_receive", "_send", "closed", "drained")

    def __init__(self, receive: Receive, send: Send, max_message: int, counters: Counters) -> None:
        self._receive = receive
        self._send = send
        self._max_message = max_message
        self._counters = counters
        self._code = NORMAL_CLOSURE
        self.closed = False
        """The host knows that it is over."""
        self.drained = False
        """The host has said so itself, and nothing comes after that."""

    async def pump(self, take: Take) -> None:
        """Hand on each message; see ``MessageStream``."""
        while True:
            waiting = take(await self.receive())
            if waiting is not None:
                await waiting

    async def receive(self) -> str | bytes:
        """Receive a message; see ``MessageStream``."""
        event = await self._receive()
        if event["type"] != "websocket.receive":
            self.closed = self.drained = True
            raise trio.EndOfChannel
        text = event.get("text")
        message: str | bytes = event["bytes"] if text is None else text
        size = encoded_size(message)
        if size > self._max_message:
            self._code = MESSAGE_TOO_BIG
            raise StreamFailure
        self._counters.packets_received += 1
        self._counters.bytes_received += size
        return message

    async def send(self, message: str | bytes) -> None:
        """Send a message; see ``MessageStream``."""
        # After a disconnect hosts drop what is sent and return at once: without this check the writer would spin.
        if self.closed:
            raise trio.BrokenResourceError
        key = "text" if isinstance(message, str) else "bytes"
        try:
            await self._send({"type": "websocket.send", key: message})
        except Exception as error:
            # Hosts raise all sorts when the client has gone.
            self.closed = True
            raise trio.BrokenResourceError from error
        self._counters.packets_sent += 1
        self._counters.bytes_sent += encoded_size(message)

    async def aclose(self) -> None:
        """Close with a close frame."""
        if not self.closed:
            try:
                await self._send({"type": "websocket.close", "code": self._code})
            except Exception as error:  # noqa: BLE001 - as above
                _logger.debug("a WebSocket could not be closed: %r", error)
            finally:
                self.closed = True

    async def abort(self) -> None:
        """Tell the host that it is over, without a write: a sender that is stuck is freed when we return to the host."""
        with trio.CancelScope() as scope:
            scope.cancel()
            await self.aclose()


@trio.lowlevel.enable_ki_protection  # hypercorn loses what is raised before the WebSocket is accepted
async def serve_websocket(engine: EngineServer, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one WebSocket request."""
    await receive()
    admission = await _admit(engine, request, receive)
    if admission is None:
        return
    if isinstance(admission, Response):
        await _refuse(send, admission, with_response=EXTENSION in (scope.get("extensions") or {}))
        return
    # Browsers fail the connection if they asked for subprotocols and none is chosen. It means nothing here.
    subprotocol = next(iter(scope.get("subprotocols") or ()), None)
    await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": raw(admission.headers)})
    stream = ASGIMessageStream(receive, send, engine.limits.max_payload, engine.counters)
    try:
        await engine.carry(admission, stream)
    finally:
        if not stream.drained:
            engine.start_soon(partial(drain, receive))
        await stream.abort()  # noqa: ASYNC102 - in a scope that is cancelled already


async def _admit(engine: EngineServer, request: Request, receive: Receive) -> Admission | Response | None:
    """Decide about the request; ``None`` if its client has left before that."""
    if engine.config.allow_request is None:
        return await engine.admit(request)
    admission: Admission | Response | None = None
    left = False

    async def watch() -> None:
        nonlocal left
        await receive()  # Before the handshake is answered, only the end can come.
        left = True
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        admission = await engine.admit(request)
        nursery.cancel_scope.cancel()
    return None if left else admission


async def _refuse(send: Send, response: Response, *, with_response: bool) -> None:
    if not with_response:
        await send({"type": "websocket.close"})  # the host answers 403
        return
    headers = raw([*response.header_list(), ("connection", "close")])
    await send({"type": f"{EXTENSION}.start", "status": response.status, "headers": headers})
    await send({"type": f"{EXTENSION}.body", "body": response.body})
