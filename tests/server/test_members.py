"""Who is in a namespace, and what a delivery to each of them does: it never blocks, never raises for a socket's state.

Questions, and what is done to sockets: ``test_members_questions.py``. Lost ones: ``test_members_lost.py``.
"""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import assert_no_checkpoints

from tests.support.members import EVENT, FRAMES, PLAIN, VOLATILE, CountingParser, Worker, enter, frames
from trio_socketio import CloseReason, Disconnected
from trio_socketio._server.answers import Answers
from trio_socketio._server.local_adapter import LocalAdapter
from trio_socketio._server.members import Members
from trio_socketio._server.target import Target
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.socket_packet import Event


@pytest.fixture
def members():
    return Members("/chat", CountingParser(), LocalAdapter)


@pytest.fixture
def entered(members):
    """Workers a, b and c."""
    return enter(members, "abc")


class TestMembership:
    def test_enter_and_leave(self, members, entered):
        a, b, c = entered
        assert len(members) == 3
        assert members.sockets() == {"a": a.socket, "b": b.socket, "c": c.socket}
        members.leave(b)
        assert list(members.sockets()) == ["a", "c"]
        assert (members.is_socket_id("a"), members.is_socket_id("b"), members.is_socket_id("/chat")) == (
            True,
            False,
            False,
        )

    def test_who_leaves_without_having_entered_or_again(self, members, entered):
        members.leave(Worker(members, "stranger"))
        members.leave(entered[0])
        members.leave(entered[0])
        assert len(members) == 2

    def test_the_sockets_are_a_snapshot_that_nobody_changes(self, members, entered):
        before = members.sockets()
        for each in entered:
            members.leave(each)
        assert list(before) == ["a", "b", "c"]
        assert members.sockets() == {}
        with pytest.raises(TypeError):
            before["d"] = None


class TestTheAdapter:
    def test_it_is_made_with_a_namespace_that_has_its_name_and_parser(self):
        seen = []

        def factory(sockets):
            seen.append((sockets.name, sockets.parser))
            return LocalAdapter(sockets)

        parser = JSONParser()
        members = Members("/chat", parser, factory)
        assert seen == [("/chat", parser)]
        assert isinstance(members.adapter, LocalAdapter)

    def test_it_delivers_to_the_members(self, members, entered):
        a, b, c = entered
        members.leave(b)
        members.adapter.broadcast(Event("/chat", ["x"]), Target())
        assert [len(each.session.sent) for each in entered] == [1, 0, 1]
        assert a.session.sent[0] is c.session.sent[0]


class TestDeliver:
    async def test_an_event_is_sent(self, members, entered):
        a, b, _ = entered
        with assert_no_checkpoints():
            members.deliver(["a"], EVENT, PLAIN)
            members.deliver(["b"], EVENT, VOLATILE)
        assert ([frames(each) for each in a.session.sent], a.session.volatile) == ([FRAMES], [])
        assert (b.session.sent, [frames(each) for each in b.session.volatile]) == ([], [FRAMES])

    @pytest.mark.parametrize("flags", [PLAIN, VOLATILE])
    def test_it_encodes_once_and_all_share_the_packets(self, members, entered, flags):
        members.deliver(["a", "b", "c"], EVENT, flags)
        assert members.parser.encoded == 1
        sent = [batch for each in entered for batch in each.session.sent + each.session.volatile]
        assert len(sent) == 3
        assert len({tuple(map(id, batch)) for batch in sent}) == 1

    @pytest.mark.parametrize(("argument", "error"), [(object(), TypeError), ("\ud800", ValueError)])
    @pytest.mark.parametrize("ids", [[], ["a"], ["stranger"]])
    def test_what_cannot_be_encoded_reaches_nobody_and_says_so_even_if_nobody_is_there(
        self, members, entered, argument, error, ids
    ):
        event = Event("/chat", ["x", argument])
        answers = Answers._create()
        with pytest.raises(error):
            members.deliver(ids, event, PLAIN)
        with pytest.raises(error):
            members.ask(ids, event, PLAIN, answers)
        assert not entered[0].session.sent
        assert answers.missing == frozenset()

    @pytest.mark.parametrize("flags", [PLAIN, VOLATILE])
    def test_nobody_has_the_id(self, members, entered, flags):
        members.leave(entered[0])
        for socket_id in ("stranger", "a"):
            members.deliver([socket_id], EVENT, flags)
        assert not any(each.session.sent or each.session.volatile for each in entered)

    def test_it_says_whether_a_client_is_crowded(self, members, entered):
        entered[0].session.outbox.is_crowded = True
        said = {each: members.deliver(list(each), EVENT, PLAIN) for each in ("a", "b", "ab", "ba", "bc", "?")}
        assert said == {"a": True, "b": False, "ab": True, "ba": True, "bc": False, "?": False}
        assert members.deliver(["a"], EVENT, VOLATILE) is False, "what is volatile waits for nothing"

    def test_one_that_reads_too_slowly_is_closed_and_named_in_the_log(self, members, entered, caplog):
        caplog.set_level(logging.INFO, "trio_socketio.namespace")
        a, b, _ = entered
        a.session.failure = trio.WouldBlock()
        members.deliver(["a", "b"], EVENT, PLAIN)
        assert a.session.reasons == [CloseReason.SLOW_CONSUMER]
        assert (len(b.session.sent), b.session.reasons) == (1, [])
        assert [record.getMessage() for record in caplog.records] == ["/chat: 'a' reads too slowly, disconnected"]

    def test_one_that_is_gone_is_passed_over(self, members, entered):
        entered[0].session.failure = Disconnected("transport close")
        members.deliver(["a", "b"], EVENT, PLAIN)
        assert entered[0].session.reasons == []
        assert len(entered[1].session.sent) == 1

    def test_the_slow_are_dropped_in_the_midst_of_a_broadcast(self, members, entered):
        a, b, c = entered
        a.session.failure = trio.WouldBlock()

        def leave():
            # One session with two sockets in the namespace can't be, but its end may take others with it.
            for each in (a, b):
                members.leave(each)
                members.adapter.remove_all(each.socket.id)

        a.session.on_close = leave
        members.adapter.broadcast(EVENT, PLAIN)
        assert [len(each.session.sent) for each in (a, b, c)] == [0, 0, 1]


class TestTrace:
    def test_silent_by_default(self, members, entered, caplog):
        members.leave(entered[0])
        assert not caplog.records

    def test_who_comes_and_goes(self, caplog):
        caplog.set_level(logging.DEBUG, "trio_socketio.namespace")
        members = Members("/chat", JSONParser(), LocalAdapter)
        one = Worker(members, "a")
        members.leave(one)
        members.enter(one)
        members.leave(one)
        members.leave(one)
        assert [record.getMessage() for record in caplog.records] == ["/chat: a joined", "/chat: a left, ping timeout"]
