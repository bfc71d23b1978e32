"""The decision about an ``Origin``, and what browsers are told."""

from __future__ import annotations

import re

import msgspec
import pytest

from trio_socketio import CORS, Request
from trio_socketio._engine.origin_rule import OriginRule


def rule(**settings) -> OriginRule:
    return OriginRule(CORS(**settings) if settings else None)


def allows(rule: OriginRule, asked: Request) -> bool:
    return rule.judge(asked)[0]


def headers(rule: OriginRule, asked: Request) -> list[tuple[str, str]]:
    return rule.judge(asked)[1]


def request(origin: str | None = None, *, method: str = "GET", host: str | None = "example.com", secure: bool = True):
    headers = {} if origin is None else {"origin": origin}
    if host is not None:
        headers["host"] = host
    return Request(method=method, path="/socket.io/", headers=headers, secure=secure)


class TestAllows:
    def test_who_sends_no_origin_is_no_browser(self):
        assert allows(rule(), request())
        assert allows(rule(origins=()), request(host=None))

    @pytest.mark.parametrize(("origin", "expected"), [
        ("https://example.com", True), ("https://example.com:443", True), ("https://EXAMPLE.COM", True),
        ("http://example.com", False), ("https://evilexample.com", False), ("https://example.com.evil", False),
        ("https://example.com@evil.example", False), ("null", False), ("", False), ("https://example.com:8443", False),
    ])  # fmt: skip
    def test_default_is_the_same_origin_only(self, origin, expected):
        assert allows(rule(), request(origin)) is expected

    def test_behind_tls_that_ends_elsewhere_forwarded_headers_are_not_trusted(self):
        fields = {"origin": "https://a.example", "host": "b.example", "x-forwarded-host": "a.example",
                  "x-forwarded-proto": "https"}  # fmt: skip
        direct = Request(method="GET", path="/socket.io/", headers=fields)
        assert not allows(rule(), direct)
        # What a trusted proxy says stands in the request itself.
        assert allows(rule(), msgspec.structs.replace(direct, secure=True, forwarded_host="a.example"))

    def test_listed_ones_beside_its_own(self):
        listed = rule(origins=("https://app.example", "http://localhost:3000"))
        assert allows(listed, request("https://app.example"))
        assert allows(listed, request("http://localhost:3000"))
        assert allows(listed, request("https://example.com"))
        assert not allows(listed, request("https://other.example"))
        assert not allows(listed, request("null"))

    def test_null_where_it_is_listed(self):
        assert allows(rule(origins=("null",)), request("null"))

    def test_everybody(self):
        for origin in ("https://evil.example", "null", "nonsense"):
            assert allows(rule(origins="*"), request(origin))

    @pytest.mark.parametrize(("origin", "expected"), [
        ("https://example.com", "https://example.com"),
        ("https://EXAMPLE.com:443", "https://example.com"),
        ("http://localhost:3000", "http://LOCALHOST:3000"),  # what is answered is our text, not the client's
        ("http://example.com", None),
        ("https://evilexample.com", None),
        ("https://example.com.evil.example", None),
        ("https://sub.example.com", None),
        ("https://example.com:8443", None),
        ("https://example.com:0", None),
        ("https://example.com@evil.example", None),
        ("http://localhost", None),
        ("http://localhost:30000", None),
        ("null", None),
        ("NULL", None),
        ("", None),
        ("nonsense", None),
    ])  # fmt: skip
    def test_how_listed_ones_are_compared(self, origin, expected):
        listed = rule(origins=("https://example.com", "http://LOCALHOST:3000"))
        allowed, told = listed.judge(request(origin, host="other.example"))
        assert (allowed, dict(told).get("access-control-allow-origin")) == (expected is not None, expected)


class TestPatterns:
    ONE = re.compile(r"https://[a-z0-9-]+\.example\.org")

    @pytest.mark.parametrize(("origin", "expected"), [
        ("https://app.example.org", True), ("https://a-1.example.org", True),
        # The whole origin must match, from its beginning to its end.
        ("https://app.example.org.evil.net", False), ("https://evil.net/https://app.example.org", False),
        ("https://app.example.org:8443", False), ("http://app.example.org", False), ("https://example.org", False),
        ("https://app.example.org\n", False), ("https://app.example.org ", False), ("null", False), ("", False),
    ])  # fmt: skip
    @pytest.mark.parametrize("as_tuple", [True, False])
    def test_full_match_only(self, origin, expected, as_tuple):
        matching = rule(origins=(self.ONE,) if as_tuple else self.ONE, credentials=True)
        allowed, told = matching.judge(request(origin))
        assert allowed is expected
        assert dict(told).get("access-control-allow-origin") == (origin if expected else None)
        assert ("access-control-allow-credentials" in dict(told)) is expected
        assert told[-1] == ("vary", "Origin")

    def test_beside_listed_ones(self):
        both = rule(origins=(self.ONE, "https://other.example"))
        assert allows(both, request("https://other.example"))
        assert allows(both, request("https://app.example.org"))
        assert not allows(both, request("https://app.example.net"))

    @pytest.mark.parametrize("origin", [
        "null", "nonsense", "", "https://user@a.example", "https://a.example/path", "https://a.example?x", "https://",
        "https://a\r\nx: y", "https://a.example\n", "https://\xe4.example", "https://a b", "https://[::1", "://a",
        "https://" + "a" * 300, "https://a.example:123456", "a.example", "https://a.example, https://b.example",
    ])  # fmt: skip
    def test_what_is_no_origin_is_matched_by_no_pattern(self, origin):
        # It is sent back in a header, so it must be what a browser writes.
        anything = rule(origins=(re.compile(r"(?s).*"),))
        assert anything.judge(request(origin)) == (False, [("vary", "Origin")])

    @pytest.mark.parametrize("origin", ["https://[::1]:8080", "capacitor://localhost", "chrome-extension://abc"])
    def test_what_else_is_an_origin(self, origin):
        assert allows(rule(origins=(re.compile(".*"),)), request(origin))


class TestFunction:
    def test_it_is_asked_about_other_origins_only(self):
        asked = []

        def check(origin: str, request: Request) -> bool:
            asked.append((origin, request.path))
            return origin == "https://app.example"

        mine = rule(origins=check)
        assert allows(mine, request())
        assert allows(mine, request("https://example.com"))
        assert asked == []
        assert headers(mine, request("https://app.example"))[0] == (
            "access-control-allow-origin",
            "https://app.example",
        )
        assert mine.judge(request("https://evil.example")) == (False, [("vary", "Origin")])
        assert asked == [("https://app.example", "/socket.io/"), ("https://evil.example", "/socket.io/")]

    def test_null_is_its_affair_but_nonsense_is_not(self):
        asked = []
        everybody = rule(origins=lambda origin, request: asked.append(origin) is None)
        assert headers(everybody, request("null"))[0] == ("access-control-allow-origin", "null")
        for nonsense in ("", "nonsense", "https://a\r\nx: y", "https://" + "a" * 300):
            assert not allows(everybody, request(nonsense))
        assert asked == ["null"]

    def test_it_raises(self, caplog):
        def check(origin, request):
            raise RuntimeError("no list")

        assert rule(origins=check).judge(request("https://app.example")) == (False, [("vary", "Origin")])
        assert "RuntimeError: no list" in caplog.text

    @pytest.mark.parametrize("verdict", [None, 1, "yes", ["https://app.example"]])
    def test_only_a_bool_is_an_answer(self, caplog, verdict):
        assert not allows(rule(origins=lambda origin, request: verdict), request("https://app.example"))
        assert "not True or False: the client is refused" in caplog.text

    def test_a_coroutine_lets_nobody_in(self, caplog):
        async def check(origin, request):
            return True

        # Hidden from the settings' check; that it is not awaited would be a warning, and so an error here.
        assert not allows(rule(origins=lambda origin, request: check(origin, request)), request("https://app.example"))
        assert "not True or False" in caplog.text


class TestHeaders:
    def test_without_settings_no_site_is_named(self):
        for origin in ("https://example.com", "https://evil.example", None):
            assert "access-control-allow-origin" not in dict(headers(rule(), request(origin)))

    def test_listed(self):
        listed = rule(origins=("https://app.example",), credentials=True)
        assert headers(listed, request("https://APP.example:443")) == [
            ("access-control-allow-origin", "https://app.example"),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin"),
        ]
        # Nothing for others, and the caches are told nevertheless.
        assert headers(listed, request("https://example.com")) == [("vary", "Origin")]
        assert headers(listed, request()) == [("vary", "Origin")]

    def test_exposed_headers_are_told_with_each_answer(self):
        exposing = rule(origins=("https://app.example",), exposed_headers=("x-total", "x-page"))
        told = headers(exposing, request("https://app.example"))
        assert ("access-control-expose-headers", "x-total, x-page") in told
        assert headers(exposing, request("https://example.com")) == [("vary", "Origin")]

    def test_without_credentials(self):
        told = dict(headers(rule(origins=("https://app.example",)), request("https://app.example")))
        assert "access-control-allow-credentials" not in told

    def test_everybody_never_with_credentials(self):
        told = headers(rule(origins="*"), request("https://any.example"))
        assert told == [("access-control-allow-origin", "*"), ("vary", "Origin")]

    def test_vary_is_always_there(self):
        # security-and-limits 1.6: "Always `Vary: Origin`": the same URL is 200 for one site and 403 for another.
        assert ("vary", "Origin") in headers(rule(), request("https://example.com"))


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
        asking = request("https://a.example", method="OPTIONS")
        assert rule(origins="*", options_status=200).preflight(asking).status == 200
