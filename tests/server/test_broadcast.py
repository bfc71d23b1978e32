"""The steps by which a broadcast says whom it is for, and what it then hands to its adapter."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import assert_checkpoints, assert_no_checkpoints, wait_all_tasks_blocked

from trio_socketio._server.adapter import TURNS, Broadcaster
from trio_socketio._server.answers import AnswerSink
from trio_socketio._server.broadcast import BroadcastOperator
from trio_socketio._server.description import SocketDescription
from trio_socketio._server.handshake import Handshake
from trio_socketio._server.target import Target
from trio_socketio._wire.socket_packet import RESERVED_EVENTS, Event


class Adapter:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.broadcasts: list[tuple[Event, Target]] = []
        self.questions: list[tuple[Event, Target]] = []
        self.done: list[tuple] = []
        self.is_crowded = False
        self.sink: AnswerSink | None = None
        self.forgotten = 0

    make_room = Broadcaster.make_room

    def broadcast(self, event, target):
        self.broadcasts.append((event, target))

    def ask(self, event, target, sink):
        self.questions.append((event, target))
        self.sink = sink
        sink.expect(["a", "b"])
        sink.close()

        def forget():
            self.forgotten += 1

        return forget

    async def fetch_sockets(self, target):
        await trio.lowlevel.checkpoint()
        self.done.append(("fetch", target))
        return [description("a"), description("b")]

    def add_sockets(self, target, rooms):
        self.done.append(("add", target, *rooms))

    def remove_sockets(self, target, rooms):
        self.done.append(("remove", target, *rooms))

    def disconnect_sockets(self, target, *, close):
        self.done.append(("disconnect", target, close))


def description(socket_id: str) -> SocketDescription:
    handshake = Handshake(
        headers={}, query={}, url="/", address=None, secure=False, cross_origin=False, issued=0.0, auth={}, state={}
    )
    return SocketDescription(id=socket_id, namespace="/chat", handshake=handshake, rooms=frozenset(), data={})


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

    def test_compression(self):
        chosen = operator(Target(frozenset("a"), volatile=True))
        assert target_of(chosen.compress(False)) == Target(frozenset("a"), volatile=True, compress=False)
        assert target_of(chosen.compress(False).compress()) == target_of(chosen)

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


RESERVED = [*((name, ValueError) for name in sorted(RESERVED_EVENTS)), (5, TypeError), (None, TypeError)]


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
    @pytest.mark.parametrize("act", ["emit", "call"])
    async def test_writers_get_turns_when_one_of_them_is_behind(self, nursery, is_crowded, act):
        adapter = Adapter()
        adapter.is_crowded = is_crowded
        turns = 0

        async def write() -> None:
            nonlocal turns
            while not adapter.broadcasts and not adapter.questions:
                await trio.lowlevel.checkpoint()
                turns += 1

        nursery.start_soon(write)
        await trio.lowlevel.checkpoint()
        if act == "emit":
            await operator(adapter=adapter).emit("x")
        else:
            async with operator(adapter=adapter).call("x"):
                pass
        assert (turns >= TURNS) is is_crowded

    @pytest.mark.parametrize("act", ["emit", "call"])
    async def test_an_adapter_with_a_queue_of_its_own_may_wait_for_room_in_it(self, nursery, act):
        class Full(Adapter):
            def __init__(self) -> None:
                super().__init__()
                self.is_crowded = True
                self.room = trio.Event()

            async def make_room(self):
                await self.room.wait()

        async def send() -> None:
            if act == "emit":
                await operator(adapter=adapter).emit("x")
            else:
                async with operator(adapter=adapter).call("x"):
                    pass

        adapter = Full()
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        assert adapter.broadcasts + adapter.questions == []
        adapter.room.set()
        await wait_all_tasks_blocked()
        assert len(adapter.broadcasts + adapter.questions) == 1

    @pytest.mark.parametrize("is_crowded", [False, True])
    async def test_cancelled_it_has_sent_nothing(self, is_crowded):
        adapter = Adapter()
        adapter.is_crowded = is_crowded
        with trio.CancelScope() as scope:
            scope.cancel()
            await operator(adapter=adapter).emit("x")
        assert scope.cancelled_caught
        assert not adapter.broadcasts

    @pytest.mark.parametrize(("name", "error"), RESERVED)
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


class TestCall:
    async def test_what_the_adapter_gets(self):
        adapter, chosen = Adapter(), Target(frozenset("a"), frozenset("b"), local=True)
        asking = operator(chosen, adapter).call("x", 1, [b"2"])
        assert adapter.questions == [], "it is asked when the block is entered"
        with assert_checkpoints():
            answers = await asking.__aenter__()
        assert adapter.questions == [(Event("/chat", ["x", 1, [b"2"]]), chosen)]
        assert answers.missing == {"a", "b"}
        assert adapter.forgotten == 0
        await asking.__aexit__(None, None, None)
        assert adapter.forgotten == 1

    async def test_answers_that_came_in_time_outlive_the_block(self):
        adapter = Adapter()
        async with operator(adapter=adapter).call("x") as answers:
            adapter.sink.answer("a", [1])
        adapter.sink.answer("b", ["late"])
        assert [answer async for answer in answers] == [("a", 1)]
        assert answers.missing == {"b"}

    @pytest.mark.parametrize("how", ["break", "exception", "cancelled"])
    async def test_however_the_block_is_left_the_question_is_forgotten(self, autojump_clock, how):
        adapter = Adapter()
        with trio.move_on_after(1) as scope:
            try:
                async with operator(adapter=adapter).call("x") as answers:
                    if how == "exception":
                        raise LookupError
                    if how == "cancelled":
                        await anext(answers)
            except LookupError:
                assert how == "exception"
        assert scope.cancelled_caught is (how == "cancelled")
        assert adapter.forgotten == 1

    async def test_cancelled_before_it_has_asked_nobody(self):
        adapter = Adapter()
        with trio.CancelScope() as scope:
            scope.cancel()
            async with operator(adapter=adapter).call("x"):
                raise AssertionError("the block does not begin")
        assert scope.cancelled_caught
        assert adapter.questions == []

    async def test_volatile_events_have_no_answers(self):
        adapter = Adapter()
        chosen = operator(Target(volatile=True), adapter)
        with pytest.raises(ValueError, match="a volatile event may be dropped: it can't be asked for answers"):
            async with chosen.call("x"):
                raise AssertionError("the block does not begin")
        with pytest.raises(ValueError, match="a volatile event may be dropped"):
            await chosen.gather("x")
        assert adapter.questions == []

    @pytest.mark.parametrize(("name", "error"), RESERVED)
    async def test_names_that_are_refused(self, name, error):
        adapter = Adapter()
        with pytest.raises(error, match="reserved by Socket.IO|an event's name is text"):
            async with operator(adapter=adapter).call(name):
                raise AssertionError("the block does not begin")
        with pytest.raises(error):
            await operator(adapter=adapter).gather(name)
        assert adapter.questions == []

    async def test_what_the_adapter_raises_comes_out(self):
        class Broken(Adapter):
            def ask(self, event, target, sink):
                raise TypeError("can't be encoded")

        with pytest.raises(TypeError, match="can't be encoded"):
            async with operator(adapter=Broken()).call("x", object()):
                raise AssertionError("the block does not begin")


class TestGather:
    async def test_answers_by_socket(self, nursery):
        adapter, got = Adapter(), []

        async def ask():
            got.append(await operator(adapter=adapter).gather("x", 1))

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert adapter.questions == [(Event("/chat", ["x", 1]), Target())]
        adapter.sink.answer("b", [1, 2])
        adapter.sink.leave("a")
        await wait_all_tasks_blocked()
        assert got == [{"b": (1, 2)}]
        assert adapter.forgotten == 1

    async def test_cancelled_the_question_is_forgotten(self, autojump_clock):
        adapter = Adapter()
        with trio.move_on_after(1) as scope:
            await operator(adapter=adapter).gather("x")
        assert scope.cancelled_caught
        assert adapter.forgotten == 1


class TestSockets:
    async def test_fetch(self):
        adapter, chosen = Adapter(), Target(frozenset("r"), frozenset("s"), local=True, volatile=True)
        with assert_checkpoints():
            first, second = await operator(chosen, adapter).fetch_sockets()
        assert adapter.done == [("fetch", chosen)]
        assert (first.id, second.id) == ("a", "b")
        # What is then done to one of them is for it alone, wherever it is, and not volatile.
        await first.emit("x", 1)
        assert adapter.broadcasts == [(Event("/chat", ["x", 1]), Target(frozenset("a")))]

    def test_rooms_and_the_end(self):
        adapter, chosen = Adapter(), Target(frozenset("r"), frozenset("s"), local=True)
        them = operator(chosen, adapter)
        them.sockets_join("y", "x", "y")
        them.sockets_leave("y", "x")
        them.disconnect_sockets()
        them.disconnect_sockets(close=True)
        assert adapter.done == [
            ("add", chosen, "x", "y"),
            ("remove", chosen, "x", "y"),
            ("disconnect", chosen, False),
            ("disconnect", chosen, True),
        ]

    @pytest.mark.parametrize("wrong", [5, None, b"room", ("a",), SocketLike()])
    def test_rooms_are_text(self, wrong):
        adapter = Adapter()
        for move in (operator(adapter=adapter).sockets_join, operator(adapter=adapter).sockets_leave):
            with pytest.raises(TypeError, match="a room's name is text, not "):
                move("fine", wrong)
        assert adapter.done == []

    def test_an_empty_name_is_refused(self):
        adapter = Adapter()
        with pytest.raises(ValueError, match="a room's name is not empty"):
            operator(adapter=adapter).sockets_join("fine", "")
        assert adapter.done == []

    def test_disconnect_takes_no_positional_argument(self):
        # ``disconnect_sockets(True)`` is the reference's; here it would be a riddle.
        with pytest.raises(TypeError, match="positional"):
            operator().disconnect_sockets(True)
