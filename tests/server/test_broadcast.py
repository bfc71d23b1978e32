"""The steps by which a broadcast says whom it is for, and what it then hands to its adapter."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import assert_checkpoints, assert_no_checkpoints

from trio_socketio._server.broadcast import TURNS, BroadcastOperator
from trio_socketio._server.target import Target
from trio_socketio._wire.socket_packet import RESERVED_EVENTS, Event


class Adapter:
    """Keeps the broadcasts it is given."""

    def __init__(self) -> None:
        self.broadcasts: list[tuple[Event, Target]] = []
        self.is_crowded = False

    def broadcast(self, event, target):
        self.broadcasts.append((event, target))


class SocketLike:
    id = "socket's id"


def operator(target: Target = Target(), adapter: Adapter | None = None) -> BroadcastOperator:
    return BroadcastOperator._create("/chat", adapter or Adapter(), target)


def target_of(chosen: BroadcastOperator) -> Target:
    return chosen._target


names = st.lists(st.sampled_from("abcd"), max_size=3)
flags = st.sampled_from(["local", "volatile"])
steps = st.lists(st.tuples(st.sampled_from(["to", "in_", "except_"]), names) | flags, max_size=6)


def take(chosen: BroadcastOperator, step: str | tuple[str, list[str]]) -> BroadcastOperator:
    if isinstance(step, str):
        return getattr(chosen, step)
    name, rooms = step
    return getattr(chosen, name)(*rooms)


class TestSteps:
    @pytest.mark.parametrize("name", ["to", "in_"])
    def test_rooms_add_up(self, name):
        choose = getattr(operator(), name)
        assert target_of(choose("a", "b")).rooms == {"a", "b"}
        assert target_of(getattr(choose("a"), name)("b", "a")).rooms == {"a", "b"}
        assert target_of(choose()) == Target()

    def test_rooms_and_sockets_are_left_out(self):
        chosen = operator().except_("a", SocketLike()).except_("b")
        assert target_of(chosen) == Target(excluded=frozenset({"a", "socket's id", "b"}))
        assert target_of(operator().except_()) == Target()

    @pytest.mark.parametrize("name", ["local", "volatile"])
    def test_flags(self, name):
        full = Target(frozenset("a"), frozenset("b"), local=True, volatile=True)
        assert target_of(getattr(operator(full), name)) == full
        plain = Target(frozenset("a"), frozenset("b"))
        assert target_of(getattr(operator(plain), name)) == Target(plain.rooms, plain.excluded, **{name: True})

    @settings(derandomize=True, deadline=None)
    @given(steps=steps)
    def test_each_gives_a_new_one_and_none_changes_another(self, steps):
        adapter = Adapter()
        chain = [operator(adapter=adapter)]
        targets = [Target()]
        for step in steps:
            chain.append(take(chain[-1], step))
            targets.append(target_of(chain[-1]))
        assert len(set(map(id, chain))) == len(chain)
        assert [target_of(chosen) for chosen in chain] == targets
        rooms = {room for step in steps if step[0] in {"to", "in_"} for room in step[1]}
        excluded = {room for step in steps if step[0] == "except_" for room in step[1]}
        assert targets[-1] == Target(frozenset(rooms), frozenset(excluded), "local" in steps, "volatile" in steps)
        # Also after all those steps the first one means everybody.
        chain[0].emit_nowait("x")
        chain[-1].emit_nowait("x")
        assert adapter.broadcasts == [(Event("/chat", ["x"]), Target()), (Event("/chat", ["x"]), targets[-1])]

    @pytest.mark.parametrize("wrong", [5, None, b"room", ("a",), ["a", "b"], {"a"}])
    def test_what_is_no_name_is_refused_with_a_sentence(self, wrong):
        for choose in (operator().to, operator().in_, operator().except_):
            with pytest.raises(TypeError, match="a room's name is text, not "):
                choose("fine", wrong)

    def test_a_socket_is_no_room(self):
        with pytest.raises(TypeError, match="a room's name is text, not "):
            operator().to(SocketLike())

    def test_only_the_library_makes_them_and_they_take_no_other_attributes(self):
        with pytest.raises(TypeError, match="no public constructor"):
            BroadcastOperator("/chat", Adapter(), Target())
        for name, error in (("local", AttributeError), ("other", AttributeError)):
            with pytest.raises(error):
                setattr(operator(), name, True)


class TestEmit:
    async def test_what_the_adapter_gets(self):
        adapter, chosen = Adapter(), Target(frozenset("a"), frozenset("b"), volatile=True)
        with assert_checkpoints():
            await operator(chosen, adapter).emit("x", 1, [b"2"])
        with assert_no_checkpoints():
            operator(chosen, adapter).emit_nowait("y")
        assert adapter.broadcasts == [(Event("/chat", ["x", 1, [b"2"]]), chosen), (Event("/chat", ["y"]), chosen)]

    async def test_nobody_is_asked_for_an_answer(self):
        adapter = Adapter()
        await operator(adapter=adapter).emit("x")
        assert adapter.broadcasts[0][0].ack_id is None

    @pytest.mark.parametrize("is_crowded", [False, True])
    async def test_writers_get_turns_when_one_of_them_is_behind(self, nursery, is_crowded):
        adapter = Adapter()
        adapter.is_crowded = is_crowded
        turns = 0

        async def write() -> None:
            nonlocal turns
            while not adapter.broadcasts:
                await trio.lowlevel.checkpoint()
                turns += 1

        nursery.start_soon(write)
        await trio.lowlevel.checkpoint()
        await operator(adapter=adapter).emit("x")
        assert (turns >= TURNS) is is_crowded

    @pytest.mark.parametrize("is_crowded", [False, True])
    async def test_cancelled_it_has_sent_nothing(self, is_crowded):
        adapter = Adapter()
        adapter.is_crowded = is_crowded
        with trio.CancelScope() as scope:
            scope.cancel()
            await operator(adapter=adapter).emit("x")
        assert scope.cancelled_caught
        assert not adapter.broadcasts

    @pytest.mark.parametrize(
        ("name", "error"),
        [*((name, ValueError) for name in sorted(RESERVED_EVENTS)), (5, TypeError), (None, TypeError)],
    )
    async def test_names_that_are_refused(self, name, error):
        adapter = Adapter()
        with pytest.raises(error, match="reserved by Socket.IO|an event's name is text"):
            operator(adapter=adapter).emit_nowait(name)
        with pytest.raises(error):
            await operator(adapter=adapter).emit(name)
        assert not adapter.broadcasts

    async def test_what_the_adapter_raises_comes_out(self):
        class Broken(Adapter):
            def broadcast(self, event, target):
                raise TypeError("can't be encoded")

        with pytest.raises(TypeError, match="can't be encoded"):
            await operator(adapter=Broken()).emit("x", object())
