"""Who else may connect, as a setting: one that can't be meant fails at once, with a sentence."""

from __future__ import annotations

import pytest

from trio_socketio import CORS


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
