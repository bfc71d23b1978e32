"""Settings: what they mean, and that one out of range fails at once, with a sentence."""

from __future__ import annotations

import dataclasses
import math

import pytest

from trio_socketio import CORS, Cookie, EngineConfig


class TestCORS:
    @pytest.mark.parametrize(
        "origins",
        [
            "*",
            (),
            ("https://app.example",),
            ("http://localhost:3000", "null"),
            ("http://[::1]:8080", "capacitor://localhost"),
        ],
    )
    def test_origins(self, origins):
        assert CORS(origins=origins).origins == origins

    @pytest.mark.parametrize(
        "origin",
        [
            "app.example", "https://", "https://app.example/", "https://app.example/path", "https://app.example?x",
            "https://user@app.example", "https://app.example:port", "https://app.example:70000", "*", "", "http://[",
        ],
    )  # fmt: skip
    def test_what_is_no_origin(self, origin):
        with pytest.raises(ValueError, match="an origin is scheme://host or scheme://host:port, without a path"):
            CORS(origins=("https://fine.example", origin))

    @pytest.mark.parametrize("origin", ["https://*.example.com", "https://*"])
    def test_a_pattern_that_could_never_match_is_refused(self, origin):
        # Origins are compared whole: with a pattern the site would be shut out, and nobody would know why.
        with pytest.raises(ValueError, match="origin"):
            CORS(origins=(origin,))

    def test_a_single_text_is_not_a_list(self):
        with pytest.raises(TypeError, match="give a tuple of origins"):
            CORS(origins="https://app.example")

    def test_everybody_with_cookies(self):
        with pytest.raises(ValueError, match="list the origins"):
            CORS(origins="*", credentials=True)
        assert CORS(origins=("https://app.example",), credentials=True).credentials


class TestCookie:
    def test_default(self):
        assert Cookie().header("SID", secure=False) == "io=SID; Path=/; HttpOnly; SameSite=Lax"

    def test_all_attributes(self):
        cookie = Cookie(name="node", path="/live", domain="a.example", max_age=60, http_only=False, same_site="strict")
        expected = "node=SID; Path=/live; Domain=a.example; Max-Age=60; Secure; SameSite=Strict"
        assert cookie.header("SID", secure=True) == expected

    @pytest.mark.parametrize(("setting", "over_tls", "expected"), [
        (None, True, True), (None, False, False), (True, False, True), (False, True, False),
    ])  # fmt: skip
    def test_secure(self, setting, over_tls, expected):
        assert ("Secure" in Cookie(secure=setting).header("SID", secure=over_tls).split("; ")) is expected

    def test_it_may_last_no_time(self):
        assert "Max-Age=0" in Cookie(max_age=0).header("SID", secure=False)

    @pytest.mark.parametrize("field", ["name", "path", "domain"])
    @pytest.mark.parametrize("character", [";", ",", "\r", "\n", "\0", '"', "\\", " "])
    def test_what_would_break_out_of_the_header(self, field, character):
        with pytest.raises(ValueError, match="no spaces, quotes, commas, semicolons or control characters"):
            Cookie(**{field: f"a{character}b"})

    @pytest.mark.parametrize("character", ["\t", "\x01", "\x0b", "\x1b", "\x7f"])
    def test_other_control_characters_as_its_message_says(self, character):
        with pytest.raises(ValueError, match="control characters"):
            Cookie(name=f"a{character}b")

    @pytest.mark.parametrize("name", ["", "a=b"])
    def test_a_name_that_is_none(self, name):
        # "a=b" would set a cookie "a" with the value "b=SID".
        with pytest.raises(ValueError):
            Cookie(name=name)

    def test_same_site_is_one_of_three(self):
        with pytest.raises(ValueError):
            Cookie(same_site="sometimes")


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
