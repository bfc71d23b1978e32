"""Which coding a client is given for what it says."""

from __future__ import annotations

import pytest

from trio_socketio._engine.accept_encoding import preferred_coding


@pytest.mark.parametrize(("text", "expected"), [
    # as browsers and tools say it
    ("gzip, deflate, br, zstd", "gzip"), ("gzip, deflate, br", "gzip"), ("gzip", "gzip"), ("deflate", "deflate"),
    ("*", "gzip"), ("identity", None), ("", None), ("br", None), ("zstd, br", None),
    # by weight, and of equal ones gzip
    ("deflate, gzip", "gzip"), ("gzip;q=0.5, deflate;q=0.8", "deflate"), ("gzip;q=0.8,deflate;q=0.8", "gzip"),
    ("deflate;q=1, gzip;q=0.999", "deflate"), ("br;q=1, deflate;q=0.1", "deflate"),
    # what is refused
    ("gzip;q=0", None), ("gzip;q=0.000, deflate", "deflate"), ("gzip;q=0, *", "deflate"), ("*;q=0", None),
    ("*;q=0, gzip", "gzip"), ("gzip;q=0, deflate;q=0, *", None), ("deflate;q=0, *;q=0.1", "gzip"),
    # what likes it as it is better
    ("identity, gzip;q=0.5", None), ("identity;q=0.5, gzip;q=0.4", None), ("identity;q=0.5, gzip;q=0.5", "gzip"),
    ("gzip, identity;q=0", "gzip"), ("identity;q=0", None),
    # written in other ways
    ("GZIP", "gzip"), ("x-gzip", "gzip"), (" gzip ;q=1 , br", "gzip"), ("gzip;\tq=1.000", "gzip"), ("gzip;Q=0", None),
    (",,gzip,,", "gzip"), ("gzip, gzip;q=0", "gzip"), ("gzip;q=0, gzip", None), ("gzip;q=0.", None), ("gzip;q=1.", "gzip"),
])  # fmt: skip
def test_what_is_chosen(text, expected):
    assert preferred_coding(text) == expected


@pytest.mark.parametrize("text", [
    "gzip;q=2", "gzip;q=-1", "gzip;q=1.1", "gzip;q=0.1234", "gzip;q=", "gzip;q", "gzip;", "gzip;q=nan", "gzip;q=1e0",
    "gzip;q=0,5", "gzip;q=\u0661", "gzip q=1", "gzip;level=9", "gz ip", '"gzip"', "gzipp", "\xff", "\0", "gzip\r\nx: y",
])  # fmt: skip
def test_what_cannot_be_read_is_not_meant(text):
    assert preferred_coding(text) is None
    # And it does not hide its neighbours.
    assert preferred_coding(f"{text}, deflate") == "deflate"


@pytest.mark.parametrize("text", [
    "gzip," * 16 + "gzip", "gzip" + " " * 300, "," * 10_000, "gzip;q=0." + "0" * 10_000, "a" * 16_000, "gzip, " * 3000,
])  # fmt: skip
def test_more_than_anybody_needs_gets_the_answer_as_it_is(text):
    assert preferred_coding(text) is None
