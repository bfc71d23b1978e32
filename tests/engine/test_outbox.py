"""What waits for one client: bounded in bytes and in packets, in batches that stay together."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import settle
from tests.support.engine import message
from trio_socketio import Limits
from trio_socketio._engine.outbox import Outbox


def outbox(*, size: int = 100, packets: int = 5) -> Outbox:
    return Outbox(Limits(send_queue_bytes=size, send_queue_packets=packets))


def data(packets) -> list[str | bytes]:
    return [packet.data for packet in packets]


def test_what_is_put_is_taken_whole_and_in_order():
    box = outbox()
    box.put([message("a")])
    box.put([message("b"), message(b"1"), message(b"2")])
    assert (len(box), box.bytes) == (4, 2 + 2 + 1 + 1)
    assert data(box.take()) == ["a", "b", b"1", b"2"]
    assert (len(box), box.bytes, box.take()) == (0, 0, [])


def test_a_batch_that_is_put_is_not_the_queue():
    box = outbox()
    batch = [message("a")]
    box.put(batch)
    box.put([message("b")])
    assert data(batch) == ["a"]
    taken = box.take()
    box.put([message("c")])
    assert data(taken) == ["a", "b"]


def test_an_empty_batch():
    box = outbox()
    box.put([])
    assert (len(box), box.bytes) == (0, 0)


class TestBytes:
    def test_the_bound_is_inclusive(self):
        box = outbox(size=100)
        box.put([message("x" * 59)])  # 60 with its type
        assert not box.offer([message("x" * 40)])
        assert not box.offer([message(b"x" * 41)])
        assert (len(box), box.bytes) == (1, 60)
        assert box.offer([message("x" * 39)])
        assert box.bytes == 100
        assert not box.offer([message(b"x")])
        assert box.offer([message(b"")])

    def test_text_counts_in_bytes(self):
        box = outbox(size=100)
        box.put([message("é" * 30)])
        assert box.bytes == 61
        assert not box.offer([message("é" * 20)])
        assert box.offer([message("é" * 19)])
        assert box.bytes == 100

    def test_a_batch_counts_whole(self):
        box = outbox(size=100)
        box.put([message(b"x" * 50)])
        assert not box.offer([message(b"x" * 25), message(b"x" * 26)])
        assert (len(box), box.bytes) == (1, 50)
        assert box.offer([message(b"x" * 25), message(b"x" * 25)])
        assert (len(box), box.bytes) == (3, 100)

    def test_an_empty_queue_takes_any(self):
        box = outbox(size=100, packets=2)
        huge = [message(b"x" * 1000)] * 3
        assert box.offer(huge)
        assert (len(box), box.bytes) == (3, 3000)
        assert not box.offer([message(b"")])
        box.take()
        assert box.offer(huge)


def test_in_front_of_all_others():
    box = outbox(size=100, packets=2)
    box.put([message("ab"), message("c")])
    box.put_first(message("first"))
    assert (len(box), box.bytes) == (3, 11)
    assert [packet.data for packet in box.take()] == ["first", "ab", "c"]
    assert box.bytes == 0


def test_more_than_half_full_it_is_crowded():
    box = outbox(size=100, packets=5)
    assert not box.is_crowded
    box.put([message(b"x" * 50)])
    assert not box.is_crowded
    box.put([message(b"x")])
    assert box.is_crowded
    box.take()
    box.put([message(b"")] * 2)
    assert not box.is_crowded
    box.put([message(b"")])
    assert box.is_crowded


class TestPackets:
    def test_the_bound_is_inclusive(self):
        box = outbox(packets=5)
        box.put([message("")] * 3)
        assert not box.offer([message("")] * 3)
        assert box.offer([message("")] * 2)
        assert not box.offer([message("")])
        assert box.offer([])
        assert len(box) == 5


class TestTakingSome:
    def filled(self) -> Outbox:
        box = outbox(size=1000, packets=100)
        box.put([message(b"x" * size) for size in (10, 20, 30, 0, 5)])
        return box

    @pytest.mark.parametrize(
        ("most", "count", "left"),
        [
            (1, 1, 55),
            (10, 1, 55),
            (11, 2, 35),
            (30, 2, 35),
            (31, 3, 5),
            (60, 3, 5),
            (61, 5, 0),
            (65, 5, 0),
            (1000, 5, 0),
        ],
    )
    def test_none_is_begun_beyond(self, most, count, left):
        box = self.filled()
        assert len(box.take(most)) == count
        assert (len(box), box.bytes) == (5 - count, left)

    def test_in_order_and_nothing_is_lost(self):
        box, taken = self.filled(), []
        while box:
            taken += box.take(1)
            if len(taken) == 2:
                box.put([message("last")])
        assert [len(packet.data) for packet in taken] == [10, 20, 30, 0, 5, 4]
        assert box.bytes == 0

    def test_of_an_empty_queue(self):
        assert outbox().take(1) == []

    def test_one_larger_than_that(self):
        box = outbox()
        box.put([message(b"x" * 1000)])
        assert len(box.take(10)) == 1
        assert box.bytes == 0


class TestWaiting:
    @pytest.mark.parametrize("action", ["take", "clear"])
    async def test_all_who_wait_are_woken(self, nursery, action):
        box = outbox()
        box.put([message("a")])
        woken = []

        async def wait(name):
            await box.wait()
            woken.append(name)

        for name in range(3):
            nursery.start_soon(wait, name)
        await settle()
        box.put([message("b")])
        assert box.offer([message("c")])
        await settle()
        assert not woken
        getattr(box, action)()
        assert (len(box), box.bytes) == (0, 0)
        await settle()
        assert sorted(woken) == [0, 1, 2]

    async def test_also_when_only_some_was_taken(self, nursery, autojump_clock):
        box = outbox()
        box.put([message("a"), message("b")])
        woken = trio.Event()

        async def wait():
            await box.wait()
            woken.set()

        nursery.start_soon(wait)
        await settle()
        box.take(1)
        await settle()
        assert woken.is_set()

    async def test_one_who_was_cancelled_is_gone(self, autojump_clock):
        box = outbox()
        with trio.move_on_after(1) as scope:
            await box.wait()
        assert scope.cancelled_caught
        assert not box._waiting
        box.take()
