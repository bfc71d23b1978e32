"""Questions that wait for their answers: each settled once, at most so many, none left behind."""

from __future__ import annotations

import itertools

import pytest
import trio
from trio.testing import assert_checkpoints

from tests.support.client import settle
from trio_socketio import Disconnected, SocketIOError, TooManyPendingAcks
from trio_socketio._socket.acks import PendingAck, PendingAcks


def acks_for(limit: int) -> PendingAcks:
    return PendingAcks(limit, itertools.count())


class Waiter:
    """A task that waits for an answer, and what came of it."""

    def __init__(self, nursery: trio.Nursery, pending: PendingAck) -> None:
        self.outcome: object = "none yet"
        nursery.start_soon(self._wait, pending)

    async def _wait(self, pending: PendingAck) -> None:
        try:
            self.outcome = await pending.wait()
        except Disconnected as error:
            self.outcome = error.reason


class TestIds:
    def test_they_count_from_0(self):
        acks = acks_for(10)
        assert [acks.open().ack_id for _ in range(3)] == [0, 1, 2]
        assert len(acks) == 3

    def test_none_is_used_again(self):
        acks = acks_for(1)
        used = []
        for end in (
            lambda pending: acks.forget(pending.ack_id),
            lambda pending: acks.settle(pending.ack_id, []),
            lambda pending: acks.fail_all("x"),
        ):
            pending = acks.open()
            used.append(pending.ack_id)
            end(pending)
            assert len(acks) == 0
        assert [*used, acks.open().ack_id] == [0, 1, 2, 3]

    def test_one_that_was_refused_costs_no_id(self):
        acks = acks_for(1)
        first = acks.open()
        with pytest.raises(TooManyPendingAcks):
            acks.open()
        acks.forget(first.ack_id)
        assert acks.open().ack_id == 1


class TestTheLimit:
    def test_it_is_inclusive_and_the_sentence_says_which_it_is(self):
        acks = acks_for(2)
        acks.open()
        acks.open()
        with pytest.raises(TooManyPendingAcks, match=r"2 answers .*Limits\.max_pending_acks"):
            acks.open()
        assert len(acks) == 2
        assert issubclass(TooManyPendingAcks, SocketIOError)

    @pytest.mark.parametrize("how", ["answered", "forgotten", "failed"])
    def test_what_is_settled_makes_room(self, how):
        acks = acks_for(1)
        pending = acks.open()
        if how == "answered":
            acks.settle(pending.ack_id, [])
        elif how == "forgotten":
            acks.forget(pending.ack_id)
        else:
            acks.fail_all("gone")
        acks.open()


class TestSettle:
    @pytest.mark.parametrize("args", [[], ["one"], [1, [2], {"three": b"3"}]])
    async def test_who_waits_gets_the_arguments(self, nursery, args):
        acks = acks_for(10)
        pending = acks.open()
        waiter = Waiter(nursery, pending)
        await settle()
        assert acks.settle(pending.ack_id, args)
        assert len(acks) == 0
        await settle()
        assert waiter.outcome == args

    async def test_before_anybody_waits(self):
        acks = acks_for(10)
        pending = acks.open()
        acks.settle(pending.ack_id, ["early"])
        with assert_checkpoints():
            assert await pending.wait() == ["early"]

    async def test_in_another_order(self, nursery):
        acks = acks_for(10)
        questions = [acks.open() for _ in range(3)]
        waiters = [Waiter(nursery, pending) for pending in questions]
        for pending in reversed(questions):
            acks.settle(pending.ack_id, [pending.ack_id * 10])
        await settle()
        assert [waiter.outcome for waiter in waiters] == [[0], [10], [20]]

    async def test_only_its_question_goes_on(self, nursery):
        acks = acks_for(10)
        first, second = acks.open(), acks.open()
        waiter = Waiter(nursery, first)
        acks.settle(second.ack_id, ["for the second"])
        await settle()
        assert waiter.outcome == "none yet"
        assert len(acks) == 1
        acks.fail_all("end")

    @pytest.mark.parametrize("ack_id", [1, -1, 2**53])
    def test_an_id_that_was_never_given_out(self, ack_id):
        acks = acks_for(10)
        acks.open()
        assert not acks.settle(ack_id, ["who?"])
        assert len(acks) == 1

    async def test_a_second_answer_changes_nothing(self):
        acks = acks_for(10)
        pending = acks.open()
        assert acks.settle(pending.ack_id, ["first"])
        assert not acks.settle(pending.ack_id, ["second"])
        assert await pending.wait() == ["first"]

    @pytest.mark.parametrize("end", ["forget", "fail_all"])
    def test_a_late_answer_settles_nothing(self, end):
        acks = acks_for(10)
        pending = acks.open()
        acks.forget(pending.ack_id) if end == "forget" else acks.fail_all("gone")
        assert not acks.settle(pending.ack_id, ["late"])


class TestForget:
    def test_only_its_own_and_again_is_harmless(self):
        acks = acks_for(10)
        first, second = acks.open(), acks.open()
        acks.forget(first.ack_id)
        acks.forget(first.ack_id)
        assert len(acks) == 1
        assert acks.settle(second.ack_id, [])
        acks.forget(second.ack_id)
        assert len(acks) == 0


class TestFailAll:
    async def test_all_who_wait_learn_why(self, nursery):
        acks = acks_for(10)
        waiters = [Waiter(nursery, acks.open()) for _ in range(3)]
        await settle()
        acks.fail_all("ping timeout")
        assert len(acks) == 0
        await settle()
        assert [waiter.outcome for waiter in waiters] == ["ping timeout"] * 3

    async def test_also_who_waits_only_then(self):
        acks = acks_for(10)
        pending = acks.open()
        acks.fail_all("transport close")
        with pytest.raises(Disconnected, match="disconnected: transport close"), assert_checkpoints():
            await pending.wait()

    async def test_what_was_answered_before_stays_answered(self):
        acks = acks_for(10)
        pending = acks.open()
        acks.settle(pending.ack_id, ["in time"])
        acks.fail_all("transport close")
        assert await pending.wait() == ["in time"]

    def test_nobody_waits(self):
        acks_for(10).fail_all("transport close")


class TestCancelled:
    async def test_while_it_waits(self, autojump_clock):
        acks = acks_for(10)
        pending = acks.open()
        with trio.move_on_after(5) as scope:
            await pending.wait()
        assert scope.cancelled_caught
        # To give the question up is the asker's: until then an answer is still its own.
        assert acks.settle(pending.ack_id, ["later"])
        assert await pending.wait() == ["later"]

    @pytest.mark.parametrize("settled", [False, True])
    async def test_already(self, settled):
        acks = acks_for(10)
        pending = acks.open()
        if settled:
            acks.settle(pending.ack_id, [])
        with trio.CancelScope() as scope:
            scope.cancel()
            await pending.wait()
        assert scope.cancelled_caught


class Question:
    """A question with an id of somebody else's choice, and what came of it."""

    def __init__(self) -> None:
        self.outcomes: list[object] = []

    def answer(self, args) -> None:
        self.outcomes.append(args)

    def fail(self, reason: str) -> None:
        self.outcomes.append(reason)


class TestAdd:
    def test_it_is_answered_once(self):
        acks, question = acks_for(10), Question()
        acks.add(5, question)
        assert len(acks) == 1
        assert acks.settle(5, ["first"])
        assert not acks.settle(5, ["second"])
        assert (question.outcomes, len(acks)) == ([["first"]], 0)

    def test_it_fails_with_the_others(self):
        acks, question = acks_for(10), Question()
        acks.add(5, question)
        acks.open()
        acks.fail_all("ping timeout")
        acks.fail_all("again")
        assert (question.outcomes, len(acks)) == (["ping timeout"], 0)

    def test_it_is_forgotten(self):
        acks, question = acks_for(10), Question()
        acks.add(5, question)
        acks.forget(5)
        assert not acks.settle(5, ["late"])
        acks.fail_all("gone")
        assert question.outcomes == []

    def test_it_counts_to_the_limit_as_any(self):
        acks, question = acks_for(2), Question()
        acks.open()
        acks.add(5, Question())
        with pytest.raises(TooManyPendingAcks, match=r"Limits\.max_pending_acks"):
            acks.add(6, question)
        with pytest.raises(TooManyPendingAcks):
            acks.open()
        assert not acks.settle(6, ["unasked"])
        assert (question.outcomes, len(acks)) == ([], 2)

    def test_one_that_fails_may_ask_again_at_once(self):
        acks, late = acks_for(1), Question()

        class AsksAgain(Question):
            def fail(self, reason: str) -> None:
                super().fail(reason)
                acks.add(6, late)

        acks.add(5, AsksAgain())
        acks.fail_all("gone")
        assert (late.outcomes, len(acks)) == ([], 1)

    def test_two_peers_share_the_ids(self):
        ids = itertools.count()
        one, two = PendingAcks(10, ids), PendingAcks(10, ids)
        shared = next(ids)
        questions = [Question(), Question()]
        for acks, question in zip((one, two), questions, strict=True):
            acks.add(shared, question)
        assert [one.open().ack_id, two.open().ack_id, one.open().ack_id] == [1, 2, 3]
        two.settle(shared, ["of the second"])
        assert [question.outcomes for question in questions] == [[], [["of the second"]]]
