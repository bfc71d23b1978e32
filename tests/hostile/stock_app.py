"""What stock hypercorn hosts: ``hypercorn -k trio tests.hostile.stock_app:app``."""

from __future__ import annotations

from tests.support.echo_server import echoing
from trio_socketio import ASGIApp, EngineConfig

app = ASGIApp(echoing(EngineConfig(allow_eio3=True)))
