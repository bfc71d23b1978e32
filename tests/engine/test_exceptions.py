"""Why sessions end, and what is raised then."""

from __future__ import annotations

import pickle

import pytest
import trio

from trio_socketio import CloseReason, Disconnected, SocketIOError


def test_reasons_are_the_references_texts():
    theirs = {
        "transport close", "transport error", "parse error", "ping timeout", "forced close", "forced server close",
        "client namespace disconnect", "server namespace disconnect", "server shutting down",
    }  # fmt: skip
    ours = {"slow consumer", "event queue full"}
    assert {str(reason) for reason in CloseReason} == theirs | ours
    assert all(reason == reason.value and f"{reason}" == reason.value for reason in CloseReason)


def test_disconnected_is_trios_too():
    error = Disconnected(CloseReason.PING_TIMEOUT)
    assert isinstance(error, trio.BrokenResourceError)
    assert isinstance(error, SocketIOError)
    assert (error.reason, str(error)) == ("ping timeout", "disconnected: ping timeout")
    with pytest.raises(trio.BrokenResourceError, match="ping timeout"):
        raise error


def test_a_reason_survives_a_pickle():
    assert pickle.loads(pickle.dumps(CloseReason.SLOW_CONSUMER)) is CloseReason.SLOW_CONSUMER
