"""One task reads for all WebSockets: each reader is called while there is something to read, and no longer."""

from __future__ import annotations

import select

import pytest
import trio

from tests.support.client import settle
from tests.support.front import socket_pair
from trio_socketio._serve import poller as poller_module
from trio_socketio._serve.poller import READS_PER_CHECKPOINT, Poller

pytestmark = pytest.mark.skipif(not Poller.is_available(), reason="needs epoll")


class Peers:
    """Pairs of sockets; what is read from each is noted with its number."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.pairs = []
        self.read: list[tuple[int, bytes]] = []

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.pairs.append(socket_pair())
            self.poll(len(self.pairs) - 1)

    def poll(self, number: int) -> None:
        sock = self.pairs[number][0]
        self.poller.add(sock.fileno(), lambda: self.on_read(number, sock.recv(10)))

    def on_read(self, number: int, data: bytes) -> int:
        self.read.append((number, data))
        return len(data)

    def remove(self, number: int) -> None:
        self.poller.remove(self.pairs[number][0].fileno())

    def say(self, number: int, data: bytes) -> None:
        self.pairs[number][1].send(data)


@pytest.fixture
async def peers(autojump_clock, nursery):
    peers = Peers(Poller())
    nursery.start_soon(peers.poller.run)
    yield peers
    for pair in peers.pairs:
        for sock in pair:
            sock.close()


async def test_whoever_has_something_to_say_is_read(peers, autojump_clock):
    peers.add(3)
    await settle()
    assert peers.read == []
    peers.say(1, b"a")
    peers.say(2, b"b")
    await settle()
    assert sorted(peers.read) == [(1, b"a"), (2, b"b")]
    peers.say(0, b"c")
    await settle()
    assert peers.read[2:] == [(0, b"c")]


async def test_again_until_all_is_read(peers, autojump_clock):
    peers.add()
    peers.say(0, b"x" * 25)
    await settle()
    assert [len(data) for _, data in peers.read] == [10, 10, 5]


async def test_an_end_is_read(peers, autojump_clock):
    peers.add()

    def on_read(number, data):
        peers.read.append((number, data))
        peers.remove(number)
        return len(data)

    peers.on_read = on_read
    peers.pairs[0][1].close()
    await settle()
    assert peers.read == [(0, b"")]


async def test_removed(peers, autojump_clock):
    peers.add(2)
    peers.remove(0)
    peers.remove(0)
    peers.say(0, b"a")
    peers.say(1, b"b")
    await settle()
    assert peers.read == [(1, b"b")]
    peers.poll(0)
    await settle()
    assert peers.read == [(1, b"b"), (0, b"a")]


async def test_a_reader_takes_out_all_others(peers, autojump_clock):
    def on_read(number, data):
        peers.read.append((number, data))
        for other in range(5):
            peers.remove(other)
        return len(data)

    peers.add(5)
    peers.on_read = on_read
    for number in range(5):
        peers.say(number, b"x")
    await settle()
    assert len(peers.read) == 1


async def test_nobody_starves(peers, autojump_clock, nursery):
    count = 2 * READS_PER_CHECKPOINT
    peers.add(count)
    for number in range(count):
        peers.say(number, b"x" * 20)
    await settle()
    firsts = [number for number, _ in peers.read[:count]]
    assert len(set(firsts)) == count, "each is read once before any is read twice"


@pytest.mark.parametrize(
    ("bound", "value", "said", "reads"),
    [("READS_PER_CHECKPOINT", 5, b"x", 5), ("BYTES_PER_CHECKPOINT", 25, b"x" * 10, 3)],
    ids=["reads", "bytes"],
)
async def test_others_have_their_turn(peers, autojump_clock, monkeypatch, bound, value, said, reads):
    monkeypatch.setattr(poller_module, bound, value)
    peers.add(50)
    for number in range(50):
        peers.say(number, said)
    seen = set()
    while len(peers.read) < 50:
        seen.add(len(peers.read))
        await trio.lowlevel.checkpoint()
    assert seen <= set(range(0, 50, reads))
    assert len(seen) > 3
    assert sorted(number for number, _ in peers.read) == list(range(50)), "each once, before any has a second turn"


async def test_cancelled(autojump_clock):
    peers = Peers(Poller())
    peers.add()
    with trio.move_on_after(1):
        await peers.poller.run()
    # Those who wait are cancelled together with it, and may come to take themselves out later.
    peers.remove(0)
    peers.poll(0)
    peers.remove(0)
    assert peers.poller._epoll.closed
    for sock in peers.pairs[0]:
        sock.close()


def test_where_there_is_none(monkeypatch):
    assert Poller.is_available()
    monkeypatch.delattr(select, "epoll")
    assert not Poller.is_available()
