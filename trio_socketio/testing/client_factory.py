"""Clients of a test that are opened by a call and closed when the test is over: what the fixture ``socketio_client`` gives.

A client is a block of its own nursery, and a nursery is left by the task that has entered it. So each client is a task,
which waits in its block for the end of the test; nothing of it is bound to the task that has asked for it.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, final

import trio
from trio.testing import wait_all_tasks_blocked

from trio_socketio._engine.config import TRANSPORTS, TransportName
from trio_socketio._util import NoPublicConstructor
from trio_socketio._wire.parser import Parser
from trio_socketio.testing.backoff import Backoff
from trio_socketio.testing.client_socket import ClientSocket
from trio_socketio.testing.link import Link
from trio_socketio.testing.memory_server import MemoryServer
from trio_socketio.testing.patience import is_virtual_time

SETTLING = 1.0
"""Virtual seconds: what a client sends while it changes its transport waits for that."""


@final
class ClientFactory(metaclass=NoPublicConstructor):
    """Opens clients: ``alice = await socketio_client("/chat", auth={"name": "alice"})``."""

    def __init__(self, server: MemoryServer, nursery: trio.Nursery) -> None:
        self.errors: list[Exception] = []
        """What handlers of clients have raised: a client ends with it, and the test fails."""
        self._server = server
        self._nursery = nursery
        self._over = trio.Event()

    async def __call__(
        self,
        namespace: str = "/",
        *,
        auth: Mapping[str, Any] | None = None,
        transports: Sequence[TransportName] = TRANSPORTS,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        parser: Parser | None = None,
        reconnection: bool = True,
        reconnection_attempts: float = math.inf,
        backoff: Backoff | None = None,
        link: Link | None = None,
    ) -> ClientSocket:
        """Connect a client, which stays until the test is over; takes and raises what ``MemoryServer.open_client`` does.

        Cancelled while it waits, there is no client.
        """
        opening = self._server.open_client(
            namespace,
            auth=auth,
            transports=transports,
            headers=headers,
            query=query,
            parser=parser,
            reconnection=reconnection,
            reconnection_attempts=reconnection_attempts,
            backoff=backoff,
            link=link,
        )
        socket: ClientSocket = await self._nursery.start(self._stay, opening)
        return socket

    async def _stay(
        self, opening: AbstractAsyncContextManager[ClientSocket], *, task_status: trio.TaskStatus[ClientSocket]
    ) -> None:
        is_open = False
        try:
            async with opening as socket:
                is_open = True
                task_status.started(socket)
                await self._over.wait()
        except Exception as error:
            if not is_open:
                raise  # It is the caller's.
            self.errors.append(error)


async def _settle() -> None:
    """Let arrive what was sent last: a server cancels the handlers of who leaves, and would not be seen to fail."""
    await wait_all_tasks_blocked()
    if is_virtual_time():
        await trio.sleep(SETTLING)


@asynccontextmanager
async def client_factory(server: MemoryServer) -> AsyncIterator[ClientFactory]:
    """Open clients while the block runs; in its end they leave, and the server is told so."""
    async with trio.open_nursery() as nursery:
        factory: ClientFactory = ClientFactory._create(server, nursery)
        yield factory
        await _settle()
        factory._over.set()
