"""An answer, as tests look at it."""

from __future__ import annotations

import pytest

from trio_socketio.testing import HTTPAnswer


def make(body):
    return HTTPAnswer(status=200, headers={}, body=body)


def test_text_packets_and_json():
    answer = make(b'42["x"]\x1ebAAEC')
    assert answer.text == '42["x"]\x1ebAAEC'
    assert answer.packets == ['42["x"]', "bAAEC"]
    assert make(b'{"code":1}').json() == {"code": 1}


def test_nothing_is_no_packets():
    assert make(b"").packets == []


def test_what_is_no_text_is_shown_all_the_same():
    assert make(b"\xff").text == "\N{REPLACEMENT CHARACTER}"


def test_what_is_no_json_says_so():
    with pytest.raises(ValueError, match="JSON"):
        make(b"<html>").json()
