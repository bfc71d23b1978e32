"""Members whose client is gone, and may come back; and how a namespace learns that nobody is left."""

from __future__ import annotations

import pytest
import trio

from tests.support.members import EVENT, PLAIN, VOLATILE, CountingParser, Worker, enter, frames
from trio_socketio import CloseReason
from trio_socketio._server.answers import Answers
from trio_socketio._server.local_adapter import LocalAdapter
from trio_socketio._server.members import Members
from trio_socketio._server.recovery import ConnectionStateRecovery, Recovery
from trio_socketio._wire.json_parser import JSONParser


@pytest.fixture
def entered(members):
    """Workers a, b and c."""
    return enter(members, "abc")


class TestLost:
    """Members whose client is gone, and may come back."""

    @pytest.fixture
    def members(self):
        recovery = Recovery(ConnectionStateRecovery())
        return Members("/chat", CountingParser(), LocalAdapter, recovery=recovery)

    @pytest.fixture
    def lost(self, members, entered):
        a, _, _ = entered
        members.leave(a)
        members.park(a)
        return a

    def test_its_id_lives_on_and_it_keeps_its_rooms(self, members, lost):
        assert members.is_parked(lost)
        assert members.is_socket_id("a")
        assert list(members.sockets()) == ["b", "c"]
        members.clean_up(lost)
        assert members.adapter.rooms_of("a") == {"a"}
        members.unpark(lost)
        members.unpark(lost)
        assert not members.is_socket_id("a")
        members.clean_up(lost)
        assert members.adapter.rooms_of("a") == frozenset()

    def test_another_one_of_its_id_takes_its_place(self, members, lost):
        successor = Worker(members, "a")
        members.enter(successor)
        assert not members.is_parked(lost)
        members.leave(lost)
        assert list(members.sockets()) == ["b", "c", "a"]
        members.park(successor)
        members.unpark(lost)
        assert members.is_parked(successor)

    def test_what_is_sent_to_it_is_kept_and_not_sent(self, members, lost, entered):
        assert members.deliver(["a", "stranger", "b"], EVENT, PLAIN) is False
        assert lost.session.sent == []
        (kept,) = lost.replay.missed(None)
        assert kept is entered[1].session.sent[0]
        assert len(entered[1].replay.missed(None)) == 1

    def test_what_is_volatile_or_asks_is_not_kept(self, members, lost):
        members.deliver(["a"], EVENT, VOLATILE)
        answers = Answers._create()
        members.ask(["a"], EVENT, PLAIN, answers)
        assert lost.replay.missed(None) == []
        assert answers.missing == frozenset()

    def test_listeners_are_shown_events_as_they_are_not_as_they_travel(self, members, entered):
        seen = []
        members.behaviour.outgoing.add(lambda socket, event, *args: seen.append(args))
        members.deliver(["b"], EVENT, PLAIN)
        assert seen == [(b"1",)]
        assert frames(entered[1].session.sent[0])[0].count('"') == 8, "behind it is the offset"

    def test_one_that_is_too_slow_has_what_it_was_too_slow_for(self, members, entered):
        b = entered[1]
        b.session.failure = trio.WouldBlock()
        members.deliver(["b"], EVENT, PLAIN)
        assert b.session.reasons == [CloseReason.SLOW_CONSUMER]
        assert len(b.replay.missed(None)) == 1

    def test_rooms_and_the_end(self, members, lost):
        members.put_into(["a"], ["x", "y"])
        members.take_out_of(["a"], ["x"])
        assert lost.socket.rooms == {"a", "y"}
        members.disconnect(["a"], close=True)
        assert lost.disconnected == [True]

    def test_it_is_not_described(self, members, lost):
        assert [each.id for each in members.describe("ab")] == ["b"]

    def test_without_recovery_nothing_is_kept(self):
        assert Members("/chat", JSONParser(), LocalAdapter).new_replay() is None


class TestEmptied:
    """A namespace of a family is told that it is in use no more."""

    @pytest.fixture
    def emptied(self):
        return []

    @pytest.fixture
    def members(self, emptied):
        return Members("/chat", JSONParser(), LocalAdapter, emptied=lambda: emptied.append(1))

    def test_when_the_last_worker_has_ended(self, members, emptied):
        members.begin()
        members.begin()
        members.end()
        assert not emptied
        members.end()
        assert emptied == [1]

    def test_not_while_a_lost_socket_may_come_back(self, members, emptied):
        one = Worker(members, "a")
        members.begin()
        members.park(one)
        members.end()
        members.look_whether_empty()
        assert not emptied
        members.unpark(one)
        members.look_whether_empty()
        assert emptied == [1]

    def test_nobody_wants_to_know(self):
        members = Members("/chat", JSONParser(), LocalAdapter)
        members.begin()
        members.end()
