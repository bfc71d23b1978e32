"""What every adapter must do; what the interface itself does is little.

The contract runs against all ``ADAPTERS``: that of a cluster, alone on its node, must pass it as it is.
"""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import assert_checkpoints, assert_no_checkpoints

from tests.support.cluster import Cluster
from trio_socketio._server.adapter import TURNS, Adapter, AdapterFactory
from trio_socketio._server.answers import Answers
from trio_socketio._server.local_adapter import LocalAdapter
from trio_socketio._server.target import Target
from trio_socketio._wire.socket_packet import Event

ADAPTERS: dict[str, AdapterFactory] = {
    "local": LocalAdapter,
    "cluster": lambda sockets: Cluster().node("a")(sockets),
}


class Sockets:
    """A namespace that keeps what is done to its sockets; ``on_deliver`` runs in the midst of a delivery."""

    name = "/chat"

    def __init__(self) -> None:
        self.deliveries: list[tuple[str, Event, Target]] = []
        self.done: list[tuple] = []
        """What else was asked of it."""
        self.on_deliver = lambda socket_id: None
        self.crowded: set[str] = set()
        self.failure: Exception | None = None
        self.forgotten = 0

    def deliver(self, socket_ids, event, target):
        if self.failure is not None:
            raise self.failure
        for socket_id in socket_ids:
            self.deliveries.append((socket_id, event, target))
            self.on_deliver(socket_id)
        return not self.crowded.isdisjoint(socket_ids)

    def ask(self, socket_ids, event, target, sink):
        self.deliver(socket_ids, event, target)
        sink.expect(socket_ids)

        def forget():
            self.forgotten += 1

        return forget

    def describe(self, socket_ids):
        return sorted(socket_ids)

    def put_into(self, socket_ids, rooms):
        self.done.append(("put", "".join(sorted(socket_ids)), *rooms))

    def take_out_of(self, socket_ids, rooms):
        self.done.append(("take", "".join(sorted(socket_ids)), *rooms))

    def disconnect(self, socket_ids, *, close):
        self.done.append(("disconnect", "".join(sorted(socket_ids)), close))

    async def handle_server_event(self, args):
        raise AssertionError("nobody's events but those of other servers")

    @property
    def reached(self) -> str:
        """Who got something, each as often as it did; and forget it."""
        reached = "".join(sorted(socket_id for socket_id, _, _ in self.deliveries))
        self.deliveries.clear()
        return reached


def target(to: str = "", but: str = "", **flags: bool) -> Target:
    return Target(frozenset(to.split()), frozenset(but.split()), **flags)


EVENT = Event("/chat", ["x", b"1"])

TARGETS = [
    ("", "", "abcd"),
    ("x", "", "abc"),
    ("x y", "", "abcd"),
    ("y nobody's", "", "cd"),
    ("nobody's", "", ""),
    ("a", "", "a"),
    ("", "x", "d"),
    ("", "a d", "bc"),
    ("x y", "c", "abd"),
    ("x", "y", "ab"),
    ("x", "x", ""),
]
"""Rooms, those that are left out, and whom that means."""


@pytest.fixture
def sockets():
    return Sockets()


@pytest.fixture(params=ADAPTERS.values(), ids=ADAPTERS)
def adapter(request, sockets):
    """An adapter with sockets a, b, c in room x and c, d in room y, each also in the room of its id."""
    adapter = request.param(sockets)
    for socket_id, rooms in (("a", "ax"), ("b", "bx"), ("c", "cxy"), ("d", "dy")):
        adapter.add(socket_id, rooms)
    return adapter


class TestRooms:
    def test_rooms_of(self, adapter):
        assert adapter.rooms_of("c") == {"c", "x", "y"}
        assert adapter.rooms_of("stranger") == frozenset()

    def test_what_is_told_is_a_snapshot_that_nobody_changes(self, adapter):
        told = adapter.rooms_of("a")
        adapter.add("a", ["z"])
        assert told == {"a", "x"}
        assert isinstance(told, frozenset)

    def test_add_again_and_any_iterable(self, adapter):
        adapter.add("a", iter(["x", "z"]))
        adapter.add("a", [])
        assert adapter.rooms_of("a") == {"a", "x", "z"}

    def test_remove(self, adapter, sockets):
        adapter.remove("a", "x")
        adapter.remove("a", "x")
        adapter.remove("a", "nobody's")
        adapter.remove("stranger", "x")
        assert adapter.rooms_of("a") == {"a"}
        adapter.broadcast(EVENT, target("x"))
        assert sockets.reached == "bc"

    def test_remove_all(self, adapter, sockets):
        adapter.remove_all("c")
        adapter.remove_all("c")
        adapter.remove_all("stranger")
        assert adapter.rooms_of("c") == frozenset()
        for to, expected in (("", "abd"), ("x", "ab"), ("y", "d"), ("c", "")):
            adapter.broadcast(EVENT, target(to))
            assert sockets.reached == expected

    def test_who_was_removed_may_come_again(self, adapter, sockets):
        adapter.remove_all("c")
        adapter.add("c", ["c", "z"])
        adapter.broadcast(EVENT, target("y z"))
        assert sockets.reached == "cd"


class TestBroadcast:
    @pytest.mark.parametrize(("to", "but", "expected"), TARGETS)
    def test_each_of_the_union_once_without_the_excluded(self, adapter, sockets, to, but, expected):
        adapter.broadcast(EVENT, target(to, but))
        assert sockets.reached == expected

    @settings(derandomize=True, deadline=None)
    @given(
        members=st.dictionaries(st.sampled_from("abcde"), st.frozensets(st.sampled_from("wxyz"))),
        to=st.frozensets(st.sampled_from("wxyz")),
        excluded=st.frozensets(st.sampled_from("abcdewxyz")),
    )
    @pytest.mark.parametrize("factory", ADAPTERS.values(), ids=ADAPTERS)
    def test_any_rooms_and_any_target(self, factory, members, to, excluded):
        sockets = Sockets()
        adapter = factory(sockets)
        for socket_id, rooms in members.items():
            adapter.add(socket_id, rooms | {socket_id})
        adapter.broadcast(EVENT, Target(to, excluded))
        chosen = [socket_id for socket_id, rooms in members.items() if not to or rooms & to]
        expected = [socket_id for socket_id in chosen if not (members[socket_id] | {socket_id}) & excluded]
        assert sockets.reached == "".join(sorted(expected))

    @pytest.mark.parametrize("volatile", [True, False])
    @pytest.mark.parametrize("local", [True, False])
    @pytest.mark.parametrize("compress", [True, False])
    def test_flags(self, adapter, sockets, volatile, local, compress):
        adapter.broadcast(EVENT, target(volatile=volatile, local=local, compress=compress))
        told = [(flags.volatile, flags.compress) for _, _, flags in sockets.deliveries]
        assert told == [(volatile, compress)] * 4

    def test_what_is_delivered(self, adapter, sockets):
        adapter.broadcast(EVENT, target("a"))
        ((socket_id, event, _),) = sockets.deliveries
        assert (socket_id, event) == ("a", EVENT)

    @pytest.mark.parametrize("error", [TypeError, ValueError])
    @pytest.mark.parametrize("to", ["", "nobody's"])
    def test_what_cannot_be_encoded_reaches_nobody_and_says_so_even_if_nobody_is_there(
        self, adapter, sockets, error, to
    ):
        # To encode it is the namespace's, which is asked also where nobody is.
        sockets.failure = error("can't be encoded")
        with pytest.raises(error, match="can't be encoded"):
            adapter.broadcast(EVENT, target(to))
        with pytest.raises(error, match="can't be encoded"):
            adapter.ask(EVENT, target(to), Answers._create())
        assert not sockets.deliveries

    def test_whoever_leaves_or_comes_in_the_midst_disturbs_nobody(self, adapter, sockets):
        def change(socket_id):
            adapter.remove_all(socket_id)
            adapter.add(f"new {socket_id}", ["x"])

        sockets.on_deliver = change
        adapter.broadcast(EVENT, target("x"))
        # Those who were there when it began; who was dropped on the way is passed over by the namespace.
        assert sockets.reached == "abc"
        sockets.on_deliver = lambda socket_id: None
        adapter.broadcast(EVENT, target("x"))
        assert [socket_id for socket_id, _, _ in sockets.deliveries] == ["new a", "new b", "new c"]

    def test_it_is_crowded_if_a_recipient_of_the_last_broadcast_was(self, adapter, sockets):
        assert not adapter.is_crowded
        sockets.crowded = {"a"}
        for to, expected in (("x", True), ("y", False), ("", True)):
            adapter.broadcast(EVENT, target(to))
            assert adapter.is_crowded is expected
        sockets.crowded = set()
        adapter.broadcast(EVENT, target())
        assert not adapter.is_crowded

    def test_a_broadcast_within_a_broadcast(self, adapter, sockets):
        def again(socket_id):
            sockets.on_deliver = lambda socket_id: None
            adapter.broadcast(EVENT, target("y"))

        sockets.on_deliver = again
        adapter.broadcast(EVENT, target("x"))
        assert sockets.reached == "abccd"


class TestAsk:
    @pytest.mark.parametrize(("to", "but", "expected"), TARGETS)
    async def test_each_of_the_union_once_without_the_excluded(
        self, autojump_clock, adapter, sockets, to, but, expected
    ):
        answers = Answers._create()
        adapter.ask(EVENT, target(to, but), answers)
        assert "".join(sorted(answers.missing)) == expected == sockets.reached
        for socket_id in expected:
            answers.answer(socket_id, [socket_id])
        with trio.fail_after(1):
            assert {socket_id async for socket_id, _ in answers} == set(expected)

    def test_to_forget_ends_it_and_again_is_harmless(self, adapter, sockets):
        forget = adapter.ask(EVENT, target(), Answers._create())
        assert sockets.forgotten == 0
        forget()
        assert sockets.forgotten == 1
        forget()


class TestSockets:
    @pytest.mark.parametrize(("to", "but", "expected"), TARGETS)
    async def test_whom_it_is_done_to(self, adapter, sockets, to, but, expected):
        chosen = target(to, but)
        adapter.add_sockets(chosen, ["r", "s"])
        adapter.remove_sockets(chosen, ["s"])
        adapter.disconnect_sockets(chosen, close=False)
        adapter.disconnect_sockets(chosen, close=True)
        assert sockets.done == [
            ("put", expected, "r", "s"),
            ("take", expected, "s"),
            ("disconnect", expected, False),
            ("disconnect", expected, True),
        ]
        assert "".join(await adapter.fetch_sockets(chosen)) == expected

    async def test_to_fetch_is_a_checkpoint(self, adapter):
        with assert_checkpoints():
            await adapter.fetch_sockets(target())

    def test_rooms_are_a_snapshot(self, adapter):
        rooms = adapter.rooms()
        assert {room: "".join(sorted(members)) for room, members in rooms.items()} == {
            **{each: each for each in "abcd"},
            "x": "abc",
            "y": "cd",
        }
        adapter.remove("a", "x")
        rooms["z"] = frozenset()
        assert rooms["x"] == {"a", "b", "c"}
        assert adapter.rooms()["x"] == {"b", "c"}
        assert "z" not in adapter.rooms()


class TestServers:
    """Nobody is there but this one, and it does not get its own events."""

    async def test_emit(self, adapter):
        adapter.server_side_emit(["x", 1])

    async def test_ask(self, adapter, autojump_clock):
        answers = Answers._create()
        forget = adapter.server_side_ask(["x", 1], answers)
        with trio.fail_after(1):
            assert [answer async for answer in answers] == []
        assert answers.missing == frozenset()
        forget()
        forget()


class TestEnd:
    def test_to_close_it_is_harmless(self, adapter):
        adapter.close()

    async def test_nothing_else_is_a_checkpoint(self, adapter):
        with assert_no_checkpoints():
            adapter.add("e", ["x"])
            adapter.broadcast(EVENT, target())
            adapter.ask(EVENT, target(), Answers._create())()
            adapter.add_sockets(target(), ["x"])
            adapter.remove_sockets(target(), ["x"])
            adapter.disconnect_sockets(target(), close=True)
            adapter.server_side_emit(["x"])
            adapter.server_side_ask(["x"], Answers._create())()
            adapter.remove("e", "x")
            adapter.rooms_of("e")
            adapter.rooms()
            adapter.remove_all("e")
            adapter.close()


@pytest.mark.parametrize("factory", ADAPTERS.values(), ids=ADAPTERS)
def test_two_namespaces_share_no_rooms(factory):
    one, two = Sockets(), Sockets()
    first, second = factory(one), factory(two)
    first.add("a", ["x"])
    second.broadcast(EVENT, target("x"))
    assert (one.reached, two.reached, second.rooms_of("a")) == ("", "", frozenset())


def test_an_adapter_must_have_it_all():
    class Incomplete(Adapter):
        def __init__(self, sockets): ...

    with pytest.raises(
        TypeError, match="add.*ask.*broadcast.*fetch_sockets.*remove.*remove_all.*rooms.*rooms_of.*server"
    ):
        Incomplete(Sockets())


@pytest.fixture
def plain():
    """An adapter with nothing but what is asked of it."""
    made = type("Plain", (Adapter,), dict.fromkeys(Adapter.__abstractmethods__, lambda *_: None))
    return made(Sockets())


def test_one_that_says_nothing_of_it_is_not_crowded(plain):
    assert plain.is_crowded is False


def test_one_that_has_nothing_to_close(plain):
    plain.close()


async def test_to_make_room_writers_get_turns(plain, nursery):
    turns = 0

    async def write():
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    nursery.start_soon(write)
    await trio.lowlevel.checkpoint()
    before = turns
    await plain.make_room()
    # Within one turn of the scheduler either of the two may go first.
    assert turns - before >= TURNS - 1
    nursery.cancel_scope.cancel()
