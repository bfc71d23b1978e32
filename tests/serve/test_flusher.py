"""The task that writes for all sockets: who is on its list is written, whatever another does."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import settle
from trio_socketio._serve.flusher import WRITES_PER_CHECKPOINT, Flusher


class Writer:
    """Notes that it was flushed."""

    def __init__(self, name, order, then=lambda: None) -> None:
        self.name, self.order, self.then = name, order, then
        self.failed = False
        self.is_listed = True

    def flush(self) -> None:
        assert not self.is_listed, "it may be put on the list again now"
        self.order.append(self.name)
        self.then()

    def fail(self) -> None:
        self.failed = True


def fault() -> None:
    raise RuntimeError("a fault of ours")


@pytest.fixture
def order():
    return []


async def test_in_order_and_once(order, nursery, autojump_clock):
    flusher = Flusher()
    nursery.start_soon(flusher.run)
    await settle()
    for turn in range(2):
        for name in "abc":
            flusher.add(Writer(name, order))
        assert len(order) == 3 * turn, "not in the caller's turn"
        await settle()
    assert order == ["a", "b", "c"] * 2


async def test_what_was_added_before_it_runs(order, nursery, autojump_clock):
    flusher = Flusher()
    flusher.add(Writer("a", order))
    nursery.start_soon(flusher.run)
    await settle()
    assert order == ["a"]


async def test_added_while_it_writes(order, nursery, autojump_clock):
    flusher = Flusher()
    second = Writer("second", order)
    flusher.add(Writer("first", order, lambda: flusher.add(second)))
    nursery.start_soon(flusher.run)
    await settle()
    assert order == ["first", "second"]


async def test_a_fault_costs_one(order, nursery, autojump_clock, caplog):
    flusher = Flusher()
    faulty = Writer("faulty", order, fault)
    writers = [Writer("a", order), faulty, Writer("b", order)]
    for writer in writers:
        flusher.add(writer)
    nursery.start_soon(flusher.run)
    await settle()
    assert order == ["a", "faulty", "b"]
    assert [writer.failed for writer in writers] == [False, True, False]
    assert "a fault of ours" in caplog.text
    flusher.add(Writer("c", order))
    await settle()
    assert order[-1] == "c"


async def test_others_have_their_turn(order, nursery, autojump_clock):
    flusher = Flusher()
    turns = []

    async def other():
        while True:
            turns.append(len(order))
            await trio.lowlevel.checkpoint()

    count = 3 * WRITES_PER_CHECKPOINT + 1
    for number in range(count):
        flusher.add(Writer(number, order))
    with trio.move_on_after(1) as scope:
        async with trio.open_nursery() as both:
            both.start_soon(flusher.run)
            both.start_soon(other)
            while len(order) < count:
                await trio.lowlevel.checkpoint()
            scope.cancel()
    assert order == list(range(count))
    steps = {turn for turn in turns if 0 < turn < count}
    assert steps
    assert steps <= {WRITES_PER_CHECKPOINT * number for number in (1, 2, 3)}


async def test_cancelled(order, autojump_clock):
    flusher = Flusher()
    with trio.move_on_after(1) as scope:
        await flusher.run()
    assert scope.cancelled_caught
    flusher.add(Writer("a", order))
    assert not order
