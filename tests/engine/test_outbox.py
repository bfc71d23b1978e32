"""What waits for one client: bounded in bytes and in packets, in batches that stay together."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_no_checkpoints

from tests.support.client import settle
from tests.support.engine import message
from trio_socketio import Disconnected, Limits
from trio_socketio._engine.outbox import Outbox
from trio_socketio._wire.engine_packet import EnginePacket


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


class Somebody:
    """Who waits for room, and notes what came of it."""

    def __init__(self, box: Outbox, nursery: trio.Nursery, packet: EnginePacket) -> None:
        self.gone: str | None = None
        self.scope = trio.CancelScope()
        self.outcome: object = "waits"
        self._box = box
        self._packet = packet
        nursery.start_soon(self._run)

    def _put(self) -> None:
        if self.gone is not None:
            raise Disconnected(self.gone)
        if not self._box.offer([self._packet]):
            raise trio.WouldBlock

    async def _run(self) -> None:
        with self.scope:
            try:
                await self._box.put_in_turn(self, self._put)
                self.outcome = "has put"
            except Disconnected as error:
                self.outcome = error.reason


async def in_line(nursery, box, texts):
    """Several who wait, in this order."""
    line = []
    for text in texts:
        line.append(Somebody(box, nursery, message(text)))
        await settle()
    return line


def outcomes(line) -> list[object]:
    return [each.outcome for each in line]


class TestWaiting:
    @pytest.mark.parametrize("action", ["take", "clear"])
    async def test_first_come_first_served_as_far_as_there_is_room(self, nursery, autojump_clock, action):
        box = outbox(packets=2)
        box.put([message("a"), message("b")])
        line = await in_line(nursery, box, "cdefg")
        assert outcomes(line) == ["waits"] * 5
        getattr(box, action)()
        # At once, not when their tasks run: nobody can come in between.
        assert [packet.data for packet in box.packets] == ["c", "d"]
        await settle()
        assert outcomes(line) == ["has put", "has put", "waits", "waits", "waits"]
        assert [[packet.data for packet in box.take()] for _ in range(3)] == [["c", "d"], ["e", "f"], ["g"]]
        await settle()
        assert outcomes(line) == ["has put"] * 5

    async def test_also_when_only_some_was_taken(self, nursery, autojump_clock):
        box = outbox(packets=2)
        box.put([message("a"), message("b")])
        line = await in_line(nursery, box, "c")
        box.take(1)
        assert [packet.data for packet in box.packets] == ["b", "c"]
        await settle()
        assert outcomes(line) == ["has put"]

    async def test_with_room_it_is_no_checkpoint(self, nursery, autojump_clock):
        box = outbox(packets=2)
        with assert_no_checkpoints():
            await box.put_in_turn(Somebody(outbox(), nursery, message("x")), lambda: None)

    async def test_a_small_one_does_not_overtake_a_large_one_also_if_it_comes_later(self, nursery, autojump_clock):
        box = outbox(size=10, packets=100)
        box.put([message("a" * 5)])
        line = await in_line(nursery, box, ["b" * 9, "c"])
        line += await in_line(nursery, box, ["d"])
        assert outcomes(line) == ["waits"] * 3
        assert [len(box.take()) for _ in range(3)] == [1, 1, 2]

    async def test_one_who_was_cancelled_is_gone_and_lets_others_pass(self, nursery, autojump_clock):
        box = outbox(size=10, packets=100)
        box.put([message("a" * 5)])
        line = await in_line(nursery, box, ["b" * 9, "c"])
        line[0].scope.cancel()
        await settle()
        assert outcomes(line) == ["waits", "has put"]
        assert [packet.data for packet in box.take()] == ["aaaaa", "c"]

    async def test_who_has_left_learns_it_wherever_it_stands_and_the_others_stay(self, nursery, autojump_clock):
        box = outbox(packets=1)
        box.put([message("a")])
        line = await in_line(nursery, box, "bcd")
        line[1].gone = "ping timeout"
        box.serve_waiting()
        await settle()
        assert outcomes(line) == ["waits", "ping timeout", "waits"]
        assert [[packet.data for packet in box.take()] for _ in range(3)] == [["a"], ["b"], ["d"]]

    async def test_what_a_put_raises_costs_only_its_own_place(self, nursery, autojump_clock):
        box = outbox(packets=1)
        box.put([message("a")])
        line = await in_line(nursery, box, "bc")
        line[0].gone = "transport close"
        box.take()
        await settle()
        assert outcomes(line) == ["transport close", "has put"]

    def test_nobody_waits(self):
        box = outbox()
        box.serve_waiting()
        box.take()
