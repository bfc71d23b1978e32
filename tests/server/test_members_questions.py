"""Members who are asked, described, moved, disconnected; and who is told of what they get."""

from __future__ import annotations

import pytest
import trio

from tests.support.members import EVENT, PLAIN, CountingParser, enter, frames
from trio_socketio import CloseReason, Disconnected
from trio_socketio._server.answers import Answers
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.local_adapter import LocalAdapter
from trio_socketio._server.members import Members


@pytest.fixture
def members():
    return Members("/chat", CountingParser(), LocalAdapter)


@pytest.fixture
def entered(members):
    """Workers a, b and c."""
    return enter(members, "abc")


class TestAsk:
    def ask(self, members, ids):
        answers = Answers._create()
        return answers, members.ask(ids, EVENT, PLAIN, answers)

    def test_all_get_the_same_packets_with_one_id(self, members, entered):
        next(members.ack_ids)
        answers, _ = self.ask(members, ["a", "b"])
        assert members.parser.encoded == 1
        assert answers.missing == {"a", "b"}
        a, b, c = entered
        assert frames(a.session.sent[0]) == ['51-/chat,1["x",{"_placeholder":true,"num":0}]', b"1"]
        assert a.session.sent[0] is b.session.sent[0]
        assert c.session.sent == []

    def test_an_id_of_its_own_for_each_question(self, members, entered):
        for _ in range(2):
            self.ask(members, ["a"])
        assert [frames(batch)[0].partition("[")[0] for batch in entered[0].session.sent] == ["51-/chat,0", "51-/chat,1"]
        assert next(members.ack_ids) == 2

    async def test_their_answers_are_told_by_socket(self, members, entered):
        answers, _ = self.ask(members, ["a", "b", "c"])
        answers.close()
        a, b, c = entered
        b.peer.acks.settle(0, ["yes"])
        c.peer.leave("ping timeout")
        a.peer.acks.settle(0, [])
        assert [answer async for answer in answers] == [("b", "yes"), ("a", None)]
        assert answers.missing == {"c"}

    def test_who_is_not_there_is_not_asked(self, members, entered):
        members.leave(entered[0])
        answers, forget = self.ask(members, ["a", "stranger"])
        assert answers.missing == frozenset()
        assert not entered[0].session.sent
        forget()

    async def test_who_owes_too_much_or_is_gone_has_left(self, members, entered):
        a, b, c = entered
        for _ in range(2):
            a.peer.acks.open()
        b.session.failure = Disconnected("transport close")
        answers, _ = self.ask(members, ["a", "b", "c"])
        answers.close()
        c.peer.acks.settle(2, [])
        assert [answer async for answer in answers] == [("c", None)]
        assert answers.missing == {"a", "b"}
        assert (a.session.sent, len(b.peer.acks)) == ([], 0)

    async def test_who_reads_too_slowly_is_closed_and_has_left_by_that(self, members, entered):
        a, b, _ = entered
        a.session.failure = trio.WouldBlock()
        a.session.on_close = lambda: a.peer.leave("slow consumer")
        answers, _ = self.ask(members, ["a", "b"])
        answers.close()
        assert a.session.reasons == [CloseReason.SLOW_CONSUMER]
        b.peer.acks.settle(0, [])
        assert [answer async for answer in answers] == [("b", None)]
        assert answers.missing == {"a"}

    def test_to_forget_makes_room_and_drops_what_comes_late(self, members, entered):
        a, b, _ = entered
        answers, forget = self.ask(members, ["a", "b"])
        forget()
        forget()
        assert (len(a.peer.acks), len(b.peer.acks)) == (0, 0)
        assert not a.peer.acks.settle(0, ["late"])
        b.peer.leave("gone")
        assert answers.missing == {"a", "b"}

    def test_to_forget_is_no_matter_of_those_who_have_answered_or_left(self, members, entered):
        a, b, _ = entered
        _, forget = self.ask(members, ["a", "b"])
        a.peer.acks.settle(0, [])
        b.peer.leave("gone")
        other = a.peer.acks.open()
        forget()
        assert a.peer.acks.settle(other.ack_id, [])


class TestShow:
    """Listeners are told of what was queued, once for each recipient."""

    @pytest.fixture
    def seen(self, members):
        seen = []
        members.behaviour.outgoing.add(lambda socket, event, *args: seen.append((socket.id, event, args)))
        return seen

    def test_of_deliveries(self, members, entered, seen):
        members.deliver(["a", "stranger", "c"], EVENT, PLAIN)
        assert seen == [("a", "x", (b"1",)), ("c", "x", (b"1",))]

    def test_of_questions_and_of_those_only_who_were_asked(self, members, entered, seen):
        for _ in range(2):
            entered[0].peer.acks.open()
        entered[1].session.failure = Disconnected("transport close")
        members.ask(["a", "b", "c", "stranger"], EVENT, PLAIN, Answers._create())
        assert seen == [("c", "x", (b"1",))]

    def test_those_of_a_single_socket(self, members, entered):
        seen = []
        a, _, _ = entered
        a.behaviour = Behaviour(members.behaviour)
        a.behaviour.outgoing.add(lambda socket, event, *args: seen.append((socket.id, event)))
        members.deliver(["a", "b"], EVENT, PLAIN)
        assert seen == [], "nobody was told that it has any"
        members.watch(a)
        members.deliver(["a", "b"], EVENT, PLAIN)
        members.ask(["a", "b"], EVENT, PLAIN, Answers._create())
        assert seen == [("a", "x")] * 2
        members.leave(a)
        members.deliver(["a", "b"], EVENT, PLAIN)
        assert len(seen) == 2

    def test_one_that_fails_is_logged_and_the_others_are_told(self, members, entered, seen, caplog):
        def broken(socket, event, *args):
            raise OSError("listener")

        members.behaviour.outgoing.add(broken, prepend=True)
        members.deliver(["a", "b"], EVENT, PLAIN)
        assert [socket_id for socket_id, _, _ in seen] == ["a", "b"]
        assert [record.getMessage() for record in caplog.records] == [
            f"{each}: error in a listener of what is sent" for each in "ab"
        ]

    def test_one_that_ends_sockets_in_the_midst(self, members, entered, seen):
        a, b, c = entered
        members.behaviour.outgoing.add(lambda *_: [members.leave(each) for each in (b, c)], prepend=True)
        members.deliver(["a", "b", "c"], EVENT, PLAIN)
        assert [socket_id for socket_id, _, _ in seen] == ["a"]


class TestSockets:
    def test_describe(self, members, entered):
        a, _, _ = entered
        (found,) = members.describe(["stranger", "a"])
        assert (found.id, found.namespace, found.rooms) == ("a", "/chat", {"a"})
        assert found.handshake is a.socket.handshake
        a.socket.data["more"] = 1
        assert found.data == {"of": "a"}

    def test_rooms(self, members, entered):
        a, b, c = entered
        members.put_into(["a", "b", "stranger"], iter(["x", "y"]))
        members.take_out_of(["b", "c", "stranger"], iter(["x", "z"]))
        assert [each.socket.rooms for each in entered] == [{"a", "x", "y"}, {"b", "y"}, {"c"}]

    def test_one_that_cannot_enter_stays_out_and_is_named_in_the_log(self, members, entered, caplog):
        a, b, _ = entered
        b.socket.put_into = lambda rooms: setattr(b.socket, "rooms", {"in"})
        members.put_into(["a", "b"], ["full"])
        assert (a.socket.rooms, b.socket.rooms) == ({"a"}, {"in"})
        assert [record.getMessage() for record in caplog.records] == ["/chat: 'a' stays out: no more rooms"]

    @pytest.mark.parametrize("close", [False, True])
    def test_disconnect(self, members, entered, close):
        members.disconnect(["a", "stranger", "c"], close=close)
        assert [each.disconnected for each in entered] == [[close], [], [close]]

    def test_what_one_takes_with_it_is_passed_over(self, members, entered):
        a, b, c = entered
        a.disconnect = lambda *, close: members.leave(b)
        members.disconnect(["a", "b", "c"], close=True)
        assert (b.disconnected, c.disconnected) == ([], [True])

    async def test_events_of_other_servers(self, members):
        async def news(*args):
            return args

        members.server_events.add("news", news)
        assert await members.handle_server_event(["news", 1, 2]) == (1, 2)
        assert await members.handle_server_event(["unknown"]) == ()
