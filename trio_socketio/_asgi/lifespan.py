"""The ASGI lifespan: the time in which the server runs, and the other application's lifespan inside it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import final

import trio

from trio_socketio._asgi.scope import ASGIApplication, Message, Receive, Scope, Send
from trio_socketio._engine.server import EngineServer
from trio_socketio._logging import scope_logger

_logger = scope_logger("serve")

SECONDS = 1.0
"""How long the host may take to hear that the server has failed."""


async def serve_lifespan(
    engine: EngineServer, other: ASGIApplication | None, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run the engine, unless somebody does already, from the host's start-up to its shutdown."""
    running: AbstractAsyncContextManager[None] = nullcontext() if engine.is_running else engine.running()
    exchange = _Exchange(receive, send)
    try:
        async with running:
            if other is None or not await exchange.hand_to(other, scope):
                await exchange.answer()
    except Exception as error:
        if exchange.failed:
            raise
        # A host would go on serving with a dead application: a late refusal makes it fail.
        _logger.exception("the server has failed")
        with trio.CancelScope(shield=True, deadline=trio.current_time() + SECONDS):
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise


@final
class _Exchange:
    """The four messages of a lifespan, of which another application may have taken or sent some."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._started = False
        self._answered = False
        self.failed = False
        """The host has been told of a failure already."""

    async def receive(self) -> Message:
        message = await self._receive()
        self._started = self._started or message["type"] == "lifespan.startup"
        return message

    async def send(self, message: Message) -> None:
        self._answered = True
        self.failed = self.failed or message["type"].endswith(".failed")
        await self._send(message)

    async def hand_to(self, other: ASGIApplication, scope: Scope) -> bool:
        """Let an application have its lifespan; ``False`` if it turns out to have none."""
        try:
            await other(scope, self.receive, self.send)
        except Exception as error:
            if self._answered:
                raise
            # "If an exception is raised when calling the application callable with a lifespan.startup message, the
            # server must continue": that is how an application says that it has no lifespan.
            _logger.debug("the other application has no lifespan: %r", error)
        return self._answered

    async def answer(self) -> None:
        """Answer for an application without a lifespan."""
        if not self._started:
            await self.receive()
        await self.send({"type": "lifespan.startup.complete"})
        await self.receive()
        await self.send({"type": "lifespan.shutdown.complete"})
