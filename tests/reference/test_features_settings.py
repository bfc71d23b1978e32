"""Defaults of the reference's settings, here: those that are the same, and those that are not on purpose."""

from __future__ import annotations

import pytest

from trio_socketio import ConnectionStateRecovery, Cookie, EngineConfig, HTTPCompression, JSONParser, Limits, Server
from trio_socketio._server.local_adapter import LocalAdapter


def test_defaults_that_are_the_same():
    limits, config = Limits(), EngineConfig()
    assert (config.ping_interval, config.ping_timeout, limits.upgrade_timeout) == (25.0, 20.0, 10.0)
    assert (limits.max_payload, limits.max_attachments, limits.connect_timeout) == (1_000_000, 10, 45.0)
    assert (config.transports, config.allow_upgrades, config.allow_eio3) == (("polling", "websocket"), True, False)
    assert (config.path, config.add_trailing_slash) == ("/socket.io", True)
    assert (config.cors, config.cookie) == (None, None)
    assert HTTPCompression().threshold == 1024
    assert ConnectionStateRecovery().max_disconnection_duration == 120.0
    expected = {"path": "/", "http_only": True, "same_site": "lax", "domain": None, "expires": None, "max_age": None}
    assert {name: getattr(Cookie(), name) for name in expected} == expected
    assert (Cookie().name, Cookie().partitioned, Cookie().priority) == ("io", False, None)
    members = Server()._namespaces.by_name("/")
    assert type(members.adapter) is LocalAdapter
    assert type(members.parser) is JSONParser


def test_defaults_that_are_others():
    assert EngineConfig().http_compression is None
    assert Cookie().secure is None
    assert not ConnectionStateRecovery().skip_middlewares
    assert Limits().close_timeout == 10.0


@pytest.mark.parametrize("field", ["connect_timeout", "upgrade_timeout", "max_payload"])
def test_nothing_stands_for_the_default(field):
    with pytest.raises(ValueError, match="would let nothing through"):
        Limits(**{field: 0})
