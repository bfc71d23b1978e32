"""Events that wait to be taken: by name, in order, and not without end."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_socketio._server.event_stream import ReceivedEvent
from trio_socketio.testing.inbox import Inbox, shown_event


def event(name, *args):
    return ReceivedEvent._create(name, args, None)


@pytest.fixture
def inbox():
    inbox = Inbox(most=3)
    for number, name in enumerate(("a", "b", "a")):
        inbox.put(event(name, number))
    return inbox


def taken(inbox, *names):
    found = inbox.take(set(names))
    return None if found is None else found.args


def test_the_oldest_of_a_name_or_of_all(inbox):
    assert taken(inbox, "a") == (0,)
    assert taken(inbox, "c") is None
    assert taken(inbox) == (1,)
    assert taken(inbox, "a", "b") == (2,)
    assert taken(inbox) is None
    assert len(inbox) == 0


def test_looking_takes_nothing(inbox):
    assert inbox.has({"b"})
    assert inbox.has(set())
    assert not inbox.has({"c"})
    assert len(inbox) == 3
    assert not Inbox().has(set())


def test_the_oldest_is_dropped_and_the_report_says_so(inbox):
    inbox.put(event("d", 3))
    assert taken(inbox) == (1,)
    assert inbox.report() == "instead came: 'a'(2), 'd'(3) (1 older ones are not kept)"


def test_reports():
    assert Inbox().report() == "nothing else came"
    inbox = Inbox()
    for number in range(12):
        inbox.put(event("n", number))
    assert inbox.report().endswith("'n'(9), and 2 more")


def test_a_long_event_is_cut_short():
    assert len(shown_event(event("x", "y" * 1000))) == 123


async def test_waiting_ends_with_an_event_and_with_news(autojump_clock):
    inbox = Inbox()
    for wakes in (lambda: inbox.put(event("x")), inbox.wake):
        with trio.fail_after(1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(inbox.wait)
                await wait_all_tasks_blocked()
                wakes()
