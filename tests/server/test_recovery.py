"""The settings of recovery, and the sockets that it keeps."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import CloseReason, ConnectionStateRecovery
from trio_socketio._engine.clock import Clock
from trio_socketio._engine.timers import Timers
from trio_socketio._server.recovery import Recovery
from trio_socketio._server.replay import Offsets, Replay


class TestSettings:
    @pytest.mark.parametrize("name", ["max_disconnection_duration", "max_packets", "max_bytes", "max_lost"])
    @pytest.mark.parametrize("value", [0, -1, True, None, "5", float("nan"), float("inf"), 2**53])
    def test_numbers_out_of_range(self, name, value):
        with pytest.raises(ValueError, match=name):
            ConnectionStateRecovery(**{name: value})

    @pytest.mark.parametrize("name", ["max_packets", "max_bytes", "max_lost"])
    def test_counts_are_whole(self, name):
        with pytest.raises(ValueError, match="whole number"):
            ConnectionStateRecovery(**{name: 1.5})
        assert getattr(ConnectionStateRecovery(**{name: 1}), name) == 1

    @pytest.mark.parametrize("value", ["other", None, [], 1])
    def test_handler(self, value):
        with pytest.raises(ValueError, match="restart"):
            ConnectionStateRecovery(handler=value)

    @pytest.mark.parametrize("value", ["no", None, 1])
    def test_skip_middlewares(self, value):
        with pytest.raises(ValueError, match="True or False"):
            ConnectionStateRecovery(skip_middlewares=value)

    def test_half_a_second_is_a_duration(self):
        assert ConnectionStateRecovery(max_disconnection_duration=0.5).max_disconnection_duration == 0.5


class FakeSession:
    def __init__(self) -> None:
        self.closed_with: list[CloseReason] = []

    def close(self, reason):
        self.closed_with.append(reason)


class FakeWorker:
    """A tenant of "/", as far as the recovery looks at it."""

    def __init__(self, recovery: Recovery, namespace: str = "/") -> None:
        self.pid = recovery.new_pid()
        self.namespace = namespace
        self.session = FakeSession()
        self.replay: Replay | None = Replay(Offsets("epoch"), 10, 1000)
        self.given_up = 0

    def give_up(self):
        self.given_up += 1


@pytest.fixture
async def recovery(autojump_clock):
    kept = Recovery(ConnectionStateRecovery(max_disconnection_duration=10, max_lost=3))
    clock = Clock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.run)
        kept.open(lambda on_fault: Timers(clock, on_fault), nursery.start_soon)
        yield kept
        nursery.cancel_scope.cancel()


class TestClaim:
    async def test_once(self, recovery):
        worker, session = FakeWorker(recovery), FakeSession()
        recovery.connected(worker)
        recovery.lost(worker)
        assert recovery.claim("/", {"pid": worker.pid}, session) is worker
        assert recovery.claim("/", {"pid": worker.pid}, FakeSession()) is None, "it is not given back yet"
        assert session.closed_with == [CloseReason.TRANSPORT_CLOSE]
        recovery.connected(worker)
        assert len(recovery) == 0

    async def test_given_back(self, recovery):
        worker = FakeWorker(recovery)
        recovery.lost(worker)
        recovery.claim("/", {"pid": worker.pid}, FakeSession())
        assert recovery.give_back(worker)
        assert recovery.claim("/", {"pid": worker.pid}, FakeSession()) is worker
        recovery.end(worker.pid)
        assert not recovery.give_back(worker)
        assert worker.given_up == 1

    async def test_of_another_namespace_it_is_none_and_hurts_nobody(self, recovery):
        worker = FakeWorker(recovery)
        recovery.connected(worker)
        assert recovery.claim("/chat", {"pid": worker.pid}, FakeSession()) is None
        assert not worker.session.closed_with
        recovery.lost(worker)
        assert recovery.claim("/chat", {"pid": worker.pid}, FakeSession()) is None
        assert len(recovery) == 1 and not worker.given_up

    async def test_one_that_keeps_nothing_cannot_be_promised(self, recovery):
        worker = FakeWorker(recovery)
        worker.replay = None
        recovery.lost(worker)
        assert recovery.claim("/", {"pid": worker.pid}, FakeSession()) is None
        assert worker.given_up == 1 and len(recovery) == 0

    async def test_pids_and_epochs_are_long_and_never_the_same(self, recovery):
        pids = {recovery.new_pid() for _ in range(1000)}
        assert len(pids) == 1000 and {len(pid) for pid in pids} == {20}
        epochs = {recovery.new_epoch() for _ in range(1000)}
        assert len(epochs) == 1000 and {len(epoch) for epoch in epochs} == {8}

    async def test_nobody_before_and_after_its_life(self, recovery):
        worker = FakeWorker(recovery)
        recovery.lost(worker)
        recovery.close()
        assert worker.given_up == 1
        assert recovery.claim("/", {"pid": worker.pid}, FakeSession()) is None
        assert not any(map(recovery.may_lose, CloseReason))
        fresh = Recovery(ConnectionStateRecovery())
        assert fresh.claim("/", {"pid": "x"}, FakeSession()) is None


class TestTime:
    async def test_each_at_its_own_and_claimed_ones_later(self, recovery, autojump_clock):
        first, second, third = workers = [FakeWorker(recovery) for _ in range(3)]
        for worker in workers:
            recovery.lost(worker)
            await trio.sleep(1)
        recovery.claim("/", {"pid": second.pid}, FakeSession())
        await trio.sleep(7.5)
        assert [worker.given_up for worker in workers] == [1, 0, 0]
        await trio.sleep(5)
        assert [worker.given_up for worker in workers] == [1, 0, 1]
        assert recovery.give_back(second)
        await trio.sleep(0.01)
        assert second.given_up == 1, "its time is up"

    async def test_claimed_ones_that_come_first_hide_nobody(self, recovery, autojump_clock):
        first, second = FakeWorker(recovery), FakeWorker(recovery)
        recovery.lost(first)
        recovery.claim("/", {"pid": first.pid}, FakeSession())
        await trio.sleep(1)
        recovery.lost(second)
        await trio.sleep(10.5)
        assert (first.given_up, second.given_up) == (0, 1)

    async def test_more_than_may_be_lost(self, recovery):
        workers = [FakeWorker(recovery) for _ in range(5)]
        for worker in workers[:3]:
            recovery.lost(worker)
        recovery.claim("/", {"pid": workers[0].pid}, FakeSession())
        for worker in workers[3:]:
            recovery.lost(worker)
        assert [worker.given_up for worker in workers] == [0, 1, 1, 0, 0]

    async def test_if_all_are_claimed_there_is_one_more(self, recovery):
        workers = [FakeWorker(recovery) for _ in range(5)]
        for worker in workers[:3]:
            recovery.lost(worker)
            recovery.claim("/", {"pid": worker.pid}, FakeSession())
        for worker in workers[3:]:
            recovery.lost(worker)
        assert [worker.given_up for worker in workers] == [0, 0, 0, 1, 0]
        assert len(recovery) == 4

    async def test_a_fault_costs_the_clock_nothing(self, recovery, caplog, autojump_clock):
        worker, other = FakeWorker(recovery), FakeWorker(recovery)

        def fail():
            raise ValueError("a fault of ours")

        worker.give_up = fail
        recovery.lost(worker)
        await trio.sleep(11)
        assert "could not be given up" in caplog.text
        recovery.lost(other)
        await trio.sleep(11)
        assert other.given_up == 1
