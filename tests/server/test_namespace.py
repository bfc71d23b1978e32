"""A namespace: its name, its sockets, and whom its broadcasts reach."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import assert_checkpoints, assert_no_checkpoints

from tests.support.application import forever
from tests.support.client import connect, open_polling, poll, post, settle
from trio_socketio import BroadcastOperator, EngineConfig, Limits, Namespace, Server

CALM = EngineConfig(ping_interval=10_000)
"""No pings in the way."""


class TestName:
    def test_a_leading_slash_is_added_and_the_same_name_is_the_same_namespace(self):
        sio = Server()
        assert sio.namespace("chat") is sio.namespace("/chat")
        assert sio.namespace("chat").name == "/chat"
        assert sio.namespace("/chat/a b?x=1").name == "/chat/a b?x=1"
        assert sio.namespace("/Chat") is not sio.namespace("/chat")

    def test_the_root(self):
        sio = Server()
        assert sio.namespace("/").name == sio.namespace("").name == "/"
        assert sio.namespace("") is sio.namespace("/")

    @pytest.mark.parametrize("name", [None, 5, b"/chat", ["/chat"]])
    def test_it_is_text(self, name):
        with pytest.raises(TypeError, match="a namespace's name is text"):
            Server().namespace(name)

    @pytest.mark.parametrize(
        "name", ["/a,b", "a,b", "/a\nb", "/a\n", "\n", "/\x00", "/\x1f", "/\x7f", "/" + "x" * 255, "x" * 255]
    )
    def test_what_cannot_travel_is_refused(self, name):
        with pytest.raises(ValueError, match="can't be a namespace"):
            Server().namespace(name)

    def test_the_longest(self):
        assert len(Server().namespace("/" + "x" * 254).name) == 255
        short = Server(limits=Limits(max_name_length=5))
        assert short.namespace("abcd").name == "/abcd"
        with pytest.raises(ValueError, match="5 at most"):
            short.namespace("abcde")

    def test_it_is_read_only_and_only_the_library_makes_operators(self):
        namespace = Server().namespace("/chat")
        with pytest.raises(AttributeError):
            namespace.name = "/other"
        with pytest.raises(TypeError, match="no public constructor"):
            BroadcastOperator()

    @pytest.mark.parametrize("server", [None, "/chat", Server, Server().namespace("/other"), Server().to("room")])
    def test_it_is_made_of_a_server(self, server):
        with pytest.raises(TypeError, match="is not a Server: write Namespace"):
            Namespace(server, "/chat")

    def test_one_that_was_made_by_hand_is_a_way_to_the_same_namespace(self):
        sio = Server()
        chat = Namespace(sio, "chat")
        assert chat.name == "/chat" == sio.namespace("/chat").name
        with pytest.raises(TypeError, match="a namespace's name is text"):
            Namespace(sio, sio)
        with pytest.raises(ValueError, match="can't be a namespace"):
            Namespace(sio, "/a,b")

    async def test_repr_says_how_many(self, sio, autojump_clock):
        async with connect(sio, "40"):
            assert repr(sio.namespace("/")) == "<Server / with 1 sockets>"
            assert repr(sio.namespace("/chat")) == "<OpenNamespace /chat with 0 sockets>"
            assert repr(Namespace(sio, "/")) == "<Namespace / with 1 sockets>"

    def test_it_is_the_same_while_somebody_holds_it(self):
        sio = Server()
        assert sio.namespace("/") is sio
        chat = sio.namespace("/chat")
        chat.on("x")(forever)
        assert sio.namespace("chat") is chat
        del chat
        # Another one, maybe: what was registered is the namespace's, and is still there.
        with pytest.raises(ValueError, match="has a handler already"):
            sio.namespace("/chat").on("x")(forever)


class TestSockets:
    async def test_the_mapping_is_a_snapshot(self, sio, autojump_clock):
        before = sio.sockets
        async with connect(sio) as client:
            socket_id = await client.join()
            during = sio.sockets
            assert dict(before) == {}
            assert list(during) == [socket_id]
            assert during[socket_id].id == socket_id
            with pytest.raises(TypeError):
                during["x"] = None
            await client.put("41")
            assert list(during) == [socket_id]
            assert dict(sio.sockets) == {}

    async def test_it_may_be_walked_while_sockets_leave(self, sio, autojump_clock):
        async with connect(sio, "40"), connect(sio, "40"), connect(sio, "40"):
            for socket in sio.sockets.values():
                socket.disconnect()
            assert not sio.sockets

    async def test_each_namespace_has_its_own(self, sio, autojump_clock):
        chat = sio.namespace("/chat")
        async with connect(sio) as client:
            root, other = await client.join(), await client.join("/chat")
            assert (list(sio.sockets), list(chat.sockets)) == ([root], [other])
            assert sio.sockets[root] is sio.namespace("/").sockets[root]

    async def test_who_is_still_in_a_middleware_is_not_there(self, sio, autojump_clock):
        let_in = trio.Event()

        @sio.middleware
        async def wait(socket):
            await let_in.wait()

        async with connect(sio) as client:
            await client.put("40")
            assert not sio.sockets
            let_in.set()
            await settle()
            assert len(sio.sockets) == 1


async def test_its_handlers(sio, autojump_clock):
    chat, seen = sio.namespace("/chat"), []

    @chat.middleware
    async def check(socket):
        seen.append("middleware")

    @chat.on_connection
    async def connected(socket):
        seen.append("connection")

    @chat.on("x")
    async def x(socket):
        seen.append("event")
        raise ValueError

    @chat.on("y", concurrent=True)
    async def y(socket):
        seen.append("concurrent")

    @chat.on_error
    async def failed(socket, error, event):
        seen.append(f"error in {event}")

    @chat.on_disconnect
    async def gone(socket, reason):
        seen.append("disconnect")

    async with connect(sio, "40", "40/chat,") as client:
        await client.put('42["x"]', "41")
        assert seen == ["middleware", "connection"], "the others are for their own namespace"
        await client.put('42/chat,["x"]')
        await client.put('42/chat,["y"]')
        await client.put("41/chat,")
    assert seen == ["middleware", "connection", "event", "error in x", "concurrent", "disconnect"]


@pytest.fixture(params=["server", "namespace", "root"])
def target(request, sio):
    """The server, as namespace; another namespace; the namespace "/" by its name."""
    return {"server": sio, "namespace": sio.namespace("/n"), "root": sio.namespace("/")}[request.param]


class TestBroadcasts:
    async def test_whom_they_reach(self, sio, autojump_clock, target):
        name = "" if target is sio or target.name == "/" else "/n,"
        async with connect(sio, f"40{name}") as a, connect(sio, f"40{name}") as b, connect(sio, f"40{name}") as c:
            one, two, three = target.sockets.values()
            one.join("x", "y")
            two.join("x")
            three.join("z")
            for operator, expected in [
                (target, "abc"),
                (target.local, "abc"),
                (target.volatile, "abc"),
                (target.to("x"), "ab"),
                (target.to("x", "y"), "ab"),
                (target.in_("y"), "a"),
                (target.to("x").to("z"), "abc"),
                (target.to("x").in_("x").to("y"), "ab"),
                (target.to("nobody"), ""),
                (target.to("nobody", "z"), "c"),
                (target.to(one.id), "a"),
                (target.to(one.id, "x"), "ab"),
                (target.except_("x"), "c"),
                (target.except_("x", "z"), ""),
                (target.except_(one), "bc"),
                (target.except_(one.id), "bc"),
                (target.except_(one, two.id), "c"),
                (target.to("x").except_("y"), "b"),
                (target.to("x").except_(one).except_(two), ""),
                (target.except_("y").to("x", "z"), "bc"),
                (target.except_("nobody"), "abc"),
                (target.to(), "abc"),
                (target.local.volatile.to("x").except_("y"), "b"),
                (target.volatile.local.to("x").except_("y"), "b"),
            ]:
                await operator.emit("e", 1)
                operator.emit_nowait("e", 1)
                await settle()
                got = [(letter, client.get_waiting()) for letter, client in zip("abc", (a, b, c), strict=True)]
                # A second volatile event meets the first in the outbox.
                count = 1 if getattr(operator, "_target", None) is not None and operator._target.volatile else 2
                frames = [f'42{name}["e",1]'] * count
                assert got == [(letter, frames if letter in expected else []) for letter in "abc"]

    async def test_operators_are_values_that_steps_do_not_change(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            (socket,) = sio.sockets.values()
            everybody = sio.local
            for step in (everybody.to("nobody"), everybody.except_(socket), everybody.volatile, everybody.local):
                assert step is not everybody
            await everybody.emit("x")
            assert await client.get() == '42["x"]'

    @pytest.mark.parametrize("wrong", [5, None, b"room", ("a",)])
    def test_rooms_are_text(self, wrong):
        sio = Server()
        for choose in (sio.to, sio.in_, sio.namespace("/n").to, sio.local.to, sio.local.in_):
            with pytest.raises(TypeError, match="a room's name is text"):
                choose("fine", wrong)
        with pytest.raises((TypeError, AttributeError)):
            sio.except_(wrong)

    async def test_checkpoints_and_cancellation(self, sio, autojump_clock, target):
        for operator in (target, target.to("x"), target.local.volatile):
            with assert_checkpoints():
                await operator.emit("x")
            with assert_no_checkpoints():
                operator.emit_nowait("x")
            with trio.CancelScope() as scope:
                scope.cancel()
                await operator.emit("x")
            assert scope.cancelled_caught

    async def test_cancelled_it_has_sent_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            with trio.CancelScope() as scope:
                scope.cancel()
                await sio.emit("x")
            await settle()
            assert client.get_waiting() == []

    @pytest.mark.parametrize(
        "name", ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    )
    async def test_reserved_names(self, sio, autojump_clock, target, name):
        with pytest.raises(ValueError, match="reserved"):
            await target.emit(name)
        with pytest.raises(ValueError, match="reserved"):
            target.to("x").emit_nowait(name)

    async def test_what_cannot_be_sent_reaches_nobody(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            with pytest.raises(TypeError):
                await sio.emit("x", "fine", object())
            await settle()
            assert client.get_waiting() == []

    async def test_binary_reaches_all_on_both_transports(self, sio, autojump_clock):
        query, _ = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        async with connect(sio, "40") as client:
            await sio.emit("x", {"a": b"\x00\xff"})
            head = '451-["x",{"a":{"_placeholder":true,"num":0}}]'
            assert await client.get_all(2) == [head, b"\x00\xff"]
            assert (await poll(sio.engine, query)).body == head.encode() + b"\x1ebAP8="
        await post(sio.engine, query, b"1")


class TestTheSlow:
    async def test_a_slow_consumer_is_disconnected_while_others_get_theirs(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=4))
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append((socket.id, reason))

        async with sio.running(), connect(sio) as slow, connect(sio, "40") as a, connect(sio, "40") as b:
            slow_id = await slow.join()
            slow.reading = trio.Event()
            for number in range(50):
                await sio.emit("n", number)
                await settle()
            expected = [f'42["n",{number}]' for number in range(50)]
            assert a.get_waiting() == expected
            assert b.get_waiting() == expected
            assert reasons == [(slow_id, "slow consumer")]
            assert len(sio.sockets) == len(sio.engine.sessions) == 2
            assert trio.current_time() < 1, "nobody has waited"

    async def test_also_by_bytes(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_bytes=10_000))
        async with sio.running(), connect(sio, "40") as slow, connect(sio, "40") as quick:
            slow.reading = trio.Event()
            for _ in range(4):
                await sio.emit("x", b"x" * 6000)
                await settle()
            assert len(quick.get_waiting()) == 8
            assert len(sio.sockets) == 1

    async def test_all_namespaces_of_the_slow_client_end(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=2))
        sio.namespace("/b")
        async with sio.running(), connect(sio, "40", "40/b,") as slow:
            slow.reading = trio.Event()
            for _ in range(5):
                await sio.emit("x")
                await settle()
            assert not sio.sockets and not sio.namespace("/b").sockets

    async def test_volatile_events_are_dropped_and_the_client_kept(self, sio, autojump_clock):
        async with connect(sio, "40") as slow, connect(sio, "40") as quick:
            slow.reading = trio.Event()
            for number in range(50):
                await sio.volatile.emit("n", number)
                await settle()
            assert quick.get_waiting() == [f'42["n",{number}]' for number in range(50)]
            slow.reading.set()
            await settle()
            assert slow.get_waiting() == ['42["n",0]']
            assert len(sio.sockets) == 2

    async def test_a_client_that_is_closing_gets_nothing_and_disturbs_nobody(self, autojump_clock):
        sio = Server(CALM)
        sio.namespace("/b")
        async with sio.running(), connect(sio, "40", "40/b,") as closing, connect(sio, "40") as other:
            closing.reading = trio.Event()
            first, _ = sio.sockets.values()
            first.emit_nowait("held")
            await settle()
            first._life.session.close_gracefully("server shutting down")
            await sio.emit("x")
            assert await other.get() == '42["x"]'
            closing.reading.set()
            assert await closing.get_close() == ['42["held"]']


@pytest.mark.parametrize("seed", range(5))
async def test_a_broadcast_while_rooms_change(autojump_clock, seed):
    """Joins, leaves, arrivals and departures between any two broadcasts: each reaches exactly who is there."""
    sio = Server(CALM, limits=Limits(send_queue_packets=10_000))
    choose = random.Random(seed)

    @sio.on_connection
    async def member(socket):
        try:
            await trio.sleep_forever()
        finally:
            # A broadcast in the midst of a departure.
            sio.to("room").emit_nowait("left", socket.id)

    async with sio.running(), trio.open_nursery() as nursery:
        inside, gets, expected = set(), {}, {}
        leave = trio.Event()

        async def live():
            async with connect(sio) as client:
                socket_id = await client.join()
                gets[socket_id], expected[socket_id] = client, []
                await leave.wait()

        for _ in range(6):
            nursery.start_soon(live)
        await settle()
        for number in range(100):
            socket = choose.choice(list(sio.sockets.values()))
            match choose.randrange(12):
                case 0 if len(sio.sockets) > 2:
                    socket.disconnect()
                    inside.discard(socket.id)
                    await settle()
                    for member_id in inside:
                        expected[member_id].append(f'42["left","{socket.id}"]')
                    expected[socket.id].append("41")
                case 1 | 2 | 3 | 4 | 5:
                    socket.join("room")
                    inside.add(socket.id)
                case _:
                    socket.leave("room")
                    inside.discard(socket.id)
            sio.to("room").emit_nowait("n", number)
            for member_id in inside:
                expected[member_id].append(f'42["n",{number}]')
        await settle()
        assert {socket_id: client.get_waiting() for socket_id, client in gets.items()} == expected
        leave.set()
