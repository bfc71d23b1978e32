"""The decision about an ``Origin``, and what browsers are told."""

from __future__ import annotations

import pytest

from trio_socketio import CORS, Request
from trio_socketio._engine.origin_rule import OriginRule


def rule(**settings) -> OriginRule:
    return OriginRule(CORS(**settings) if settings else None)


def request(origin: str | None = None, *, method: str = "GET", host: str | None = "example.com", secure: bool = True):
    headers = {} if origin is None else {"origin": origin}
    if host is not None:
        headers["host"] = host
    return Request(method=method, path="/socket.io/", headers=headers, secure=secure)


class TestAllows:
    def test_who_sends_no_origin_is_no_browser(self):
        assert rule().allows(request())
        assert rule(origins=()).allows(request(host=None))

    @pytest.mark.parametrize(("origin", "expected"), [
        ("https://example.com", True), ("https://example.com:443", True), ("https://EXAMPLE.COM", True),
        ("http://example.com", False), ("https://evilexample.com", False), ("https://example.com.evil", False),
        ("https://example.com@evil.example", False), ("null", False), ("", False), ("https://example.com:8443", False),
    ])  # fmt: skip
    def test_default_is_the_same_origin_only(self, origin, expected):
        assert rule().allows(request(origin)) is expected

    def test_behind_tls_that_ends_elsewhere_forwarded_headers_are_not_trusted(self):
        headers = {"origin": "https://a.example", "host": "b.example", "x-forwarded-host": "a.example",
                   "x-forwarded-proto": "https"}  # fmt: skip
        assert not rule().allows(Request(method="GET", path="/socket.io/", headers=headers))

    def test_listed_ones_beside_its_own(self):
        listed = rule(origins=("https://app.example", "http://localhost:3000"))
        assert listed.allows(request("https://app.example"))
        assert listed.allows(request("http://localhost:3000"))
        assert listed.allows(request("https://example.com"))
        assert not listed.allows(request("https://other.example"))
        assert not listed.allows(request("null"))

    def test_null_where_it_is_listed(self):
        assert rule(origins=("null",)).allows(request("null"))

    def test_everybody(self):
        for origin in ("https://evil.example", "null", "nonsense"):
            assert rule(origins="*").allows(request(origin))


class TestHeaders:
    def test_without_settings_no_site_is_named(self):
        for origin in ("https://example.com", "https://evil.example", None):
            assert "access-control-allow-origin" not in dict(rule().headers(request(origin)))

    def test_listed(self):
        listed = rule(origins=("https://app.example",), credentials=True)
        assert listed.headers(request("https://APP.example:443")) == [
            ("access-control-allow-origin", "https://app.example"),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin"),
        ]
        # Nothing for others, and the caches are told nevertheless.
        assert listed.headers(request("https://example.com")) == [("vary", "Origin")]
        assert listed.headers(request()) == [("vary", "Origin")]

    def test_without_credentials(self):
        headers = dict(rule(origins=("https://app.example",)).headers(request("https://app.example")))
        assert "access-control-allow-credentials" not in headers

    def test_everybody_never_with_credentials(self):
        headers = rule(origins="*").headers(request("https://any.example"))
        assert headers == [("access-control-allow-origin", "*"), ("vary", "Origin")]

    def test_vary_is_always_there(self):
        # security-and-limits 1.6: "Always `Vary: Origin`": the same URL is 200 for one site and 403 for another.
        assert ("vary", "Origin") in rule().headers(request("https://example.com"))


class TestPreflight:
    def test_only_options_and_only_with_settings(self):
        assert rule().preflight(request("https://example.com", method="OPTIONS")) is None
        for method in ("GET", "POST", "HEAD", "PUT"):
            assert rule(origins="*").preflight(request("https://a.example", method=method)) is None

    def test_the_answer_is_a_fixed_list(self):
        asking = Request(
            method="OPTIONS",
            path="/socket.io/",
            headers={"origin": "https://a.example", "access-control-request-headers": "x-evil, cookie"},
        )
        response = rule(origins="*").preflight(asking)
        assert (response.status, response.body) == (204, b"")
        assert response.headers == [
            ("access-control-allow-methods", "GET, POST"),
            ("access-control-allow-headers", "content-type, authorization"),
        ]
        assert ("content-length", "0") in response.header_list()

    def test_its_settings(self):
        mine = rule(origins="*", methods=("GET",), allowed_headers=("x-mine", "x-too"), max_age=0)
        assert dict(mine.preflight(request("https://a.example", method="OPTIONS")).headers) == {
            "access-control-allow-methods": "GET",
            "access-control-allow-headers": "x-mine, x-too",
            "access-control-max-age": "0",
        }
