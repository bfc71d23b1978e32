"""What every adapter must do, and what the local one does beside.

The contract runs against all ``ADAPTERS``: that of a cluster, alone on its node, must pass it as it is.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import assert_no_checkpoints

from trio_socketio._server.adapter import Adapter, AdapterFactory, LocalAdapter
from trio_socketio._server.target import Target
from trio_socketio._wire.engine_packet import PacketType
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.socket_packet import Event

ADAPTERS: dict[str, AdapterFactory] = {"local": LocalAdapter}


class CountingParser:
    """The JSON parser, and how often it has encoded."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, packet):
        self.encoded += 1
        return JSONParser().encode(packet)

    def decoder(self, limits):
        return JSONParser().decoder(limits)


class Sockets:
    """A namespace that keeps what is delivered; ``on_deliver`` runs in the midst of it."""

    name = "/chat"

    def __init__(self) -> None:
        self.parser = CountingParser()
        self.deliveries: list[tuple[str, list, bool]] = []
        self.on_deliver = lambda socket_id: None
        self.crowded: set[str] = set()

    def deliver(self, socket_ids, batch, *, volatile):
        for socket_id in socket_ids:
            self.deliveries.append((socket_id, batch, volatile))
            self.on_deliver(socket_id)
        return not self.crowded.isdisjoint(socket_ids)

    @property
    def reached(self) -> str:
        """Who got something, each as often as it did; and forget it."""
        reached = "".join(sorted(socket_id for socket_id, _, _ in self.deliveries))
        self.deliveries.clear()
        return reached


def target(to: str = "", but: str = "", **flags: bool) -> Target:
    return Target(frozenset(to.split()), frozenset(but.split()), **flags)


EVENT = Event("/chat", ["x", b"1"])


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
    @pytest.mark.parametrize(("to", "but", "expected"), [
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
    ])  # fmt: skip
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
    def test_flags(self, adapter, sockets, volatile, local):
        adapter.broadcast(EVENT, target(volatile=volatile, local=local))
        assert [flag for _, _, flag in sockets.deliveries] == [volatile] * 4

    def test_what_is_delivered(self, adapter, sockets):
        adapter.broadcast(EVENT, target("a"))
        ((_, batch, _),) = sockets.deliveries
        assert [packet.type for packet in batch] == [PacketType.MESSAGE] * 2
        assert [packet.data for packet in batch] == ['51-/chat,["x",{"_placeholder":true,"num":0}]', b"1"]

    def test_it_encodes_once_and_all_share_the_packets(self, adapter, sockets):
        adapter.broadcast(EVENT, target())
        assert sockets.parser.encoded == 1
        assert len({tuple(map(id, batch)) for _, batch, _ in sockets.deliveries}) == 1

    @pytest.mark.parametrize(("argument", "error"), [(object(), TypeError), ("\ud800", ValueError)])
    @pytest.mark.parametrize("to", ["", "nobody's"])
    def test_what_cannot_be_encoded_reaches_nobody_and_says_so_even_if_nobody_is_there(
        self, adapter, sockets, argument, error, to
    ):
        with pytest.raises(error):
            adapter.broadcast(Event("/chat", ["x", argument]), target(to))
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

    async def test_nothing_of_it_is_a_checkpoint(self, adapter):
        with assert_no_checkpoints():
            adapter.add("e", ["x"])
            adapter.broadcast(EVENT, target())
            adapter.remove("e", "x")
            adapter.rooms_of("e")
            adapter.remove_all("e")


def test_two_namespaces_share_no_rooms():
    one, two = Sockets(), Sockets()
    first, second = LocalAdapter(one), LocalAdapter(two)
    first.add("a", ["x"])
    second.broadcast(EVENT, target("x"))
    assert (one.reached, two.reached, second.rooms_of("a")) == ("", "", frozenset())


def test_an_adapter_must_have_it_all():
    class Incomplete(Adapter):
        def __init__(self, sockets): ...

    with pytest.raises(TypeError, match="add.*broadcast.*remove.*remove_all.*rooms_of"):
        Incomplete(Sockets())


def test_one_that_says_nothing_of_it_is_not_crowded():
    plain = type("Plain", (Adapter,), dict.fromkeys(Adapter.__abstractmethods__, lambda *_: None))
    assert plain(Sockets()).is_crowded is False
