"""An engine without Socket.IO that echoes every message: what the Engine.IO suite is run against."""

from __future__ import annotations

from trio_socketio._engine.config import EngineConfig
from trio_socketio._engine.server import EngineServer
from trio_socketio._engine.session import Session
from trio_socketio._limits import Limits
from trio_socketio._wire.engine_packet import EnginePacket, PacketType


class Echo:
    """Sends back what it receives."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def start(self, nursery) -> None:
        pass

    async def receive(self, message: str | bytes) -> None:
        self.session.send([EnginePacket(PacketType.MESSAGE, message)])

    def pinged(self) -> None:
        """Nothing is kept until it has arrived."""

    ponged = pinged

    def closed(self, reason) -> None:
        pass


class EchoServer:
    """Has what ``ASGIApp`` and ``serve`` need of a server."""

    def __init__(self, config: EngineConfig, limits: Limits | None = None) -> None:
        self.config = config
        self.limits = limits if limits is not None else Limits()
        self.engine = EngineServer(config, self.limits, Echo)
        self.running = self.engine.running
        self.drain = self.engine.drain
