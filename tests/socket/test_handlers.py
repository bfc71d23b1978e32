"""Which functions may handle events, and with how many arguments they are called: settled when they are registered."""

from __future__ import annotations

import functools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio._socket.handlers import (
    Handlers,
    check_handled_event,
    check_handler,
    check_listener,
)
from trio_socketio._socket.signature import Registered, is_async
from trio_socketio._wire.socket_packet import RESERVED_EVENTS


def registered(function, **options) -> Registered:
    handlers = Handlers()
    handlers.add("event", function, **{"concurrent": False, **options})
    found = handlers.find("event")
    assert found is not None
    return found


async def plain(socket): ...
async def one(socket, text): ...
async def with_default(socket, text, more=None): ...
async def all_defaults(socket=None, text=None): ...
async def any_number(socket, *args): ...
async def one_and_more(socket, text, *args): ...
async def nothing_named(*args): ...
async def keyword_with_default(socket, text, *, option=1): ...
async def keywords(socket, text, **options): ...
async def positional_only(socket, text, /, more): ...


class Methods:
    async def method(self, socket, text): ...

    @classmethod
    async def of_class(cls, socket, text): ...

    @staticmethod
    async def static(socket, text): ...


class Callable:
    def __init__(self, setting=None) -> None: ...

    async def __call__(self, socket, text, more=None): ...


class SyncCallable:
    def __call__(self, socket): ...


def decorated(function):
    @functools.wraps(function)
    async def wrapper(*args, **options):
        return await function(*args, **options)

    return wrapper


COUNTED = {
    "plain": (plain, 0, 0),
    "one": (one, 1, 1),
    "default": (with_default, 1, 2),
    "all defaults": (all_defaults, 0, 1),
    "any number": (any_number, 0, math.inf),
    "one and more": (one_and_more, 1, math.inf),
    "nothing named": (nothing_named, 0, math.inf),
    "keyword-only with a default": (keyword_with_default, 1, 1),
    "keywords": (keywords, 1, 1),
    "positional only": (positional_only, 2, 2),
    "bound method": (Methods().method, 1, 1),
    "class method": (Methods.of_class, 1, 1),
    "static method": (Methods.static, 1, 1),
    "unbound method": (Methods.method, 2, 2),
    "object": (Callable(), 1, 2),
    "partial": (functools.partial(with_default, "bound"), 0, 1),
    "partial by keyword": (functools.partial(with_default, more="bound"), 1, 1),
    "partial of a partial": (functools.partial(functools.partial(positional_only, "a"), "b"), 0, 0),
    "partial of a method": (functools.partial(Methods().method, "bound"), 0, 0),
    "partial of an object": (functools.partial(Callable(), "bound"), 0, 1),
    "decorated": (decorated(one), 1, 1),
}


class TestCounts:
    @pytest.mark.parametrize(("function", "fewest", "most"), COUNTED.values(), ids=COUNTED)
    def test_the_first_parameter_is_the_sockets(self, function, fewest, most):
        handler = registered(function)
        assert (handler.function, handler.fewest, handler.most) == (function, fewest, most)

    @pytest.mark.parametrize(("function", "fewest", "most"), COUNTED.values(), ids=COUNTED)
    async def test_what_is_accepted_can_be_called_and_nothing_else(self, function, fewest, most):
        handler = registered(function)
        for count in range(5):
            args = ("socket", *range(count))
            if handler.accepts(count):
                await handler.function(*args)
            else:
                with pytest.raises(TypeError, match="argument"):
                    await handler.function(*args)

    @settings(derandomize=True, deadline=None)
    @given(required=st.integers(0, 4), optional=st.integers(0, 4), rest=st.booleans(), count=st.integers(0, 12))
    def test_any_signature_accepts_what_python_accepts(self, required, optional, rest, count):
        parameters = [f"r{n}" for n in range(required)] + [f"o{n}=0" for n in range(optional)] + ["*rest"] * rest
        scope: dict[str, object] = {}
        exec(f"async def function(socket, {', '.join(parameters)}): ...", scope)
        handler = registered(scope["function"])
        assert handler.accepts(count) == (required <= count and (rest or count <= required + optional))


class TestRefused:
    def sync(self, socket): ...

    async def generator(self, socket):
        yield

    @pytest.mark.parametrize(
        "function",
        [None, 5, "text", print, sync, lambda socket: None, generator, SyncCallable(), functools.partial(sync, 1)],
    )
    def test_what_is_not_async(self, function):
        with pytest.raises(TypeError, match=r"is not an async function: write 'async def handler\(socket, \.\.\.\)'"):
            registered(function)
        with pytest.raises(TypeError, match=r"is not an async function: write 'async def shape\(x\)'"):
            check_handler(function, 1, "shape(x)")

    def test_a_class_that_stands_for_its_instance(self):
        with pytest.raises(TypeError, match="is not an async function"):
            registered(Callable)
        with pytest.raises(TypeError, match="is not an async function"):
            check_handler(Callable, 1, "handler(socket)")

    def test_one_that_cannot_take_the_socket(self):
        async def nothing(): ...

        async def only_keywords(*, option=1, **options): ...

        for function in (nothing, only_keywords, functools.partial(plain, "bound")):
            with pytest.raises(TypeError, match="takes no arguments: the first is the socket, then come the event's"):
                registered(function)

    def test_a_keyword_only_parameter_without_a_default(self):
        async def needy(socket, *, needed): ...

        with pytest.raises(TypeError, match="keyword-only parameter without a default: events have no keywords"):
            registered(needy)
        with pytest.raises(TypeError, match="keyword-only parameter without a default: events have no keywords"):
            check_handler(needy, 1, "handler(socket)")

    def test_a_bound_keyword_makes_those_behind_it_keyword_only(self):
        with pytest.raises(TypeError, match="keyword-only parameter without a default: events have no keywords"):
            registered(functools.partial(Methods.method, socket="bound"))


class TestCheckHandler:
    @pytest.mark.parametrize(("function", "fewest", "most"), COUNTED.values(), ids=COUNTED)
    def test_exactly_so_many_arguments(self, function, fewest, most):
        for arguments in range(6):
            # ``COUNTED`` counts without the socket.
            low = 0 if function in (all_defaults, nothing_named) else fewest + 1
            if low <= arguments <= most + 1:
                check_handler(function, arguments, "handler(a)")
            else:
                sentence = rf"can't be called with {arguments} arguments: write 'async def handler\(a\)'"
                with pytest.raises(TypeError, match=sentence):
                    check_handler(function, arguments, "handler(a)")


class TestRegistry:
    def test_each_event_has_its_own(self):
        handlers = Handlers()
        handlers.add("a", plain, concurrent=False)
        handlers.add("b", one, concurrent=True)
        assert handlers.find("a") == Registered(plain, False, 0, 0)
        assert handlers.find("b") == Registered(one, True, 1, 1)
        assert handlers.find("c") is None

    def test_a_second_one_is_refused_and_the_first_stays(self):
        handlers = Handlers()
        handlers.add("taken", plain, concurrent=False)
        with pytest.raises(ValueError, match="the event 'taken' has a handler already: <function plain"):
            handlers.add("taken", one, concurrent=False)
        assert handlers.find("taken").function is plain

    def test_what_was_refused_is_not_registered(self):
        handlers = Handlers()
        with pytest.raises(TypeError):
            handlers.add("tried", print, concurrent=False)
        assert handlers.find("tried") is None
        handlers.add("tried", plain, concurrent=False)

    def test_a_registered_one_does_not_change(self):
        with pytest.raises(AttributeError):
            registered(plain).concurrent = True


class TestOnce:
    def test_it_is_for_one_event(self):
        handlers = Handlers()
        handlers.add("a", plain, once=True)
        assert handlers.find("a") == Registered(plain, False, 0, 0, True)
        handlers.remove("a")
        assert handlers.find("a") is None

    @pytest.mark.parametrize("concurrent", [False, True])
    @pytest.mark.parametrize("once", [False, True])
    def test_what_is_plain_is_simply_called(self, concurrent, once):
        assert registered(plain, concurrent=concurrent, once=once).is_plain is not (concurrent or once)


class TestRemove:
    def test_the_name_is_free_again(self):
        handlers = Handlers()
        handlers.add("a", plain)
        handlers.remove("a")
        assert handlers.find("a") is None
        handlers.add("a", one)
        assert handlers.find("a").function is one

    @pytest.mark.parametrize("name", ["never", "connect", None, 5])
    def test_what_is_not_there(self, name):
        with pytest.raises(ValueError, match=f"the event {name!r} has no handler here: nothing to remove"):
            Handlers().remove(name)

    def test_what_is_inherited_is_not_removed_here(self):
        above = Handlers()
        above.add("a", plain)
        with pytest.raises(ValueError, match="'a' has no handler here"):
            Handlers(above).remove("a")
        assert above.find("a").function is plain


class TestInherited:
    @pytest.fixture
    def levels(self):
        """A family, a namespace, a socket."""
        family = Handlers()
        namespace = Handlers(family)
        return family, namespace, Handlers(namespace)

    def test_the_nearest_one_handles_it(self, levels):
        family, namespace, socket = levels
        found = []
        for level, function in ((family, plain), (namespace, one), (socket, with_default)):
            level.add("a", function)
            found.append(socket.find("a").function)
        assert found == [plain, one, with_default]
        assert (family.find("a").function, namespace.find("a").function) == (plain, one)

    def test_it_is_looked_for_live(self, levels):
        family, _, socket = levels
        assert socket.find("a") is None
        family.add("a", plain)
        assert socket.find("a").function is plain
        socket.add("a", one)
        socket.remove("a")
        assert socket.find("a").function is plain
        family.remove("a")
        assert socket.find("a") is None


class TestCheckListener:
    @pytest.mark.parametrize("function", [print, lambda *args: None, SyncCallable(), functools.partial(print, 1), list])
    def test_plain_functions(self, function):
        check_listener(function, 1, "listener(a)")

    @pytest.mark.parametrize(
        "function", [None, 5, "text", plain, Callable(), Methods().method, functools.partial(one, 1)]
    )
    def test_what_is_none(self, function):
        with pytest.raises(TypeError, match=r"is not a plain function: write 'def listener\(a\)', not async"):
            check_listener(function, 1, "listener(a)")


class TestIsAsync:
    @pytest.mark.parametrize("function", [plain, Callable(), Methods().method, functools.partial(plain)])
    def test_it_is(self, function):
        assert is_async(function)

    @pytest.mark.parametrize("other", [None, print, Callable, SyncCallable(), functools.partial(print), object()])
    def test_it_is_not(self, other):
        assert not is_async(other)


class TestNames:
    @pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
    def test_reserved(self, name):
        with pytest.raises(ValueError, match="is reserved|is not an event that clients send"):
            Handlers().add(name, plain, concurrent=False)

    @pytest.mark.parametrize(
        ("name", "instead"),
        [("connect", "on_connection"), ("connection", "on_connection"), ("disconnect", "on_disconnect")],
    )
    def test_what_other_libraries_call_the_life_of_a_socket(self, name, instead):
        with pytest.raises(ValueError, match=f"not an event that clients send: register with {instead}"):
            Handlers().add(name, plain, concurrent=False)

    def test_reserved_names_are_no_events_of_clients(self):
        for name in RESERVED_EVENTS | {"connection"}:
            with pytest.raises(ValueError, match="is reserved|is not an event that clients send"):
                check_handled_event(name)
        with pytest.raises(TypeError, match="an event's name is text"):
            check_handled_event(None)
        check_handled_event("message")

    @pytest.mark.parametrize("name", [None, 5, b"bytes", ("a",), ["a"], plain, Methods, Methods().method])
    def test_no_name(self, name):
        with pytest.raises(TypeError, match="an event's name is text, or a function of a contract class such as"):
            Handlers().add(name, plain, concurrent=False)

    @pytest.mark.parametrize("name", ["", "error", "message", "Connect", "é", "a b"])
    def test_all_others_will_do(self, name):
        assert check_handled_event(name) == name

    def test_a_function_of_a_contract(self):
        handlers = Handlers()
        handlers.add(Methods.method, plain, concurrent=False)
        assert handlers.find("method").function is plain
        with pytest.raises(ValueError, match="the event 'method' has a handler already"):
            handlers.add("method", one, concurrent=False)
