"""The cookie as a setting: what it makes, and that one no browser would take fails at once, with a sentence."""

from __future__ import annotations

import pytest

from trio_socketio import Cookie


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
