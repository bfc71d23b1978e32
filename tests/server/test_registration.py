"""What may be registered for a family, a namespace, a socket; and that it is called."""

from __future__ import annotations

import functools
import re

import pytest
import trio

from tests.support.client import connect, settle
from trio_socketio import Server
from trio_socketio._server.registration import Registration

KINDS = {
    "middleware": 1,
    "on_connection": 1,
    "on_disconnect": 2,
    "on_error": 3,
    "on_expired": 1,
    "on_any": 2,
    "packet_middleware": 2,
}
"""The kinds of handlers and their arguments."""

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


def targets():
    sio = Server()
    return [sio, sio.namespace("/chat"), sio.namespace(re.compile(r"/shop/\w+"))]


NAMES = ["server", "namespace", "family"]


@pytest.mark.parametrize("target", targets(), ids=NAMES)
@pytest.mark.parametrize("kind", KINDS)
class TestKinds:
    def test_the_decorator_returns_the_function_itself(self, target, kind):
        async def handler(*args): ...

        assert getattr(target, kind)(handler) is handler

    @pytest.mark.parametrize("wrong", [None, "text", lambda *args: None, print, 5])
    def test_only_async_functions(self, target, kind, wrong):
        with pytest.raises(TypeError, match="is not an async function: write 'async def"):
            getattr(target, kind)(wrong)

    def test_too_few_and_too_many_parameters(self, target, kind):
        async def none(): ...

        async def many(a, b, c, d): ...

        for wrong in (none, many):
            with pytest.raises(TypeError, match=f"can't be called with {KINDS[kind]} arguments"):
                getattr(target, kind)(wrong)

    def test_a_keyword_only_parameter_needs_a_default(self, target, kind):
        async def wrong(*args, needed): ...

        async def right(*args, option=1): ...

        with pytest.raises(TypeError, match="keyword-only"):
            getattr(target, kind)(wrong)
        assert getattr(target, kind)(right) is right

    def test_methods_partials_and_objects_with_an_async_call_will_do(self, target, kind):
        class Handlers:
            async def method(self, *args): ...

            async def __call__(self, *args): ...

        async def with_setting(setting, *args): ...

        handlers = Handlers()
        for handler in (handlers.method, handlers, functools.partial(with_setting, "x")):
            assert getattr(target, kind)(handler) is handler


@pytest.mark.parametrize("target", targets(), ids=NAMES)
class TestEvents:
    def test_the_decorator_returns_the_function_itself(self, target):
        async def handler(socket): ...

        assert target.on("returned")(handler) is handler
        assert target.on("returned too", concurrent=True)(handler) is handler

    @pytest.mark.parametrize("name", [*RESERVED, "connection"])
    def test_reserved_names(self, target, name):
        with pytest.raises(ValueError, match=f"'{name}' is (reserved|not an event that clients send)"):
            target.on(name)

    def test_the_parentheses_are_forgotten(self, target):
        async def handler(socket): ...

        with pytest.raises(TypeError, match="an event's name is text, or .*, not <function"):
            target.on(handler)

    def test_error_is_a_name_like_any(self, target):
        async def handler(socket): ...

        target.on("error")(handler)

    @pytest.mark.parametrize("name", [None, 5, b"bytes", ("a",)])
    def test_names_are_text(self, target, name):
        async def handler(socket): ...

        with pytest.raises(TypeError, match="an event's name is text"):
            target.on(name)(handler)

    def test_a_name_has_one_handler(self, target):
        async def handler(socket): ...

        target.on("taken")(handler)
        with pytest.raises(ValueError, match="'taken' has a handler already"):
            target.on("taken")(handler)

    def test_what_is_no_handler(self, target):
        async def nothing(): ...

        async def keyword(socket, *, needed): ...

        with pytest.raises(TypeError, match="the first is the socket"):
            target.on("nothing")(nothing)
        with pytest.raises(TypeError, match="keyword-only"):
            target.on("keyword")(keyword)
        with pytest.raises(TypeError, match="is not an async function"):
            target.on("sync")(lambda socket: None)

    def test_what_was_refused_is_not_registered(self, target):
        async def handler(socket): ...

        with pytest.raises(TypeError):
            target.on("tried")(None)
        target.on("tried")(handler)


@pytest.mark.parametrize("target", targets(), ids=NAMES)
class TestOff:
    def test_the_name_is_free_again(self, target):
        async def handler(socket): ...

        target.on("temporary")(handler)
        target.off("temporary")
        with pytest.raises(ValueError, match="the event 'temporary' has no handler here: nothing to remove"):
            target.off("temporary")
        target.on("temporary")(handler)

    def test_listeners(self, target):
        async def listener(socket, event, *args): ...

        def outgoing(socket, event, *args): ...

        assert target.on_any(listener) is listener
        assert target.on_any_outgoing(outgoing) is outgoing
        target.off_any(listener)
        target.off_any_outgoing(outgoing)
        with pytest.raises(ValueError, match="is not registered here: nothing to remove"):
            target.off_any(listener)
        with pytest.raises(ValueError, match="is not registered here: nothing to remove"):
            target.off_any_outgoing(outgoing)

    def test_what_is_sent_is_listened_to_by_plain_functions(self, target):
        async def wrong(socket, event, *args): ...

        for each in (wrong, None, "text"):
            with pytest.raises(
                TypeError, match=r"is not a plain function: write 'def listener\(socket, event, \*args\)'"
            ):
                target.on_any_outgoing(each)


async def test_namespaces_keep_their_handlers_apart(sio, autojump_clock):
    chat = sio.namespace("/chat")

    @sio.on("where")
    async def root(socket):
        return "root"

    @chat.on("where")
    async def in_chat(socket):
        return "chat"

    async with connect(sio, "40", "40/chat,") as client:
        await client.put('421["where"]', '42/chat,1["where"]')
        assert sorted(client.get_waiting()) == ['43/chat,1["chat"]', '431["root"]']


async def test_a_handler_that_is_registered_late_is_there_for_later_events(sio, autojump_clock):
    async with connect(sio, "40") as client:
        await client.put('421["x"]')
        assert client.get_waiting() == []

        @sio.on("x")
        async def x(socket):
            return "late"

        await client.put('422["x"]')
        assert client.get_waiting() == ['432["late"]']


async def test_handlers_of_other_shapes_are_called(sio, autojump_clock):
    seen = []

    class Application:
        def __init__(self, name):
            self.name = name

        async def method(self, socket, value):
            seen.append((self.name, "method", value))

        async def __call__(self, socket, reason):
            await trio.sleep(0)
            seen.append((self.name, "call", reason))

    async def with_setting(setting, socket, value="default"):
        seen.append((setting, value))

    application = Application("app")
    sio.on("method")(application.method)
    sio.on("partial")(functools.partial(with_setting, "setting"))
    sio.on_disconnect(application)
    async with connect(sio, "40") as client:
        await client.put('42["method",1]')
        await client.put('42["partial"]', '42["partial",2]', '42["partial",2,3]')
        await client.put("41")
        await settle()
    assert seen == [
        ("app", "method", 1),
        ("setting", "default"),
        ("setting", 2),
        ("app", "call", "client namespace disconnect"),
    ]


def test_a_level_must_say_where_it_keeps_what_is_registered():
    async def handler(socket): ...

    with pytest.raises(NotImplementedError):
        Registration().on("x")(handler)
