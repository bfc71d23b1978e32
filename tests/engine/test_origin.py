"""Origins are compared as (scheme, host, port), never as pieces of text."""

from __future__ import annotations

import pytest

from trio_socketio._engine.origin import is_same_origin, parse_origin


@pytest.mark.parametrize(("origin", "expected"), [
    ("http://example.com", ("http", "example.com", 80)),
    ("https://example.com", ("https", "example.com", 443)),
    ("ws://example.com", ("ws", "example.com", 80)),
    ("wss://example.com", ("wss", "example.com", 443)),
    ("HTTPS://EXAMPLE.Com:443", ("https", "example.com", 443)),
    ("https://example.com:", ("https", "example.com", 443)),
    ("http://example.com:8080", ("http", "example.com", 8080)),
    ("http://[::1]:8080", ("http", "::1", 8080)),
    ("capacitor://localhost", ("capacitor", "localhost", None)),
])  # fmt: skip
def test_origins(origin, expected):
    assert parse_origin(origin) == expected


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "nonsense", "example.com", "//example.com", "http://", "http:///", "https://example.com/",
        "https://example.com/path", "https://example.com?x=1", "https://example.com#x", "https://user@example.com",
        "https://@example.com", "https://user:word@example.com", "http://[", "http://example.com:x",
        "http://example.com:65536", "http://example.com:-1", "file://", "http://example.com:80:80",
    ],
)  # fmt: skip
def test_what_is_no_origin(origin):
    assert parse_origin(origin) is None


@pytest.mark.parametrize(("origin", "host", "secure"), [
    ("http://example.com", "example.com", False),
    ("http://example.com:80", "example.com", False),
    ("http://example.com", "example.com:80", False),
    ("https://example.com", "example.com:443", True),
    ("https://example.com:443", "example.com", True),
    ("HTTP://EXAMPLE.COM", "example.com", False),
    ("http://example.com", "EXAMPLE.com", False),
    ("http://127.0.0.1:8000", "127.0.0.1:8000", False),
    ("http://[::1]:8000", "[::1]:8000", False),
])  # fmt: skip
def test_same(origin, host, secure):
    assert is_same_origin(origin, host=host, secure=secure)


@pytest.mark.parametrize(("origin", "host", "secure"), [
    # another scheme, also with that one's default port
    ("https://example.com", "example.com", False),
    ("http://example.com", "example.com", True),
    ("http://example.com:443", "example.com", False),
    ("https://example.com:80", "example.com", True),
    ("https://example.com:80", "example.com:80", False),
    ("ws://example.com", "example.com", False),
    # another port
    ("http://example.com:8080", "example.com", False),
    ("http://example.com", "example.com:8080", False),
    ("http://example.com:8000", "example.com:80", False),
    ("https://example.com:0", "example.com", True),
    ("http://example.com:0", "example.com", False),
    # another host that looks like it
    ("https://evilexample.com", "example.com", True),
    ("https://example.com.evil.example", "example.com", True),
    ("https://example.comevil", "example.com", True),
    ("https://sub.example.com", "example.com", True),
    ("https://example.com", "sub.example.com", True),
    ("https://example.com.", "example.com", True),
    ("https://example", "example.com", True),
    ("https://ex\u0430mple.com", "example.com", True),  # a Cyrillic letter
    # what comes before an @, or after the host
    ("https://example.com@evil.example", "example.com", True),
    ("https://evil.example@example.com", "example.com", True),
    ("https://example.com:443@evil.example", "example.com", True),
    ("https://evil.example#example.com", "example.com", True),
    ("https://evil.example?example.com", "example.com", True),
    ("https://evil.example\\@example.com", "example.com", True),
    ("https://evil.example/example.com", "example.com", True),
    ("https://example.com/", "example.com", True),
    # nobody in particular
    ("null", "example.com", True),
    ("null", "null", True),
    ("", "example.com", True),
    ("https://", "", True),
    # a Host that is none
    ("http://example.com", None, False),
    ("http://example.com", "", False),
    ("http://example.com", "user@example.com", False),
    ("http://example.com", "example.com/x", False),
    ("http://example.com", "example.com, example.com", False),
    ("http://example.com", "example.com:x", False),
    ("http://example.com", "[", False),
])  # fmt: skip
def test_not_the_same(origin, host, secure):
    assert not is_same_origin(origin, host=host, secure=secure)
