"""What the adapter of a lone server does beside the contract (see ``test_adapter.py``): all of it at once, and with itself."""

from __future__ import annotations

import pytest

from tests.server.test_adapter import EVENT, Sockets, target
from trio_socketio._server.answers import Answers
from trio_socketio._server.local_adapter import LocalAdapter


class Sink:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple] = []

    def expect(self, names):
        self.told.append(("expect", *names))

    def close(self):
        self.told.append(("close",))


@pytest.fixture
def sockets():
    return Sockets()


@pytest.fixture
def adapter(sockets):
    adapter = LocalAdapter(sockets)
    for socket_id in "ab":
        adapter.add(socket_id, [socket_id, "x"])
    return adapter


def test_a_question_names_all_whom_it_asks_and_then_nobody_further(adapter):
    sink = Sink()
    adapter.ask(EVENT, target("x"), sink)
    assert sink.told == [("expect", "a", "b"), ("close",)]


def test_servers_are_asked_by_nobody(adapter):
    sink = Sink()
    adapter.server_side_ask(["x"], sink)
    assert sink.told == [("close",)]


def test_a_question_that_fails_closes_nothing_and_leaves_the_answers_as_they_were(adapter, sockets):
    sockets.failure = TypeError("can't be encoded")
    answers = Answers._create()
    with pytest.raises(TypeError, match="can't be encoded"):
        adapter.ask(EVENT, target(), answers)
    assert answers.missing == frozenset()


def test_a_broadcast_that_fails_leaves_it_as_crowded_as_it_was(adapter, sockets):
    sockets.crowded = {"a"}
    adapter.broadcast(EVENT, target())
    sockets.failure = TypeError("can't be encoded")
    with pytest.raises(TypeError, match="can't be encoded"):
        adapter.broadcast(EVENT, target("nobody's"))
    assert adapter.is_crowded
    sockets.failure = None
    adapter.broadcast(EVENT, target("nobody's"))
    assert not adapter.is_crowded


async def test_whom_it_means_was_settled_before_anything_was_done(adapter, sockets):
    def put_into(socket_ids, rooms):
        for socket_id in socket_ids:
            adapter.add(f"new {socket_id}", rooms)

    sockets.put_into = put_into
    adapter.add_sockets(target("x"), ["x"])
    assert adapter.rooms()["x"] == {"a", "b", "new a", "new b"}
