"""The answers to a question that was put to many: each once, in the order in which they come, and who is missing."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import assert_checkpoints

from tests.support.client import settle
from trio_socketio._server.answers import Answers


def answers_of(names: str = "", *, closed: bool = True) -> Answers:
    """Answers that are expected of each of these letters."""
    answers = Answers._create()
    answers.expect(names)
    if closed:
        answers.close()
    return answers


class Reader:
    """A task that takes answers, until they end or it is cancelled."""

    def __init__(self, nursery: trio.Nursery, answers: Answers, most: int | None = None) -> None:
        self.got: list[tuple[str, object]] = []
        self.ended = False
        self.scope = trio.CancelScope()
        nursery.start_soon(self._run, answers, most)

    async def _run(self, answers: Answers, most: int | None) -> None:
        with self.scope:
            async for answer in answers:
                self.got.append(answer)
                if len(self.got) == most:
                    return
            self.ended = True


async def rest(answers: Answers) -> list[tuple[str, object]]:
    """All that is still to be had, at once."""
    with trio.fail_after(0.1):
        return [answer async for answer in answers]


pytestmark = pytest.mark.usefixtures("autojump_clock")


class TestIteration:
    async def test_as_they_come(self, nursery):
        answers = answers_of("abc")
        reader = Reader(nursery, answers)
        for name in "cab":
            await settle()
            answers.answer(name, [name * 2])
        assert not reader.ended
        await settle()
        assert reader.got == [("c", "cc"), ("a", "aa"), ("b", "bb")]
        assert reader.ended

    async def test_those_that_came_before_anybody_reads(self):
        answers = answers_of("ab")
        answers.answer("b", [1])
        answers.answer("a", [2])
        assert await rest(answers) == [("b", 1), ("a", 2)]

    @pytest.mark.parametrize(
        ("args", "value"), [([], None), ([None], None), (["x"], "x"), ([1, 2], (1, 2)), ([[1, 2]], [1, 2]), ((5,), 5)]
    )
    async def test_the_values(self, args, value):
        answers = answers_of("a")
        answers.answer("a", args)
        assert await rest(answers) == [("a", value)]

    async def test_each_is_a_checkpoint_also_the_end(self):
        answers = answers_of("a")
        answers.answer("a", [])
        with assert_checkpoints():
            await anext(answers)
        for _ in range(2):
            with pytest.raises(StopAsyncIteration), assert_checkpoints():
                await anext(answers)

    async def test_nobody_was_asked(self):
        assert await rest(answers_of("")) == []

    async def test_it_ends_only_when_it_is_known_that_nobody_further_is_asked(self, nursery):
        answers = answers_of("a", closed=False)
        reader = Reader(nursery, answers)
        answers.answer("a", [1])
        await settle()
        assert (reader.got, reader.ended) == ([("a", 1)], False)
        answers.expect("b")
        answers.close()
        await settle()
        assert not reader.ended
        answers.answer("b", [2])
        await settle()
        assert (reader.got, reader.ended) == ([("a", 1), ("b", 2)], True)

    async def test_closed_while_one_waits_for_nobody(self, nursery):
        answers = answers_of("", closed=False)
        reader = Reader(nursery, answers)
        await settle()
        assert not reader.ended
        answers.close()
        await settle()
        assert reader.ended

    async def test_it_may_be_left_and_taken_up_again(self):
        answers = answers_of("abc")
        for name in "abc":
            answers.answer(name, [])
        async for name, _ in answers:
            assert name == "a"
            break
        assert await rest(answers) == [("b", None), ("c", None)]


class TestMissing:
    async def test_who_has_not_answered_yet_and_who_has_left(self):
        answers = answers_of("abc")
        assert answers.missing == {"a", "b", "c"}
        answers.answer("b", [])
        assert answers.missing == {"a", "c"}
        answers.leave("c")
        assert answers.missing == {"a", "c"}
        answers.answer("a", [])
        assert answers.missing == {"c"}
        assert await rest(answers) == [("b", None), ("a", None)]
        assert answers.missing == {"c"}

    def test_it_is_a_snapshot(self):
        answers = answers_of("ab")
        before = answers.missing
        answers.answer("a", [])
        assert before == {"a", "b"}
        assert isinstance(before, frozenset)

    async def test_all_leave(self, nursery):
        answers = answers_of("ab")
        reader = Reader(nursery, answers)
        await settle()
        answers.leave("a")
        await settle()
        assert not reader.ended
        answers.leave("b")
        await settle()
        assert (reader.got, reader.ended, answers.missing) == ([], True, {"a", "b"})

    async def test_after_a_deadline_it_names_those_who_are_late(self, autojump_clock):
        answers = answers_of("abc")
        answers.answer("a", [1])
        got = []
        with trio.move_on_after(5) as patience:
            async for answer in answers:
                got.append(answer)
        assert patience.cancelled_caught
        assert trio.current_time() >= 5
        assert (got, answers.missing) == ([("a", 1)], {"b", "c"})


class TestWhatCountsForNothing:
    async def test_a_second_answer(self):
        answers = answers_of("ab")
        for value in (1, 2):
            answers.answer("a", [value])
        answers.answer("b", [])
        assert await rest(answers) == [("a", 1), ("b", None)]

    async def test_an_answer_of_one_who_was_not_asked(self):
        answers = answers_of("a")
        answers.answer("stranger", [1])
        answers.leave("another")
        assert answers.missing == {"a"}
        answers.answer("a", [])
        assert await rest(answers) == [("a", None)]

    async def test_an_answer_of_one_who_has_left(self):
        answers = answers_of("a")
        answers.leave("a")
        answers.answer("a", [1])
        assert (await rest(answers), answers.missing) == ([], {"a"})

    async def test_that_one_leaves_who_has_answered(self):
        answers = answers_of("a")
        answers.answer("a", [1])
        answers.leave("a")
        assert (await rest(answers), answers.missing) == ([("a", 1)], frozenset())

    async def test_more_who_are_named_when_nobody_further_is_asked(self):
        answers = answers_of("")
        answers.expect("a")
        answers.answer("a", [1])
        assert (await rest(answers), answers.missing) == ([], frozenset())

    async def test_one_is_asked_twice_and_has_answered(self):
        answers = answers_of("a", closed=False)
        answers.answer("a", [1])
        answers.expect("a")
        answers.answer("a", [2])
        answers.close()
        assert (await rest(answers), answers.missing) == ([("a", 1)], frozenset())

    async def test_one_is_asked_again_who_had_left(self):
        answers = answers_of("a", closed=False)
        answers.leave("a")
        answers.expect("a")
        answers.close()
        assert answers.missing == {"a"}
        answers.answer("a", [1])
        assert (await rest(answers), answers.missing) == ([("a", 1)], frozenset())


class TestReaders:
    async def test_several_share_them_and_all_learn_of_the_end(self, nursery):
        answers = answers_of("abcd")
        readers = [Reader(nursery, answers) for _ in range(3)]
        await settle()
        for name in "abcd":
            answers.answer(name, [])
            await settle()
        assert sorted(name for reader in readers for name, _ in reader.got) == list("abcd")
        assert all(reader.ended for reader in readers)

    async def test_more_readers_than_answers(self, nursery):
        answers = answers_of("ab")
        readers = [Reader(nursery, answers) for _ in range(5)]
        await settle()
        answers.answer("a", [])
        answers.leave("b")
        await settle()
        assert sum(len(reader.got) for reader in readers) == 1
        assert all(reader.ended for reader in readers)

    async def test_one_that_is_cancelled_takes_nothing_with_it(self, nursery):
        answers = answers_of("ab")
        cancelled, other = Reader(nursery, answers), Reader(nursery, answers)
        await settle()
        answers.answer("a", [1])
        cancelled.scope.cancel()
        answers.answer("b", [2])
        await settle()
        assert sorted(cancelled.got + other.got) == [("a", 1), ("b", 2)]
        assert other.ended

    async def test_cancelled_before_it_has_begun(self, nursery):
        answers = answers_of("a")
        answers.answer("a", [1])
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(answers)
        assert scope.cancelled_caught
        assert await rest(answers) == [("a", 1)]


class TestEnd:
    """The asker has left its block."""

    async def test_what_came_in_time_is_there_and_nothing_is_waited_for(self):
        answers = answers_of("abc")
        answers.answer("a", [1])
        answers.end()
        answers.answer("b", ["late"])
        assert await rest(answers) == [("a", 1)]
        assert answers.missing == {"b", "c"}

    async def test_whoever_still_reads_is_let_go(self, nursery):
        answers = answers_of("a", closed=False)
        reader = Reader(nursery, answers)
        await settle()
        answers.end()
        await settle()
        assert (reader.got, reader.ended) == ([], True)

    async def test_who_carries_it_may_go_on_a_while(self):
        answers = answers_of("a", closed=False)
        answers.end()
        answers.expect("b")
        answers.answer("b", ["late"])
        answers.leave("a")
        answers.close()
        answers.end()
        assert (await rest(answers), answers.missing) == ([], {"a"})


def test_only_the_library_makes_them():
    with pytest.raises(TypeError, match="no public constructor"):
        Answers()


steps = st.lists(st.tuples(st.sampled_from(["expect", "answer", "leave"]), st.sampled_from("abcd")), max_size=20)


@settings(derandomize=True, deadline=None)
@given(steps=steps)
def test_any_sequence(steps):
    """Each who was asked counts once: it has answered, or is missing."""

    async def run() -> None:
        answers = Answers._create()
        asked, first = set(), {}
        waiting = set()
        for number, (step, name) in enumerate(steps):
            getattr(answers, step)(name, *([number],) * (step == "answer"))
            if step == "expect" and name not in first:
                asked.add(name)
                waiting.add(name)
            elif step == "answer" and name in waiting:
                first[name] = number
                waiting.discard(name)
            elif step == "leave":
                waiting.discard(name)
            assert answers.missing == asked - first.keys()
        answers.end()
        got = [answer async for answer in answers]
        assert got == list(first.items())

    trio.run(run)
