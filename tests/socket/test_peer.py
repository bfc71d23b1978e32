"""One end of a namespace on a session: what it sends, what it waits for, and what is left when it is cancelled."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import assert_checkpoints, assert_no_checkpoints

from tests.support.client import settle
from tests.support.peer import Link, Question, Task, peer_on
from trio_socketio import Disconnected, TooManyPendingAcks
from trio_socketio._socket.peer import encode_batch
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.socket_packet import Event


@pytest.fixture
def link():
    return Link()


@pytest.fixture
def peer(link):
    return peer_on(link)


def test_a_packet_and_its_attachments_are_one_batch():
    batch = encode_batch(JSONParser(), Event("/", ["x", b"1", b"2"]))
    assert [packet.data for packet in batch] == [
        '52-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        b"1",
        b"2",
    ]
    assert {packet.type for packet in batch} == {PacketType.MESSAGE}


ACTIONS = {
    "emit": lambda peer, *args: peer.emit("x", args),
    "call": lambda peer, *args: peer.call("x", args),
    "answer": lambda peer, *args: peer.answer(7, args),
}
"""All that waits for room."""

SENT = {"emit": '2/chat,["x"]', "call": '2/chat,0["x"]', "answer": "3/chat,7[]"}


class TestSent:
    def test_emit_nowait(self, peer, link):
        peer.emit_nowait("x", [1, b"2"])
        assert link.sent == [['51-/chat,["x",1,{"_placeholder":true,"num":0}]', b"2"]]

    async def test_emit_and_answer_are_checkpoints_and_emit_nowait_is_none(self, peer, link):
        with assert_checkpoints():
            await peer.emit("x", [])
        with assert_checkpoints():
            await peer.answer(7, ["y", 1])
        with assert_no_checkpoints():
            peer.emit_nowait("z", [])
        assert link.sent == [['2/chat,["x"]'], ['3/chat,7["y",1]'], ['2/chat,["z"]']]

    async def test_arguments_are_those_of_the_moment_of_the_call(self, peer, link, nursery):
        link.room, values = 0, [1]
        nursery.start_soon(peer.emit, "x", [values])
        await settle()
        values.append(2)
        link.make_room(1)
        await settle()
        assert link.sent == [['2/chat,["x",[1]]']]

    @pytest.mark.parametrize("name", ["emit_nowait", "emit", "call"])
    @pytest.mark.parametrize(
        ("event", "args", "error"),
        [("connect", [], ValueError), (5, [], TypeError), ("x", [object()], TypeError), ("x", ["\ud800"], ValueError)],
    )
    async def test_what_cannot_be_sent_leaves_nothing(self, peer, link, name, event, args, error):
        with pytest.raises(error):
            result = getattr(peer, name)(event, args)
            if result is not None:
                await result
        assert (link.sent, len(peer.acks)) == ([], 0)


class TestRoom:
    def test_emit_nowait_would_block(self, peer, link):
        link.room = 0
        with pytest.raises(trio.WouldBlock):
            peer.emit_nowait("x", [])
        assert link.sent == []

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_it_waits_and_looks_again_until_there_is_some(self, peer, link, nursery, action):
        link.room = 0
        Task(nursery, ACTIONS[action], peer)
        for _ in range(3):
            await settle()
            assert (link.sent, link.held) == ([], 1)
            link.make_room(0)
        link.make_room(1)
        await settle()
        assert link.sent == [[SENT[action]]]
        peer.leave("end")

    async def test_as_many_go_on_as_there_is_room_for(self, peer, link, nursery):
        link.room = 0
        for number in range(4):
            nursery.start_soon(peer.emit, "x", [number])
        await settle()
        for free, sent in ((3, 3), (1, 4)):
            link.make_room(free)
            await settle()
            assert (len(link.sent), link.held) == (sent, 4 - sent)
        assert sorted(link.sent) == [[f'2/chat,["x",{number}]'] for number in range(4)]


class TestCancelled:
    @pytest.mark.parametrize("action", ACTIONS)
    async def test_already_it_has_sent_nothing(self, peer, link, action):
        with trio.CancelScope() as scope:
            scope.cancel()
            await ACTIONS[action](peer)
        assert scope.cancelled_caught
        assert (link.sent, len(peer.acks)) == ([], 0)

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_while_it_waits_for_room_it_has_sent_nothing(self, peer, link, nursery, action):
        link.room = 0
        task = Task(nursery, ACTIONS[action], peer)
        await settle()
        task.scope.cancel()
        await settle()
        assert task.scope.cancelled_caught
        link.make_room(10)
        await settle()
        assert (link.sent, link.held, len(peer.acks)) == ([], 0, 0)

    async def test_while_a_question_waits_for_its_answer_it_is_forgotten(self, peer, link, nursery):
        task = Task(nursery, peer.call, "x", [])
        await settle()
        assert (link.sent, len(peer.acks)) == ([['2/chat,0["x"]']], 1)
        task.scope.cancel()
        await settle()
        assert len(peer.acks) == 0
        assert not peer.acks.settle(0, ["late"])
        assert task.outcome == "none yet"

    async def test_in_the_moment_of_its_answer_it_has_the_answer(self, peer, link, nursery):
        task = Task(nursery, peer.call, "x", [])
        await settle()
        assert peer.acks.settle(0, ["in time"])
        task.scope.cancel()
        await settle()
        assert task.outcome == "in time"


class TestCall:
    @pytest.mark.parametrize(
        ("args", "answer"),
        [([], None), (["one"], "one"), ([None], None), ([[1, 2]], [1, 2]), ([1, 2], (1, 2)), ([[], {}], ([], {}))],
    )
    async def test_the_answer(self, peer, link, nursery, args, answer):
        task = Task(nursery, peer.call, "x", [1])
        await settle()
        assert link.sent == [['2/chat,0["x",1]']]
        assert peer.acks.settle(0, args)
        await settle()
        assert task.outcome == answer
        assert type(task.outcome) is type(answer)

    async def test_a_name_that_is_refused_costs_no_id_and_no_place(self, peer, link, nursery):
        with pytest.raises(ValueError, match="reserved"):
            await peer.call("connect", [])
        for _ in range(2):
            Task(nursery, peer.call, "x", [])
            await settle()
        assert link.sent == [['2/chat,0["x"]'], ['2/chat,1["x"]']]
        with pytest.raises(ValueError, match="reserved"):
            await peer.call("connect", [])
        peer.leave("end")

    async def test_too_many_at_a_time(self, peer, link, nursery):
        tasks = [Task(nursery, peer.call, "x", []) for _ in range(2)]
        await settle()
        with pytest.raises(TooManyPendingAcks):
            await peer.call("x", [])
        assert len(link.sent) == 2
        tasks[0].scope.cancel()
        await settle()
        third = Task(nursery, peer.call, "x", [])
        await settle()
        assert link.sent[2] == ['2/chat,2["x"]']
        peer.leave("end")
        await settle()
        assert isinstance(third.outcome, Disconnected)


class TestGone:
    @pytest.mark.parametrize("moment", ["in its first checkpoint", "while it waits for room"])
    @pytest.mark.parametrize("action", ACTIONS)
    async def test_who_is_sending_learns_why(self, peer, link, nursery, action, moment):
        link.room = 0 if moment == "while it waits for room" else 10
        task = Task(nursery, ACTIONS[action], peer)
        if moment == "while it waits for room":
            await settle()
        else:
            await trio.lowlevel.checkpoint()
        link.sent.clear()
        peer.leave("client namespace disconnect")
        await settle()
        assert isinstance(task.outcome, Disconnected)
        assert task.outcome.reason == "client namespace disconnect"
        assert (link.sent, link.held, len(peer.acks)) == ([], 0, 0)

    async def test_who_waits_for_an_answer_learns_why(self, peer, nursery):
        task = Task(nursery, peer.call, "x", [])
        await settle()
        peer.leave("ping timeout")
        await settle()
        assert isinstance(task.outcome, Disconnected)
        assert task.outcome.reason == "ping timeout"

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_afterwards_nothing_is_sent(self, peer, link, action):
        peer.leave("transport close")
        with pytest.raises(Disconnected, match="disconnected: transport close"):
            await ACTIONS[action](peer)
        with pytest.raises(Disconnected, match="disconnected: transport close"):
            peer.emit_nowait("x", [])
        assert (link.sent, len(peer.acks)) == ([], 0)
        assert peer.gone == "transport close"

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_the_session_is_closed_while_it_waits_for_room(self, peer, link, nursery, action):
        link.room = 0
        task = Task(nursery, ACTIONS[action], peer)
        await settle()
        link.closed = "slow consumer"
        link.serve_waiting()
        await settle()
        assert isinstance(task.outcome, Disconnected)
        assert task.outcome.reason == "slow consumer"
        assert len(peer.acks) == 0


class TestAsk:
    """A question that others are asked too: the packets and the id are made once for all."""

    BATCH = [EnginePacket(PacketType.MESSAGE, '2/chat,7["x"]')]

    def test_it_is_sent_as_it_is_and_answered(self, peer, link):
        question = Question()
        assert peer.ask(7, question, self.BATCH)
        assert (link.sent, question.outcome, len(peer.acks)) == ([['2/chat,7["x"]']], "none yet", 1)
        assert peer.acks.settle(7, ["yes"])
        assert not peer.acks.settle(7, ["no"])
        assert question.outcome == ["yes"]

    def test_who_leaves_fails_it(self, peer):
        question = Question()
        peer.ask(7, question, self.BATCH)
        peer.leave("ping timeout")
        assert (question.outcome, len(peer.acks)) == ("ping timeout", 0)

    def test_it_counts_as_an_answer_that_is_owed(self, peer, link):
        peer.ask(7, Question(), self.BATCH)
        peer.acks.open()
        question = Question()
        with pytest.raises(TooManyPendingAcks):
            peer.ask(8, question, self.BATCH)
        assert (len(link.sent), len(peer.acks), question.outcome) == (1, 2, "none yet")
        assert not peer.acks.settle(8, ["unasked"])

    def test_no_room_leaves_it_open_for_the_end_that_follows(self, peer, link):
        link.room = 0
        question = Question()
        assert not peer.ask(7, question, self.BATCH)
        peer.leave("slow consumer")
        assert (link.sent, question.outcome) == ([], "slow consumer")

    @pytest.mark.parametrize("gone", ["peer", "link"])
    def test_who_is_gone_is_not_asked_and_the_question_is_not_failed_behind_the_askers_back(self, peer, link, gone):
        if gone == "peer":
            peer.leave("transport close")
        else:
            link.closed = "transport close"
        question = Question()
        with pytest.raises(Disconnected, match="disconnected: transport close"):
            peer.ask(7, question, self.BATCH)
        assert (link.sent, len(peer.acks), question.outcome) == ([], 0, "none yet")


class TestAnswerNowait:
    async def test_it_is_sent_at_once_or_left_to_the_flush(self, peer, link):
        with assert_no_checkpoints():
            assert peer.answer_nowait(7, ["a"], flushes=False)
            assert peer.answer_nowait(8, [], flushes=True)
        assert (link.sent, link.put_only) == ([['3/chat,7["a"]']], [["3/chat,8[]"]])

    @pytest.mark.parametrize("flushes", [False, True])
    def test_no_room(self, peer, link, flushes):
        link.room = 0
        assert not peer.answer_nowait(7, [], flushes=flushes)
        assert (link.sent, link.put_only) == ([], [])

    @pytest.mark.parametrize("flushes", [False, True])
    def test_gone(self, peer, link, flushes):
        peer.leave("ping timeout")
        with pytest.raises(Disconnected, match="disconnected: ping timeout"):
            peer.answer_nowait(7, [], flushes=flushes)
        assert (link.sent, link.put_only) == ([], [])


class TestTrace:
    def test_silent_by_default(self, peer, caplog):
        peer.emit_nowait("x", [])
        assert not caplog.records

    def test_packets_are_shown_cut_short(self, link, caplog):
        caplog.set_level(logging.DEBUG, "trio_socketio.socket")
        peer = peer_on(link)
        peer.emit_nowait("x", ["y" * 1000])
        (record,) = caplog.records
        assert record.getMessage().startswith('/chat sends [\'2/chat,["x","yyy')
        assert len(record.getMessage()) < 250

    def test_what_is_not_sent_is_not_shown(self, link, caplog):
        caplog.set_level(logging.DEBUG, "trio_socketio.socket")
        peer = peer_on(link)
        peer.leave("gone")
        with pytest.raises(Disconnected):
            peer.emit_nowait("x", [])
        assert not caplog.records
