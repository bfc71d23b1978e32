"""A peer with a journal: what is emitted is stamped, and what was queued is kept."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints, assert_no_checkpoints

from tests.support.client import settle
from tests.support.peer import Journal, Link, Question, Task, peer_on
from trio_socketio import Disconnected
from trio_socketio._wire.engine_packet import EnginePacket, PacketType


@pytest.fixture
def link():
    return Link()


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def peer(link, journal):
    return peer_on(link, journal)


async def test_emit_and_emit_nowait(peer, link, journal):
    with assert_checkpoints():
        await peer.emit("x", ["a"])
    with assert_no_checkpoints():
        peer.emit_nowait("y", [b"b"])
    assert link.sent == [['2/chat,["x","a",1]'], ['51-/chat,["y",{"_placeholder":true,"num":0},2]', b"b"]]
    assert journal.kept == link.sent


async def test_questions_and_answers_are_neither_stamped_nor_kept(peer, link, journal, nursery):
    Task(nursery, peer.call, "x", [])
    await peer.answer(7, ["y"])
    peer.answer_nowait(8, [], flushes=False)
    peer.ask(9, Question(), [EnginePacket(PacketType.MESSAGE, '2/chat,9["x"]')])
    await settle()
    assert sorted(link.sent) == [['2/chat,0["x"]'], ['2/chat,9["x"]'], ['3/chat,7["y"]'], ["3/chat,8[]"]]
    assert (journal.stamped, journal.kept) == (0, [])
    peer.leave("end")


async def test_what_was_not_queued_is_not_kept(peer, link, journal):
    link.room = 0
    with pytest.raises(trio.WouldBlock):
        peer.emit_nowait("x", [])
    peer.leave("transport close")
    with pytest.raises(Disconnected):
        peer.emit_nowait("x", [])
    with pytest.raises(Disconnected):
        await peer.emit("x", [])
    assert journal.kept == []


async def test_stamps_rise_in_the_order_of_queueing_also_for_those_who_waited(peer, link, journal, nursery):
    link.room = 0
    for number in range(3):
        nursery.start_soon(peer.emit, "x", [f"waits {number}"])
    await settle()
    assert (link.held, journal.kept) == (3, [])
    link.room = 1
    peer.emit_nowait("x", ["at once"])
    for _ in range(3):
        link.make_room(1)
        await settle()
    stamps = [int(text[:-1].rpartition(",")[2]) for (text,) in link.sent]
    assert len(stamps) == 4
    assert stamps == sorted(stamps)
    assert journal.kept == link.sent


@pytest.mark.parametrize("moment", ["already", "while it waits for room"])
async def test_cancelled_it_has_sent_and_kept_nothing(peer, link, journal, nursery, moment):
    link.room = 0 if moment == "while it waits for room" else 10
    task = Task(nursery, peer.emit, "x", [])
    if moment == "while it waits for room":
        await settle()
    task.scope.cancel()
    await settle()
    assert task.scope.cancelled_caught
    link.make_room(10)
    await settle()
    assert (link.sent, journal.kept, link.held) == ([], [], 0)


@pytest.mark.parametrize(
    ("event", "args", "error"),
    [("connect", [], ValueError), (5, [], TypeError), ("x", [object()], TypeError), ("x", ["\ud800"], ValueError)],
)
async def test_what_cannot_be_sent_is_not_kept(peer, link, journal, event, args, error):
    with pytest.raises(error):
        peer.emit_nowait(event, args)
    with pytest.raises(error):
        await peer.emit(event, args)
    assert (link.sent, journal.kept) == ([], [])


async def test_another_link_when_the_peer_is_back(peer, link, journal, nursery):
    peer.emit_nowait("x", ["before"])
    second = peer.link = Link()
    peer.emit_nowait("x", ["after"])
    assert (link.sent, second.sent) == ([['2/chat,["x","before",1]']], [['2/chat,["x","after",2]']])
    assert journal.kept == link.sent + second.sent
