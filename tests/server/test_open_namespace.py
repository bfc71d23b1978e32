"""A namespace that takes handlers: which functions it takes, from whom, and that they do what they are for."""

from __future__ import annotations

import pytest

from tests.support.application import CALM, forever
from tests.support.client import connect
from tests.support.families import TENANT
from trio_socketio import Server


@pytest.fixture(params=["server", "namespace", "family"])
def target(request):
    sio = Server()
    return {"server": sio, "namespace": sio.namespace("/n"), "family": sio.namespace(TENANT)}[request.param]


async def one(a): ...
async def two(a, b): ...
async def three(a, b, c): ...
async def keyword(a, *, b): ...


class TestWhatItTakes:
    @pytest.mark.parametrize(
        ("method", "right", "wrong"),
        [
            ("middleware", one, [two, keyword]),
            ("on_connection", one, [two, keyword]),
            ("on_expired", one, [two, keyword]),
            ("on_disconnect", two, [one, three, keyword]),
            ("on_error", three, [one, two, keyword]),
            ("on_any", two, [one, three, keyword]),
            ("packet_middleware", two, [one, three, keyword]),
        ],
    )
    def test_async_functions_of_that_shape(self, target, method, right, wrong):
        register = getattr(target, method)
        assert register(right) is right
        for function in wrong:
            with pytest.raises(TypeError, match="arguments|keyword-only"):
                register(function)
        for function in (lambda *args: None, None, 5, Server):
            with pytest.raises(TypeError, match=r"is not an async function: write 'async def \w+\("):
                register(function)

    def test_handlers_of_events(self, target):
        for register in (target.on, target.on_server_event):
            assert register("x")(one) is one
            with pytest.raises(ValueError, match="has a handler already"):
                register("x")(one)
            for name in (None, 5, b"x", one):
                with pytest.raises(TypeError, match="an event's name is text"):
                    register(name)
            with pytest.raises(TypeError, match="is not an async function"):
                register("y")(len)
            register("y")(one)

    @pytest.mark.parametrize("name", ["connect", "connection", "new_namespace"])
    def test_reserved_events_of_servers(self, target, name):
        with pytest.raises(ValueError, match="is reserved between servers"):
            target.on_server_event(name)

    def test_listeners_for_what_is_sent(self, target):
        def listener(socket, event, *args): ...

        assert target.on_any_outgoing(listener) is listener
        for function in (one, None, 5):
            with pytest.raises(TypeError, match="is not a plain function"):
                target.on_any_outgoing(function)
        target.off_any_outgoing(listener)
        with pytest.raises(ValueError, match="is not registered here"):
            target.off_any_outgoing(listener)

    def test_what_was_not_registered_cannot_be_taken_out(self, target):
        with pytest.raises(ValueError, match="has no handler here"):
            target.off("x")
        with pytest.raises(ValueError, match="is not registered here"):
            target.off_any(two)
        target.on("x")(one)
        target.on_any(two)
        target.off("x")
        target.off_any(two)
        target.on("x")(one)


async def test_what_is_registered_through_one_counts_for_all_that_are_this_namespace(sio, autojump_clock):
    sio.namespace("/n").on("x")(answer)
    sio.namespace("n").middleware(one)
    async with connect(sio, "40/n,") as client:
        await client.put('42/n,1["x"]')
        assert await client.get() == "43/n,1[1]"


async def answer(socket):
    return 1


async def test_several_middlewares_run_in_their_order_and_one_that_refuses_ends_it(sio, autojump_clock):
    seen = []

    def note(what, error=None):
        @sio.middleware
        async def middleware(socket):
            seen.append(what)
            if error:
                raise error

    note(1)
    note(2, LookupError())
    note(3)
    async with connect(sio) as client:
        await client.put("40")
        assert await client.get() == '44{"message":"Internal server error"}'
    assert seen == [1, 2]


async def test_functions_of_a_namespace_may_be_registered_while_it_is_in_use(autojump_clock):
    sio, seen = Server(CALM), []
    async with sio.running(), connect(sio, "40") as client:

        @sio.on_disconnect
        async def gone(socket, reason):
            seen.append(reason)

        sio.on_connection(forever)
        await client.put("41")
        await client.join()
        assert seen == ["client namespace disconnect"]
    assert seen == ["client namespace disconnect", "transport close"]
