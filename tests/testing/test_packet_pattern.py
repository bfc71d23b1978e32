"""What a test may say about a packet."""

from __future__ import annotations

import re

import pytest

from trio_socketio.testing.packet_pattern import check_pattern, matches, shown_pattern


@pytest.mark.parametrize(
    ("pattern", "packet"),
    [
        ("40", "40"),
        ("40{...}", '40{"sid":"x"}'),
        ("...", ""),
        ("4...2...", "41\n23"),
        ('42["a.b",(1)]', '42["a.b",(1)]'),
        (b"\x01", b"\x01"),
        (re.compile(r"43\d+\[\]"), "4312[]"),
    ],
    ids=str,
)
def test_what_matches(pattern, packet):
    check_pattern(pattern)
    assert matches(pattern, packet)


@pytest.mark.parametrize(
    ("pattern", "packet"),
    [
        ("40", "41"),
        ("40", "40{}"),
        ("40{...}", "40/chat,{}"),
        ('42["a.b"]', '42["axb"]'),
        ("...", b"x"),
        (b"4", "4"),
        (re.compile("4"), "42"),
        (re.compile("4"), b"4"),
    ],
    ids=str,
)
def test_what_does_not(pattern, packet):
    assert not matches(pattern, packet)


@pytest.mark.parametrize("pattern", [None, 40, re.compile(b"x"), ["40"]], ids=str)
def test_what_is_no_pattern(pattern):
    with pytest.raises(TypeError, match="a packet is expected as text"):
        check_pattern(pattern)


def test_how_it_is_shown():
    assert shown_pattern("40") == "'40'"
    assert shown_pattern(re.compile(r"\d")) == r"'\\d'"
