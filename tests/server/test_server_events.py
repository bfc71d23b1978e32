"""Events between servers: which function of this one handles which, and what it answers."""

from __future__ import annotations

import functools
import re

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from trio_socketio import Server
from trio_socketio._server.adapter import Adapter
from trio_socketio._server.server_events import RESERVED, ServerEvents, check_server_event


async def nothing(*args): ...


async def other(*args): ...


class TestNames:
    @pytest.mark.parametrize("name", sorted(RESERVED))
    def test_reserved(self, name):
        with pytest.raises(ValueError, match=f"'{name}' is reserved between servers: choose another event name"):
            check_server_event(name)

    @pytest.mark.parametrize("name", [None, 5, b"bytes", ["a"]])
    def test_not_text(self, name):
        with pytest.raises(TypeError, match="an event's name is text, not "):
            check_server_event(name)

    @pytest.mark.parametrize("name", ["", "news", "disconnect", "é"])
    def test_all_others_will_do(self, name):
        check_server_event(name)


class TestAdd:
    def test_what_is_no_handler(self):
        events = ServerEvents()
        for wrong in (None, "text", print, lambda: None, functools.partial(print)):
            with pytest.raises(TypeError, match=r"is not an async function: write 'async def handler\(\*args\)'"):
                events.add("x", wrong)
        assert events.find("x") is None

    def test_a_second_one_is_refused_and_the_first_stays(self):
        events = ServerEvents()
        events.add("x", nothing)
        with pytest.raises(ValueError, match="the event 'x' has a handler already: <function nothing"):
            events.add("x", other)
        assert events.find("x") is nothing

    def test_names_are_checked(self):
        with pytest.raises(ValueError, match="reserved between servers"):
            ServerEvents().add("connection", nothing)
        with pytest.raises(TypeError, match="an event's name is text"):
            ServerEvents().add(None, nothing)

    def test_those_of_a_family_are_for_what_the_namespace_has_none_for(self):
        family = ServerEvents()
        namespace = ServerEvents(family)
        assert namespace.find("x") is None
        family.add("x", nothing)
        assert namespace.find("x") is nothing
        namespace.add("x", other)
        assert (namespace.find("x"), family.find("x")) == (other, nothing)


class TestHandle:
    @pytest.mark.parametrize(
        ("result", "answer"), [(None, ()), (1, (1,)), ((), ()), ((1, 2), (1, 2)), ([1], ([1],)), (False, (False,))]
    )
    async def test_what_is_returned_is_the_answer(self, result, answer):
        events, seen = ServerEvents(), []

        async def handler(*args):
            seen.append(args)
            return result

        events.add("x", handler)
        with assert_checkpoints():
            assert await events.handle(["x", 1, b"2"]) == answer
        assert seen == [(1, b"2")]

    async def test_nobody_handles_it(self):
        with assert_checkpoints():
            assert await ServerEvents().handle(["x", 1]) == ()

    async def test_an_error_is_logged_and_answers_nothing(self, caplog):
        events = ServerEvents()

        async def few(one): ...

        async def broken():
            raise OSError("no disk")

        async def broken_group():
            raise ExceptionGroup("", [OSError("no disk")])

        for name, handler in (("few", few), ("broken", broken), ("group", broken_group)):
            events.add(name, handler)
            assert await events.handle([name]) == ()
        assert [record.getMessage() for record in caplog.records] == [
            f"error in a handler of the server's event {name!r}" for name in ("few", "broken", "group")
        ]

    async def test_cancelled(self, autojump_clock):
        events = ServerEvents()

        async def slow():
            await trio.sleep_forever()

        events.add("x", slow)
        with trio.move_on_after(1) as scope:
            await events.handle(["x"])
        assert scope.cancelled_caught


class TestRegistered:
    """By ``on_server_event`` of a namespace, or of a family."""

    def test_the_decorator_returns_the_function_itself_and_checks_the_name_at_once(self):
        sio = Server()
        assert sio.on_server_event("x")(nothing) is nothing
        with pytest.raises(ValueError, match="'x' has a handler already"):
            sio.on_server_event("x")(other)
        with pytest.raises(TypeError, match="an event's name is text"):
            sio.on_server_event(nothing)
        assert sio._place("/").server_events.find("x") is nothing

    def test_those_of_a_family_count_for_its_namespaces(self):
        sio = Server()
        shops = sio.namespace(re.compile("/shop/.*"))
        shop = sio.namespace("/shop/a")
        shops.on_server_event("x")(nothing)
        assert sio._place("/shop/a").server_events.find("x") is nothing
        shop.on_server_event("x")(other)
        assert sio._place("/shop/a").server_events.find("x") is other
        assert sio._place("/shop/b").server_events.find("x") is nothing
        assert sio._place("/").server_events.find("x") is None


class TestAlone:
    """A server without others."""

    async def test_nobody_hears_it_not_even_itself(self, sio, autojump_clock):
        @sio.on_server_event("x")
        async def x(*args):
            raise AssertionError("its own event")

        with assert_checkpoints():
            await sio.server_side_emit("x", 1)
        with trio.fail_after(1):
            async with sio.server_side_call("x", 1) as answers:
                assert [answer async for answer in answers] == []
            assert answers.missing == frozenset()

    async def test_who_sends_to_servers_waits_for_room_as_who_sends_to_clients(self, nursery):
        room, sent = trio.Event(), []

        async def make_room(self):
            await room.wait()

        def server_side_ask(self, args, sink):
            sent.append(args)
            sink.close()
            return lambda: None

        parts = {name: lambda *_: None for name in Adapter.__abstractmethods__} | {
            "is_crowded": True,
            "make_room": make_room,
            "server_side_emit": lambda self, args: sent.append(args),
            "server_side_ask": server_side_ask,
        }
        server = Server(adapter=type("Full", (Adapter,), parts))

        async def ask():
            async with server.server_side_call("y") as answers:
                sent.extend([answer async for answer in answers])

        nursery.start_soon(server.server_side_emit, "x", 1)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert sent == []
        room.set()
        await wait_all_tasks_blocked()
        assert sorted(sent) == [["x", 1], ["y"]]

    @pytest.mark.parametrize(("name", "error"), [("connection", ValueError), (5, TypeError)])
    async def test_names_that_are_refused(self, sio, name, error):
        with pytest.raises(error):
            await sio.server_side_emit(name)
        with pytest.raises(error):
            async with sio.server_side_call(name):
                raise AssertionError("the block does not begin")

    async def test_cancelled_it_has_asked_nobody(self, sio):
        for act in (sio.server_side_emit("x"), sio.server_side_call("x").__aenter__()):
            with trio.CancelScope() as scope:
                scope.cancel()
                await act
            assert scope.cancelled_caught
