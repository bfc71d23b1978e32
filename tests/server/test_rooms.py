"""Which socket is in which room: single steps, and any sequence of them against a plain set of pairs."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trio_socketio._server.rooms import Rooms
from trio_socketio._server.target import Target


def rooms_of(**members: str) -> Rooms:
    """Rooms by the sockets that are in them: ``lobby="abc"``. Each socket is in the room of its id first."""
    rooms = Rooms()
    for socket_id in sorted(set("".join(members.values()))):
        rooms.add(socket_id, [socket_id])
    for room, ids in members.items():
        for socket_id in ids:
            rooms.add(socket_id, [room])
    return rooms


def selected(rooms: Rooms, to: str = "", but: str = "") -> list[str]:
    return rooms.select(Target(frozenset(to.split()), frozenset(but.split())))


class TestMembership:
    def test_who_is_unknown_is_in_none(self):
        rooms = Rooms()
        assert rooms.rooms_of("a") == frozenset()
        assert selected(rooms) == selected(rooms, "a") == []

    def test_add(self):
        rooms = Rooms()
        rooms.add("a", ["x", "y"])
        rooms.add("a", iter(["y", "z"]))
        assert rooms.rooms_of("a") == {"x", "y", "z"}
        assert selected(rooms, "y") == ["a"]

    def test_a_socket_without_rooms_is_in_the_namespace(self):
        rooms = Rooms()
        rooms.add("a", [])
        assert selected(rooms) == ["a"]

    def test_remove(self):
        rooms = rooms_of(x="ab", y="a")
        rooms.remove("a", "x")
        assert rooms.rooms_of("a") == {"a", "y"}
        assert (selected(rooms, "x"), selected(rooms, "y")) == (["b"], ["a"])

    def test_removed_from_its_last_room_it_is_still_in_the_namespace(self):
        rooms = Rooms()
        rooms.add("a", ["x"])
        rooms.remove("a", "x")
        assert selected(rooms) == ["a"]

    @pytest.mark.parametrize(("socket_id", "room"), [("a", "y"), ("a", "nobody's"), ("stranger", "x")])
    def test_to_remove_what_is_not_there_changes_nothing(self, socket_id, room):
        rooms = rooms_of(x="ab", y="b")
        rooms.remove(socket_id, room)
        assert rooms.rooms_of(socket_id) == ({"a", "x"} if socket_id == "a" else frozenset())
        assert (selected(rooms), selected(rooms, "x"), selected(rooms, "y")) == (["a", "b"], ["a", "b"], ["b"])

    def test_remove_all(self):
        rooms = rooms_of(x="ab", y="a")
        rooms.remove_all("a")
        rooms.remove_all("a")
        rooms.remove_all("stranger")
        assert rooms.rooms_of("a") == frozenset()
        assert (selected(rooms), selected(rooms, "x"), selected(rooms, "y")) == (["b"], ["b"], [])

    def test_what_is_told_is_a_snapshot(self):
        rooms = rooms_of(x="ab")
        told, ids, everybody = rooms.rooms_of("a"), selected(rooms, "x"), selected(rooms)
        rooms.remove_all("a")
        assert (told, ids, everybody) == ({"a", "x"}, ["a", "b"], ["a", "b"])
        ids.clear()
        assert selected(rooms, "x") == ["b"]


class TestSelect:
    @pytest.mark.parametrize(("to", "but", "expected"), [
        ("", "", "abcd"),
        ("x", "", "abc"),
        ("x y", "", "abcd"),
        ("x nobody's", "", "abc"),
        ("nobody's", "", ""),
        ("a", "", "a"),
        ("a x", "", "abc"),
        ("", "x", "d"),
        ("", "a", "bcd"),
        ("", "nobody's", "abcd"),
        ("x", "y", "ab"),
        ("x y", "a d", "bc"),
        ("x", "x", ""),
        ("x y", "y a", "b"),
    ])  # fmt: skip
    def test_the_union_without_the_excluded(self, to, but, expected):
        rooms = rooms_of(x="abc", y="cd")
        assert sorted(selected(rooms, to, but)) == sorted(expected)

    def test_in_the_order_of_joining(self):
        rooms = Rooms()
        for socket_id in "cab":
            rooms.add(socket_id, [socket_id])
        for socket_id in "bca":
            rooms.add(socket_id, ["x"])
        rooms.add("c", ["x"])
        assert selected(rooms) == ["c", "a", "b"]
        assert selected(rooms, "x") == ["b", "c", "a"]
        assert selected(rooms, "x", "c") == ["b", "a"]

    def test_it_changes_nothing(self):
        rooms = rooms_of(x="abc", y="cd")
        for to, but in (("x y", ""), ("y x", "a"), ("", "x"), ("nobody's", "nobody's")):
            selected(rooms, to, but)
        assert (selected(rooms, "x"), selected(rooms, "y")) == (["a", "b", "c"], ["c", "d"])

    def test_flags_are_not_its_business(self):
        rooms = rooms_of(x="ab")
        assert rooms.select(Target(frozenset("x"), local=True, volatile=True)) == ["a", "b"]


some_id = st.sampled_from("abc")
some_room = st.sampled_from(["a", "b", "c", "x", "y", "z"])


class Machine(RuleBasedStateMachine):
    """Rooms beside a set of pairs of a socket and a room."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms = Rooms()
        self.pairs: set[tuple[str, str]] = set()
        self.known: set[str] = set()

    @rule(socket_id=some_id, rooms=st.lists(some_room, max_size=3))
    def add(self, socket_id, rooms):
        self.rooms.add(socket_id, rooms)
        self.known.add(socket_id)
        self.pairs |= {(socket_id, room) for room in rooms}

    @rule(socket_id=some_id, room=some_room)
    def remove(self, socket_id, room):
        self.rooms.remove(socket_id, room)
        self.pairs.discard((socket_id, room))

    @rule(socket_id=some_id)
    def remove_all(self, socket_id):
        self.rooms.remove_all(socket_id)
        self.known.discard(socket_id)
        self.pairs = {pair for pair in self.pairs if pair[0] != socket_id}

    @rule(to=st.frozensets(some_room, max_size=3), excluded=st.frozensets(some_room, max_size=2))
    def select(self, to, excluded):
        chosen = {socket_id for socket_id, room in self.pairs if room in to} if to else self.known
        expected = chosen - {socket_id for socket_id, room in self.pairs if room in excluded}
        assert sorted(self.rooms.select(Target(to, excluded))) == sorted(expected)

    @invariant()
    def rooms_of_each(self):
        for socket_id in "abc":
            assert self.rooms.rooms_of(socket_id) == {room for own, room in self.pairs if own == socket_id}

    @invariant()
    def nothing_is_kept_of_what_is_gone(self):
        assert self.rooms._rooms.keys() == self.known
        assert self.rooms._members.keys() == {room for _, room in self.pairs}


Machine.TestCase.settings = settings(derandomize=True, deadline=None, max_examples=60, stateful_step_count=30)
TestAnySequence = Machine.TestCase
