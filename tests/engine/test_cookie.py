"""The cookie as a setting: what it makes, and that one no browser would take fails at once, with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from trio_socketio import Cookie


class TestCookie:
    def test_default(self):
        assert Cookie().header("SID", secure=False) == "io=SID; Path=/; HttpOnly; SameSite=Lax"

    def test_all_attributes(self):
        cookie = Cookie(
            name="node",
            path="/live",
            domain="a.example",
            expires=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
            max_age=60,
            http_only=False,
            same_site="none",
            secure=True,
            partitioned=True,
            priority="high",
        )
        assert cookie.header("SID", secure=False) == (
            "node=SID; Path=/live; Domain=a.example; Expires=Wed, 02 Jan 2030 03:04:05 GMT; Max-Age=60; Secure; "
            "Partitioned; Priority=High; SameSite=None"
        )

    def test_expires_is_told_in_greenwich_time(self):
        east = datetime(2030, 1, 2, 1, 0, tzinfo=timezone(timedelta(hours=2)))
        assert "Expires=Tue, 01 Jan 2030 23:00:00 GMT" in Cookie(expires=east).header("SID", secure=False)

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

    def test_priority_is_one_of_three(self):
        with pytest.raises(ValueError, match="priority='urgent'.*must be one of"):
            Cookie(priority="urgent")

    @pytest.mark.parametrize("settings", [
        {"same_site": "none"}, {"partitioned": True}, {"name": "__Secure-io"}, {"name": "__host-io"},
    ])  # fmt: skip
    @pytest.mark.parametrize("secure", [None, False])
    def test_what_browsers_take_over_tls_only(self, settings, secure):
        # With None it would depend on the request: by plain HTTP the browser drops it, and nobody knows why.
        with pytest.raises(ValueError, match="dropped by browsers unless it is secure: add secure=True"):
            Cookie(secure=secure, **settings)
        assert "Secure" in Cookie(secure=True, **settings).header("SID", secure=False)

    @pytest.mark.parametrize("settings", [{"path": "/live"}, {"domain": "a.example"}])
    def test_host_prefix_promises_the_whole_host_and_no_other(self, settings):
        with pytest.raises(ValueError, match="dropped by browsers if it has a domain or a path other than '/'"):
            Cookie(name="__Host-io", secure=True, **settings)
        assert Cookie(name="__Secure-io", secure=True, **settings)

    def test_a_time_without_a_zone(self):
        with pytest.raises(ValueError, match="has no time zone"):
            Cookie(expires=datetime(2030, 1, 2))

    @pytest.mark.parametrize(
        "settings", [{"expires": "tomorrow"}, {"max_age": "60"}, {"max_age": 1.5}, {"max_age": True}]
    )
    def test_times_of_the_wrong_type(self, settings):
        with pytest.raises(TypeError, match="takes a"):
            Cookie(**settings)
