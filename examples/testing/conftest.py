"""What all tests of the chat share."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from lobby import make_server

from trio_socketio import Server

pytest_plugins = ["trio_socketio.testing.pytest_plugin"]


@pytest.fixture
def sio() -> Server:
    """What socketio_server serves."""
    return make_server()


@pytest.fixture
def anyio_backend(socketio_clock: trio.abc.Clock) -> tuple[str, dict[str, Any]]:
    """Only for anyio's plugin: Trio, by the clock of the tests."""
    return "trio", {"clock": socketio_clock}
