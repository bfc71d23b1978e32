"""Who else may connect, as a setting: one that can't be meant fails at once, with a sentence."""

from __future__ import annotations

import functools
import re

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
            re.compile(r"https://[a-z]+\.example"),
            ("https://app.example", re.compile(r"https://[a-z]+\.example")),
            lambda origin, request: True,
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

    @pytest.mark.parametrize("pattern", ["https?://.*", ".*", r"https://[^/]+", r"https?://[\w.]+(:\d+)?", r"(?s:.+)"])
    def test_a_pattern_for_everybody_with_cookies(self, pattern):
        for origins in (re.compile(pattern), ("https://app.example", re.compile(pattern))):
            with pytest.raises(ValueError, match="the pattern matches any host"):
                CORS(origins=origins, credentials=True)
        assert CORS(origins=re.compile(pattern)).patterns
        assert CORS(origins=re.compile(r"https://\w+\.example"), credentials=True).credentials

    def test_a_pattern_of_bytes(self):
        with pytest.raises(TypeError, match="compile a pattern of text"):
            CORS(origins=(re.compile(b"https://a"),))

    @pytest.mark.parametrize("origin", [None, 5, b"https://app.example"])
    def test_what_is_no_text(self, origin):
        with pytest.raises(ValueError, match="an origin is scheme://host"):
            CORS(origins=(origin,))

    def test_an_async_function(self):
        async def check(origin, request):
            return True

        class Check:
            async def __call__(self, origin, request):
                return True

        for function in (check, functools.partial(check), Check()):
            with pytest.raises(TypeError, match="let allow_request wait instead"):
                CORS(origins=function)

    @pytest.mark.parametrize("setting", ["methods", "allowed_headers", "exposed_headers"])
    def test_names(self, setting):
        assert getattr(CORS(origins="*", **{setting: ("X-Mine",)}), setting) == ("X-Mine",)
        with pytest.raises(TypeError, match=f"{setting}='GET'.* give a tuple of names"):
            CORS(origins="*", **{setting: "GET"})
        for name in ("", "a b", "a,b", "x\r\ny: z", "\xe4", None):
            with pytest.raises(ValueError, match=f"{setting}=.* a name has letters"):
                CORS(origins="*", **{setting: (name,)})

    @pytest.mark.parametrize("value", [-1, 1.5, "60", True])
    def test_max_age(self, value):
        with pytest.raises(ValueError, match="takes a whole number of seconds"):
            CORS(origins="*", max_age=value)

    @pytest.mark.parametrize("value", [0, 201, 404, None])
    def test_status(self, value):
        with pytest.raises(ValueError, match="must be 200 or 204"):
            CORS(origins="*", options_status=value)
