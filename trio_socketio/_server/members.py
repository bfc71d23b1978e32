"""Who is in a namespace, and what they run by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import final

import trio

from trio_socketio._engine.exceptions import CloseReason, Disconnected
from trio_socketio._logging import scope_logger, shortened, tracing
from trio_socketio._server.adapter import Adapter, AdapterFactory
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.socket import Socket
from trio_socketio._server.worker import SocketWorker
from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio._wire.parser import Parser

_logger = scope_logger("namespace")


@final
class Members:
    """The connected sockets of one namespace on this server: what its adapter delivers to, and where workers enter."""

    def __init__(self, name: str, parser: Parser, adapter: AdapterFactory) -> None:
        self.name: str = name
        self.parser: Parser = parser
        self.behaviour: Behaviour = Behaviour()
        self.adapter: Adapter = adapter(self)
        self._workers: dict[str, SocketWorker] = {}
        self._trace = tracing(_logger)

    def __len__(self) -> int:
        return len(self._workers)

    def sockets(self) -> Mapping[str, Socket]:
        """Return the sockets by id: a snapshot."""
        return MappingProxyType({socket_id: worker.socket for socket_id, worker in self._workers.items()})

    def enter(self, worker: SocketWorker) -> None:
        """Note a socket that is connected."""
        self._workers[worker.socket.id] = worker
        if self._trace:
            _logger.debug("%s: %s joined", self.name, worker.socket.id)

    def leave(self, worker: SocketWorker) -> None:
        """Forget a socket: from now on no broadcast reaches it."""
        if self._workers.pop(worker.socket.id, None) is not None and self._trace:
            _logger.debug("%s: %s left, %s", self.name, worker.socket.id, worker.socket.disconnect_reason)

    def is_socket_id(self, name: str) -> bool:
        """Say whether a socket has this id."""
        return name in self._workers

    def deliver(self, socket_ids: Iterable[str], batch: Sequence[EnginePacket], *, volatile: bool) -> bool:
        """Queue a batch for connected sockets; see ``LocalSockets``."""
        workers, is_crowded = self._workers, False
        for socket_id in socket_ids:
            worker = workers.get(socket_id)
            if worker is None:
                continue
            session = worker.session
            if volatile:
                session.send_volatile(batch)
                continue
            try:
                session.send(batch)
            except trio.WouldBlock:
                _logger.info("%s: %s reads too slowly, disconnected", self.name, shortened(socket_id))
                session.close(CloseReason.SLOW_CONSUMER)
            except Disconnected:
                pass
            is_crowded = is_crowded or session.outbox.is_crowded
        return is_crowded
