"""A server that runs, in virtual time; and asserts that count also where the server contains what they raise."""

from __future__ import annotations

import pytest

from trio_socketio import Limits, Server


def is_failed_assert(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_failed_assert, error.exceptions))
    return isinstance(error, AssertionError)


@pytest.fixture(autouse=True)
def no_assert_has_failed_in_a_handler(caplog):
    """A handler's error is logged and fails nothing: without this, an assert in a handler could not fail its test."""
    yield
    logged = [record.exc_info[1] for record in caplog.get_records("call") if record.exc_info]
    assert not [error for error in logged if is_failed_assert(error)]


@pytest.fixture
async def sio(autojump_clock):
    server = Server(limits=Limits(max_namespaces=3, max_pending_acks=2, max_rooms_per_socket=3, send_queue_packets=8))
    async with server.running():
        yield server
        assert not server.engine.sessions, "sessions were left"
