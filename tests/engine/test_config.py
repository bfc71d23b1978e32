"""Settings: what they mean, and that one out of range fails at once, with a sentence."""

from __future__ import annotations

import dataclasses
import math

import pytest

from trio_socketio import EngineConfig


class TestEngineConfig:
    def test_defaults_are_the_references(self):
        config = EngineConfig()
        assert (config.path, config.add_trailing_slash) == ("/socket.io", True)
        assert (config.ping_interval, config.ping_timeout) == (25.0, 20.0)
        assert (config.transports, config.allow_upgrades) == (("polling", "websocket"), True)
        assert (config.cors, config.cookie, config.allow_request) == (None, None, None)

    def test_it_is_frozen(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            EngineConfig().path = "/other"
        with pytest.raises(TypeError):
            EngineConfig("/positional")

    @pytest.mark.parametrize("path", ["", "/", "socket.io", "/socket.io/", "/socket.io?x=1"])
    def test_path(self, path):
        with pytest.raises(ValueError, match="must begin with a slash and not end with one, such as '/socket.io'"):
            EngineConfig(path=path)

    @pytest.mark.parametrize("transports", [(), ("webtransport",), ("polling", "constructor"), "polling"])
    def test_transports(self, transports):
        with pytest.raises(ValueError, match="must name one or both of"):
            EngineConfig(transports=transports)

    @pytest.mark.parametrize("name", ["ping_interval", "ping_timeout"])
    @pytest.mark.parametrize("value", [0, -1, 0.0009, 86_401, 25_000_000, math.inf, math.nan])
    def test_times(self, name, value):
        with pytest.raises(ValueError, match=rf"{name}=.* give seconds, from 0.001 to 86400"):
            EngineConfig(**{name: value})
        assert getattr(EngineConfig(**{name: 0.001}), name) == 0.001
        assert getattr(EngineConfig(**{name: 86_400}), name) == 86_400

    @pytest.mark.parametrize(("transport", "settings", "expected"), [
        ("polling", {}, ["websocket"]),
        ("websocket", {}, []),
        ("polling", {"allow_upgrades": False}, []),
        ("polling", {"transports": ("polling",)}, []),
    ])  # fmt: skip
    def test_upgrades(self, transport, settings, expected):
        assert EngineConfig(**settings).upgrades_from(transport) == expected

    @pytest.mark.parametrize(("path", "with_slash", "either"), [
        ("/socket.io/", True, True),
        ("/socket.io/below/it", True, True),
        ("/socket.io", False, True),
        ("/socket.iox/", False, False),
        ("/socket.i", False, False),
        ("/x/socket.io/", False, False),
        ("socket.io/", False, False),
        ("/", False, False),
        ("", False, False),
    ])  # fmt: skip
    def test_whose_path(self, path, with_slash, either):
        assert EngineConfig().serves(path) is with_slash
        assert EngineConfig(add_trailing_slash=False).serves(path) is either

    @pytest.mark.parametrize("prefix", ["w1 ", "a" * 17, "w.1", "\xe4", "w1\n", "w;1"])
    def test_sid_prefix(self, prefix):
        assert EngineConfig(sid_prefix="w_1-").sid_prefix == "w_1-"
        with pytest.raises(ValueError, match="sid_prefix=.*16 letters, digits, hyphens or underscores at the most"):
            EngineConfig(sid_prefix=prefix)

    @pytest.mark.parametrize("name", ["initial_headers", "headers", "connection_error"])
    def test_hooks_that_nobody_waits_for(self, name):
        async def hook(*args):
            pass

        with pytest.raises(TypeError, match=rf"EngineConfig\({name}\)=.* takes no async function"):
            EngineConfig(**{name: hook})
        with pytest.raises(TypeError, match="can't be called"):
            EngineConfig(**{name: "hook"})

    @pytest.mark.parametrize("middleware", [("text",), (None,), print])
    def test_middlewares(self, middleware):
        with pytest.raises(TypeError, match="takes a tuple of async functions"):
            EngineConfig(middleware=middleware)
