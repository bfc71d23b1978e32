"""What all connections of a front share: whose a path is, and that they end together."""

from __future__ import annotations

import pytest

from tests.support.engine import an_engine
from trio_socketio import EngineConfig
from trio_socketio._serve.site import Site


def site(path: str = "/socket.io", **options) -> Site:
    return Site(an_engine(EngineConfig(path=path)), pass_on=lambda stream, data: None, **options)


@pytest.mark.parametrize(
    ("root_path", "path", "own"),
    [
        ("", "/socket.io/", "/socket.io/"),
        ("", "/socket.io/x", "/socket.io/x"),
        ("", "/", None),
        ("", "/other", None),
        ("", "/socket.iox", None),
        ("", "/prefix/socket.io/", None),
        ("/prefix", "/prefix/socket.io/", "/socket.io/"),
        ("/prefix", "/socket.io/", "/socket.io/"),
        ("/prefix", "/prefix/other", None),
        ("/prefix", "/prefix/prefix/socket.io/", None),
        ("/prefix", "*", None),
        ("/prefix", "", None),
    ],
)
def test_own_path(root_path, path, own):
    assert site(root_path=root_path).own_path(path) == own


def test_own_path_of_an_engine_elsewhere():
    assert site("/my/engine").own_path("/my/engine/") == "/my/engine/"
    assert site("/my/engine").own_path("/socket.io/") is None


def test_close():
    class Connection:
        told = 0

        def close_when_idle(self):
            self.told += 1
            ours.connections.discard(self)

    ours = site()
    connections = [Connection() for _ in range(3)]
    ours.connections.update(connections)
    assert not ours.is_closing
    ours.close()
    assert ours.is_closing
    assert [connection.told for connection in connections] == [1, 1, 1]


def test_nothing_is_shared_among_sites():
    first, second = site(), site()
    assert first.flusher is not second.flusher
    assert first.connections is not second.connections
