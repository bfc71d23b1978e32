"""Events that wait for their worker: in order, bounded in number and in bytes, none lost by a wait that is cancelled."""

from __future__ import annotations

import math
from collections import deque
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import trio_test

from tests.support.client import settle
from trio_socketio._server.event_queue import EventQueue
from trio_socketio._wire.socket_packet import Event


def event(name: object) -> Event:
    return Event("/", [name])


async def get(queue: EventQueue) -> Event | None:
    """As the worker does it."""
    return queue.get_nowait() if await queue.wait() else None


def full_queue(*names: object) -> EventQueue:
    """A queue that holds these, and has no room for more."""
    queue = EventQueue(len(names), 1000)
    for name in names:
        assert queue.put_nowait(event(name), 1)
    return queue


class Task:
    """A call under way, that can be cancelled, and what came of it."""

    def __init__(self, nursery: trio.Nursery, function, *args) -> None:
        self.scope = trio.CancelScope()
        self.outcome: object = "waits"
        nursery.start_soon(self._run, function, args)

    async def _run(self, function, args) -> None:
        with self.scope:
            self.outcome = await function(*args)


async def waiting(nursery: trio.Nursery, function, *args) -> Task:
    task = Task(nursery, function, *args)
    await settle()
    assert task.outcome == "waits"
    return task


class TestBounds:
    def test_of_number(self):
        queue = EventQueue(2, 1000)
        assert [queue.put_nowait(event(n), 1) for n in range(4)] == [True, True, False, False]

    @pytest.mark.parametrize(("last", "fits"), [(40, True), (41, False)])
    def test_of_bytes(self, last, fits):
        queue = EventQueue(10, 100)
        assert queue.put_nowait(event("a"), 60)
        assert queue.put_nowait(event("b"), last) is fits

    async def test_an_empty_one_takes_any(self):
        queue = EventQueue(1, 100)
        for _ in range(2):
            assert queue.put_nowait(event("large"), 10_000)
            assert not queue.put_nowait(event("small"), 0)
            assert await get(queue) == event("large")

    async def test_bytes_are_given_back(self):
        queue = EventQueue(10, 100)
        for _ in range(5):
            assert queue.put_nowait(event("a"), 60)
            assert queue.put_nowait(event("b"), 40)
            assert not queue.put_nowait(event("c"), 1)
            assert await get(queue) == event("a")
            assert not queue.put_nowait(event("c"), 61)
            assert queue.put_nowait(event("c"), 60)
            assert [await get(queue), await get(queue)] == [event("b"), event("c")]


class TestGet:
    async def test_in_order(self):
        queue = full_queue(*range(5))
        assert [await get(queue) for _ in range(5)] == [event(n) for n in range(5)]

    async def test_it_waits(self, nursery):
        queue = EventQueue(10, 100)
        task = await waiting(nursery, partial(get, queue))
        queue.put_nowait(event("a"), 1)
        await settle()
        assert task.outcome == event("a")

    async def test_cancelled_it_takes_nothing(self, nursery):
        queue = EventQueue(10, 100)
        task = await waiting(nursery, partial(get, queue))
        task.scope.cancel()
        await settle()
        assert task.scope.cancelled_caught
        queue.put_nowait(event("a"), 1)
        queue.put_nowait(event("b"), 1)
        assert [await get(queue), await get(queue)] == [event("a"), event("b")]

    async def test_cancelled_in_the_moment_of_a_put_nothing_is_lost(self, nursery):
        queue = EventQueue(10, 100)
        task = await waiting(nursery, partial(get, queue))
        queue.put_nowait(event("a"), 1)
        task.scope.cancel()
        await settle()
        # It was woken before it was cancelled: so it has the event, and doesn't drop it.
        assert task.outcome == event("a")


class TestPut:
    async def test_at_once_while_there_is_room(self):
        queue = EventQueue(10, 100)
        await queue.put(event("a"), 1)
        assert await get(queue) == event("a")

    async def test_it_waits_for_a_place(self, nursery):
        queue = full_queue("a", "b")
        task = await waiting(nursery, queue.put, event("c"), 1)
        assert await get(queue) == event("a")
        await settle()
        assert task.outcome is None
        assert [await get(queue), await get(queue)] == [event("b"), event("c")]

    async def test_it_waits_for_enough_bytes(self, nursery):
        queue = EventQueue(10, 100)
        for name in "ab":
            queue.put_nowait(event(name), 50)
        task = await waiting(nursery, queue.put, event("c"), 80)
        assert await get(queue) == event("a")
        await settle()
        assert task.outcome == "waits"
        assert await get(queue) == event("b")
        await settle()
        assert await get(queue) == event("c")

    async def test_cancelled_it_has_put_nothing(self, nursery):
        queue = full_queue("a")
        task = await waiting(nursery, queue.put, event("b"), 1)
        task.scope.cancel()
        await settle()
        assert task.scope.cancelled_caught
        assert await get(queue) == event("a")
        await settle()
        assert queue.put_nowait(event("c"), 1)
        assert await get(queue) == event("c")

    async def test_cancelled_in_the_moment_of_a_get_it_has_put(self, nursery):
        queue = full_queue("a")
        task = await waiting(nursery, queue.put, event("b"), 1)
        assert await get(queue) == event("a")
        task.scope.cancel()
        await settle()
        assert task.outcome is None
        assert await get(queue) == event("b")


class TestClose:
    async def test_what_waits_is_dropped(self):
        queue = full_queue("a")
        queue.close()
        for _ in range(2):
            assert await get(queue) is None

    async def test_later_events_are_swallowed(self):
        queue = full_queue("a")
        queue.close()
        queue.close()
        for number in range(5):
            assert queue.put_nowait(event(number), 1000)
            await queue.put(event(number), 1000)
        assert await get(queue) is None
        assert not queue.events

    async def test_who_waits_to_get_is_told(self, nursery):
        queue = EventQueue(10, 100)
        task = await waiting(nursery, partial(get, queue))
        queue.close()
        await settle()
        assert task.outcome is None

    async def test_who_waits_to_put_goes_on(self, nursery):
        queue = full_queue("a")
        tasks = [await waiting(nursery, queue.put, event(name), 1) for name in "bc"]
        queue.close()
        await settle()
        assert [task.outcome for task in tasks] == [None, None]
        assert await get(queue) is None

    async def test_in_the_moment_of_a_put_the_worker_gets_no_event_any_more(self, nursery):
        queue = EventQueue(10, 100)
        task = await waiting(nursery, partial(get, queue))
        queue.put_nowait(event("a"), 1)
        queue.close()
        await settle()
        assert task.outcome is None


steps = st.lists(st.none() | st.integers(0, 60), max_size=60)


class TestAnySequence:
    @settings(derandomize=True, deadline=None)
    @given(steps=steps, max_events=st.integers(1, 5), max_bytes=st.integers(1, 100))
    def test_of_puts_and_gets(self, steps, max_events, max_bytes):
        """A number puts an event of so many bytes, if there is room; ``None`` gets one, if there is any."""

        @trio_test
        async def check():
            queue, model = EventQueue(max_events, max_bytes), deque()
            for number, size in enumerate(steps):
                if size is not None:
                    total = size + sum(other for _, other in model)
                    fits = not model or (len(model) < max_events and total <= max_bytes)
                    assert queue.put_nowait(event(number), size) is fits
                    if fits:
                        model.append((number, size))
                elif model:
                    assert await get(queue) == event(model.popleft()[0])
            assert [await get(queue) for _ in model] == [event(number) for number, _ in model]

        check()

    @settings(derandomize=True, deadline=None, max_examples=40)
    @given(
        sizes=st.lists(st.integers(0, 60), max_size=30),
        given_up=st.sets(st.integers(0, 30)),
        max_events=st.integers(1, 4),
    )
    def test_a_reader_and_a_worker_lose_nothing_and_keep_the_order(self, sizes, given_up, max_events):
        """The reader puts all, each wait to get that is in ``given_up`` is cancelled after a second."""

        @trio_test
        async def check(autojump_clock):
            queue, received = EventQueue(max_events, 100), []

            async def read():
                for number, size in enumerate(sizes):
                    await trio.sleep(size / 20)
                    await queue.put(event(number), size)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                tries = 0
                while len(received) < len(sizes):
                    tries += 1
                    with trio.move_on_after(1 if tries in given_up else math.inf):
                        received.append((await get(queue)).args[0])
                        await trio.sleep(len(received) % 3)
                    assert len(queue.events) <= max_events
                    assert len(queue.events) <= 1 or queue._bytes <= 100
            assert received == list(range(len(sizes)))
            assert queue._bytes == 0

        check(autojump_clock=trio.testing.MockClock(autojump_threshold=0))
