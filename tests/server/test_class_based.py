"""Namespaces whose handlers are methods of a class, and all that one can do wrong there."""

from __future__ import annotations

import functools
from typing import Generic, Protocol, TypeVar

import pytest
import trio

from tests.support.application import CALM, forever, socket_of
from tests.support.client import connect, settle
from trio_socketio import Namespace, OpenNamespace, Server, event_name, handles


class TestMethods:
    async def test_all_of_them(self, sio, autojump_clock):
        seen = []

        class Chat(Namespace):
            async def middleware(self, socket):
                seen.append("middleware")

            async def on_connection(self, socket):
                seen.append("connection")

            async def on_disconnect(self, socket, reason):
                seen.append(reason)

            async def on_error(self, socket, error, event):
                seen.append((type(error), event))

            async def on_any(self, socket, event, *args):
                seen.append(f"any {event}")

            def on_any_outgoing(self, socket, event, *args):
                seen.append(f"outgoing {event}")

            async def packet_middleware(self, socket, event):
                event.append("changed")

            async def on_message(self, socket, text, changed):
                seen.append((self.name, socket.namespace, text, changed))
                await self.emit("message", text)
                return "stored"

            async def on_fail(self, socket, *args):
                raise LookupError

            async def helper(self, socket): ...

        chat = Chat(sio, "chat")
        async with connect(sio, "40", "40/chat,") as client:
            assert repr(chat) == "<Chat /chat with 1 sockets>"
            await client.put('42/chat,1["message","hi"]', '42["message","hi"]')
            assert client.get_waiting() == ['42/chat,["message","hi"]', '43/chat,1["stored"]']
            await client.put('42/chat,["fail"]', '42/chat,2["helper"]')
            await client.put("41/chat,")
            assert client.get_waiting() == []
        assert seen == [
            "middleware",
            "connection",
            "any message",
            ("/chat", "/chat", "hi", "changed"),
            "outgoing message",
            "any fail",
            (LookupError, "fail"),
            "any helper",
            "client namespace disconnect",
        ]

    async def test_on_expired_is_registered(self):
        class Chat(Namespace):
            async def on_expired(self, socket): ...

        sio = Server()
        chat = Chat(sio, "/chat")
        assert list(sio._namespaces.get("/chat").behaviour.expired) == [chat.on_expired]

    async def test_handles(self, sio, autojump_clock):
        class Chat(Namespace):
            @handles("private message", concurrent=True)
            async def private(self, socket):
                await trio.sleep_forever()

            @handles("any")
            async def on_whatever(self, socket):
                return "its mark counts, not its name"

        Chat(sio, "/")
        async with connect(sio, "40") as client:
            await client.put('421["private message"]', '422["any"]', '423["private"]', '424["whatever"]')
            assert client.get_waiting() == ['432["its mark counts, not its name"]']

    async def test_handles_an_event_of_a_contract(self, sio, autojump_clock):
        class ToServer(Protocol):
            async def message(self, text: str) -> str: ...

            @event_name("private message")
            async def private(self) -> str: ...

        class Chat(Namespace):
            @handles(ToServer.message)
            async def take(self, socket, text):
                return text

            @handles(ToServer.private)
            async def whisper(self, socket):
                return "private"

        Chat(sio, "/")
        async with connect(sio, "40") as client:
            await client.put('421["message","hi"]', '422["private message"]')
            assert client.get_waiting() == ['431["hi"]', '432["private"]']

    async def test_other_callables(self, sio, autojump_clock):
        class Chat(Namespace):
            @staticmethod
            async def on_static(socket):
                return "static"

            @classmethod
            async def on_class(cls, socket):
                return cls.__name__

            @handles("marked static")
            @staticmethod
            async def marked(socket):
                return "marked"

            @staticmethod
            @handles("marked inside")
            async def inside(socket):
                return "inside"

            on_partial = functools.partial(forever, 1)

        Chat(sio, "/")
        async with connect(sio, "40") as client:
            await client.put('421["static"]', '422["class"]', '423["marked static"]', '424["marked inside"]')
            assert client.get_waiting() == ['431["static"]', '432["Chat"]', '433["marked"]', '434["inside"]']

    async def test_decorators_that_keep_the_function_keep_the_mark(self, sio, autojump_clock):
        def counted(function):
            @functools.wraps(function)
            async def counting(*args):
                return "counted", await function(*args)

            return counting

        class Chat(Namespace):
            @counted
            @handles("a b")
            async def ab(self, socket):
                return 1

        Chat(sio, "/")
        async with connect(sio, "40") as client:
            await client.put('421["a b"]')
            assert await client.get() == '431["counted",1]'

    async def test_a_constructor_of_its_own(self, sio, autojump_clock):
        class Chat(Namespace):
            def __init__(self, server, name, answer):
                super().__init__(server, name)
                self._answer = answer

            @property
            def answer(self):
                return self._answer

            async def on_x(self, socket):
                return self.answer

        Chat(sio, "/a", 1)
        Chat(sio, "/b", 2)
        async with connect(sio, "40/a,", "40/b,") as client:
            await client.put('42/a,1["x"]', '42/b,1["x"]')
            assert client.get_waiting() == ["43/a,1[1]", "43/b,1[2]"]

    async def test_beside_handlers_that_are_registered_from_outside(self, sio, autojump_clock):
        class Chat(Namespace):
            async def on_x(self, socket):
                return "method"

        chat = Chat(sio, "/chat")

        @sio.namespace("/chat").on("y")
        async def y(socket):
            return "function", len(chat.sockets)

        async with connect(sio, "40/chat,") as client:
            await client.put('42/chat,1["x"]', '42/chat,2["y"]')
            assert client.get_waiting() == ['43/chat,1["method"]', '43/chat,2["function",1]']

    async def test_its_operators_are_those_of_the_namespace(self, sio, autojump_clock):
        chat = Namespace(sio, "/chat")
        async with connect(sio, "40/chat,") as one, connect(sio, "40/chat,") as two:
            first, second = chat.sockets.values()
            first.join("room")
            assert chat.rooms["room"] == {first.id}
            await chat.to("room").emit("a")
            await chat.except_(first).emit("b")
            chat.emit_nowait("c")
            await settle()
            assert one.get_waiting() == ['42/chat,["a"]', '42/chat,["c"]']
            assert two.get_waiting() == ['42/chat,["b"]', '42/chat,["c"]']
            assert {each.id for each in await chat.fetch_sockets()} == {first.id, second.id}


class TestInheritance:
    class Base(Namespace):
        async def on_x(self, socket):
            return "base x"

        async def on_y(self, socket):
            return "base y"

        @handles("a b")
        async def ab(self, socket):
            return "base a b"

    async def answers(self, sio, cls, *events):
        cls(sio, "/")
        async with connect(sio, "40") as client:
            await client.put(*(f'42{number}["{event}"]' for number, event in enumerate(events)))
            return [frame.partition('["')[2].removesuffix('"]') for frame in client.get_waiting()]

    async def test_methods_are_inherited_and_overridden(self, sio, autojump_clock):
        class Derived(self.Base):
            async def on_y(self, socket):
                return f"derived y, {await super().on_y(socket)}"

            async def on_z(self, socket):
                return "derived z"

        found = await self.answers(sio, Derived, "x", "y", "z", "a b")
        assert found == ["base x", "derived y, base y", "derived z", "base a b"]

    async def test_what_overrides_a_marked_method_handles_its_event(self, sio, autojump_clock):
        class Derived(self.Base):
            async def ab(self, socket):
                return "derived a b"

        assert await self.answers(sio, Derived, "a b") == ["derived a b"]

    async def test_or_another_one_if_it_says_so(self, sio, autojump_clock):
        class Derived(self.Base):
            @handles("c d")
            async def ab(self, socket):
                return "derived c d"

        assert await self.answers(sio, Derived, "a b", "c d") == ["derived c d"]

    async def test_mixins_need_not_be_namespaces(self, sio, autojump_clock):
        class Mixin:
            async def on_m(self, socket):
                return "mixin m"

            @handles("m n")
            async def mn(self, socket):
                return "mixin m n"

        T = TypeVar("T")

        class Derived(Mixin, self.Base, Generic[T]):
            pass

        assert await self.answers(sio, Derived, "m", "m n", "x") == ["mixin m", "mixin m n", "base x"]

    async def test_a_diamond_registers_each_method_once(self, sio, autojump_clock):
        class Left(self.Base):
            async def on_x(self, socket):
                return "left x"

        class Right(self.Base):
            async def on_x(self, socket):
                return "right x"

        class Both(Left, Right):
            pass

        assert await self.answers(sio, Both, "x", "y") == ["left x", "base y"]


def made(sio=None, **methods):
    return type("Chat", (Namespace,), methods)(sio or Server(), "/chat")


async def one(self): ...
async def two(self, socket): ...
async def three(self, socket, x): ...
async def four(self, socket, x, y): ...
async def five(self, socket, x, y, z): ...
async def keyword(self, socket, *, x): ...


def sync(self, socket): ...


async def generator(self, socket):
    yield


class TestMisuse:
    @pytest.mark.parametrize(
        ("name", "wrong", "why"),
        [
            ("on_x", sync, "is not an async function: write 'async def handler"),
            ("on_x", generator, "is not an async function"),
            ("on_x", None, "is not an async function"),
            ("on_x", 5, "is not an async function"),
            ("on_x", one, "takes no arguments: the first is the socket"),
            ("on_x", keyword, "keyword-only parameter"),
            ("on_x", property(lambda self: 5), "is not an async function"),
            ("middleware", sync, r"is not an async function: write 'async def middleware\(self, socket\)'"),
            ("middleware", one, "can't be called with 1 arguments"),
            ("middleware", three, "can't be called with 1 arguments"),
            ("on_connection", sync, "is not an async function"),
            ("on_connection", three, r"write 'async def on_connection\(self, socket\)'"),
            ("on_disconnect", two, r"write 'async def on_disconnect\(self, socket, reason\)'"),
            ("on_disconnect", four, "can't be called with 2 arguments"),
            ("on_error", three, r"write 'async def on_error\(self, socket, error, event\)'"),
            ("on_error", five, "can't be called with 3 arguments"),
            ("on_expired", three, r"write 'async def on_expired\(self, socket\)'"),
            ("on_any", two, r"write 'async def on_any\(self, socket, event, \*args\)'"),
            ("on_any_outgoing", four, "is not a plain function"),
            ("packet_middleware", two, r"write 'async def packet_middleware\(self, socket, event\)'"),
            ("packet_middleware", keyword, "keyword-only parameter"),
        ],
    )
    def test_methods_that_cannot_be_called(self, name, wrong, why):
        with pytest.raises(TypeError, match=why):
            made(**{name: wrong})

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("on_connect", "'connect' is not an event that clients send: register with on_connection"),
            ("on_disconnecting", "'disconnecting' is reserved"),
            ("on_connect_error", "'connect_error' is reserved"),
            ("on_newListener", "'newListener' is reserved"),
        ],
    )
    def test_names_that_are_no_events(self, name, why):
        with pytest.raises(ValueError, match=why):
            made(**{name: two})

    @pytest.mark.parametrize("event", [None, 5, b"x", two])
    def test_the_event_of_handles_is_text(self, event):
        with pytest.raises(TypeError, match="an event's name is text"):
            handles(event)

    def test_handles_without_its_event(self):
        class Chat(Namespace):
            @handles
            async def message(self, socket): ...

        with pytest.raises(TypeError, match="is not an async function: write 'async def handler"):
            Chat(Server(), "/chat")
        with pytest.raises(TypeError, match="an event's name is text, or a function of a contract class"):

            @handles
            async def message(self, socket): ...

    @pytest.mark.parametrize("event", ["connect", "connection", "disconnect", "disconnecting", "connect_error"])
    def test_the_event_of_handles_is_one_of_clients(self, event):
        with pytest.raises(ValueError, match="reserved|not an event that clients send"):
            handles(event)

    @pytest.mark.parametrize("wrong", [5, "x", None, Server])
    def test_handles_stands_before_a_function(self, wrong):
        with pytest.raises(TypeError, match="can't handle 'x': write @handles"):
            handles("x")(wrong)

    def test_a_method_handles_one_event(self):
        async def method(self, socket): ...

        with pytest.raises(ValueError, match="handles 'x' already"):
            handles("y")(handles("x")(method))

    @pytest.mark.parametrize("name", ["middleware", "on_connection", "on_disconnect", "on_any_outgoing"])
    def test_a_method_of_a_name_that_means_something_else_handles_no_event(self, name):
        async def method(self, *args): ...

        with pytest.raises(ValueError, match=f"a method '{name}' can't handle the event 'x' too"):
            made(**{name: handles("x")(method)})

    def test_what_handles_marks_must_be_async_too(self):
        with pytest.raises(TypeError, match="is not an async function"):
            made(x=handles("x")(lambda self, socket: None))

    def test_two_methods_for_one_event(self):
        async def other(self, socket): ...

        with pytest.raises(ValueError, match="the event 'x' has a handler already"):
            made(on_x=two, other=handles("x")(other))

    def test_two_instances_for_one_namespace(self):
        sio = Server()
        made(sio, on_x=two)
        with pytest.raises(ValueError, match="the event 'x' has a handler already"):
            made(sio, on_x=two)
        made(sio, on_y=two)

    @pytest.mark.parametrize("fault", [{"on_z": one}, {"on_connect": two}, {"on_taken": two}])
    async def test_if_one_cannot_be_registered_none_is(self, autojump_clock, fault):
        sio, seen = Server(CALM), []
        sio.namespace("/chat").on("taken")(forever)

        async def note(self, *args):
            seen.append(args)

        def note_outgoing(self, *args):
            seen.append(args)

        methods = dict.fromkeys(
            ("middleware", "on_connection", "on_disconnect", "on_any", "packet_middleware", "on_error", "on_x"), note
        )
        with pytest.raises((TypeError, ValueError)):
            made(sio, **methods, on_any_outgoing=note_outgoing, **fault)
        async with sio.running(), connect(sio, "40/chat,") as client:
            await client.put('42/chat,["x"]')
            await socket_of(sio, "/chat").emit("y")
            await client.put("41/chat,")
        assert seen == []
        made(sio, **methods)

    def test_the_arguments_in_the_wrong_order(self):
        class Chat(Namespace): ...

        with pytest.raises(TypeError, match=r"'/chat' is not a Server: write Chat\(sio, \"/chat\"\)"):
            Chat("/chat", Server())
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            Chat(Server())

    def test_only_namespace_is_inherited_from(self):
        with pytest.raises(TypeError, match="Chat can't inherit from OpenNamespace: inherit from Namespace"):

            class Chat(OpenNamespace):
                async def on_x(self, socket): ...

        with pytest.raises(TypeError, match="Mine can't inherit"):
            type("Mine", (Server,), {})
