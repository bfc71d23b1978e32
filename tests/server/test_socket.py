"""A socket, as the application sees it: what it knows, sends, asks, and where it is."""

from __future__ import annotations

import time

import pytest
import trio
from trio.testing import assert_checkpoints, assert_no_checkpoints

from tests.support.client import connect, only_session, open_polling, open_stream, poll, post, settle
from trio_socketio import Disconnected, EngineConfig, Handshake, Limits, Server, Socket, TooManyPendingAcks

CALM = EngineConfig(ping_interval=10_000)
"""No pings in the way."""

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


def socket_of(sio, namespace="/"):
    (socket,) = sio.namespace(namespace).sockets.values()
    return socket


async def fill(socket, client):
    """Stop the client from reading, and fill its queue until nothing more fits: the number that waits."""
    client.reading = trio.Event()
    socket.emit_nowait("in the writer's hands")
    await settle()
    count = 0
    while True:
        try:
            socket.emit_nowait("fill", count)
        except trio.WouldBlock:
            return count
        count += 1


class TestWhatItKnows:
    def test_only_the_library_makes_them(self):
        with pytest.raises(TypeError, match="no public constructor"):
            Socket()

    async def test_handshake_fields(self, sio, autojump_clock):
        before = time.time()
        headers = {"user-agent": "test", "cookie": "a=b", "origin": "http://a.example", "host": "a.example"}
        async with open_stream(sio.engine, "EIO=4&transport=websocket&room=a%20b&room=c&empty=", headers) as client:
            await client.get()
            await client.join(auth={"token": "x"})
            handshake = socket_of(sio).handshake
        assert isinstance(handshake, Handshake)
        assert handshake.headers == headers
        assert handshake.query == {"EIO": "4", "transport": "websocket", "room": "a b", "empty": ""}
        assert handshake.url == "/socket.io/?EIO=4&transport=websocket&room=a%20b&room=c&empty="
        assert handshake.address == "192.0.2.1"
        assert handshake.secure is False
        assert handshake.cross_origin is True
        assert before <= handshake.issued <= time.time()
        assert handshake.auth == {"token": "x"}
        for mapping in (handshake.headers, handshake.query):
            with pytest.raises(TypeError):
                mapping["x"] = "y"
        with pytest.raises(AttributeError):
            handshake.secure = True

    async def test_no_origin(self, sio, autojump_clock):
        async with connect(sio, "40"):
            assert socket_of(sio).handshake.cross_origin is False

    async def test_state_of_a_life(self, sio, autojump_clock):
        shown = []

        @sio.middleware
        async def joining(socket):
            shown.append((socket.connected, socket.disconnect_reason, socket.rooms, repr(socket)))

        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            shown.append((socket.connected, socket.disconnect_reason, socket.rooms, repr(socket)))
            await client.put("41")
            shown.append((socket.connected, socket.disconnect_reason, socket.rooms, repr(socket)))
        assert shown == [
            (False, None, frozenset(), f"<Socket {socket.id} of / joining>"),
            (True, None, {socket.id}, f"<Socket {socket.id} of / connected>"),
            (False, "client namespace disconnect", frozenset(), f"<Socket {socket.id} of / ended>"),
        ]

    async def test_data_is_its_own_and_stays_after_the_end(self, sio, autojump_clock):
        @sio.middleware
        async def note(socket):
            socket.data["user"] = socket.auth["name"]

        async with connect(sio, '40{"name":"ada"}') as client, connect(sio, '40{"name":"bob"}'):
            ada, bob = sio.sockets.values()
            assert (ada.data, bob.data) == ({"user": "ada"}, {"user": "bob"})
            await client.put("41")
            assert ada.data == {"user": "ada"}

    async def test_namespace_is_its_name(self, sio, autojump_clock):
        sio.namespace("/chat")
        async with connect(sio, "40/chat,"):
            assert socket_of(sio, "/chat").namespace == "/chat"

    async def test_transport_changes_with_the_upgrade(self, sio, autojump_clock):
        query, session = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        socket = socket_of(sio)
        assert socket.transport == "polling"
        async with open_stream(sio.engine, query.replace("polling", "websocket")) as client:
            await client.put("2probe", "5")
            assert socket.transport == "websocket"
            socket.emit_nowait("x")
            assert [await client.get(), await client.get()] == ["3probe", '42["x"]']

    async def test_its_nursery_is_open_while_it_is_connected(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.nursery.start_soon(socket.emit, "from a task")
            assert await client.get() == '42["from a task"]'
            await client.put("41")
            with pytest.raises(RuntimeError, match="not in a middleware, not after the disconnect"):
                socket.nursery  # noqa: B018

    async def test_it_takes_no_other_attributes(self, sio, autojump_clock):
        async with connect(sio, "40"):
            with pytest.raises(AttributeError):
                socket_of(sio).user = "ada"


class TestEmit:
    @pytest.mark.parametrize(
        ("args", "frames"),
        [
            ((), ['42["x"]']),
            ((1, "two", None, True, 1.5, [1], {"a": {}}), ['42["x",1,"two",null,true,1.5,[1],{"a":{}}]']),
            (("ü \u2028",), ['42["x","ü \u2028"]']),
            ((b"a",), ['451-["x",{"_placeholder":true,"num":0}]', b"a"]),
            (
                (bytearray(b"a"), memoryview(b"bb")),
                ['452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"a", b"bb"],
            ),
            (
                ({"deep": [b"a", {"er": b"b"}]},),
                ['452-["x",{"deep":[{"_placeholder":true,"num":0},{"er":{"_placeholder":true,"num":1}}]}]', b"a", b"b"],
            ),
            ((b"",), ['451-["x",{"_placeholder":true,"num":0}]', b""]),
        ],
    )
    async def test_on_the_wire(self, sio, autojump_clock, args, frames):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await socket.emit("x", *args)
            socket.emit_nowait("x", *args)
            await settle()
            assert client.get_waiting() == frames * 2

    async def test_in_a_namespace(self, sio, autojump_clock):
        sio.namespace("/chat")
        async with connect(sio, "40/chat,") as client:
            socket = socket_of(sio, "/chat")
            await socket.emit("x", b"a")
            assert await client.get_all(2) == ['451-/chat,["x",{"_placeholder":true,"num":0}]', b"a"]

    @pytest.mark.parametrize("name", RESERVED)
    async def test_reserved_names_raise(self, sio, autojump_clock, name):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            for send in (socket.emit, socket.call, socket.broadcast.emit, socket.to("room").emit, socket.volatile.emit):
                with pytest.raises(ValueError, match=f"'{name}' is reserved"):
                    await send(name)
            for send in (socket.emit_nowait, socket.broadcast.emit_nowait):
                with pytest.raises(ValueError, match="reserved"):
                    send(name)
            await client.put()
            assert client.get_waiting() == []

    async def test_names_are_text_and_arguments_can_be_sent(self, sio, autojump_clock):
        cycle = []
        cycle.append(cycle)
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            for send in (socket.emit, socket.call, socket.broadcast.emit):
                with pytest.raises(TypeError, match="name is text"):
                    await send(5)
                with pytest.raises(TypeError):
                    await send("x", object())
                with pytest.raises(ValueError, match="deep"):
                    await send("x", cycle)
            assert not socket._peer.acks, "a question that could not be sent is not owed an answer"
            await client.put()
            assert client.get_waiting() == []

    async def test_checkpoints(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            with assert_checkpoints():
                await socket.emit("x")
            with assert_checkpoints():
                await socket.broadcast.emit("x")
            with assert_checkpoints():
                await socket.volatile.emit("x")
            await settle()
            client.get_waiting()
            client.put_nowait("430[]")
            with assert_checkpoints():
                await socket.call("x")
            await client.put("41")
            for send in (socket.emit, socket.call):
                with assert_checkpoints(), pytest.raises(Disconnected):
                    await send("x")
            with assert_no_checkpoints():
                socket.join("nothing")
                socket.leave("nothing")
                socket.disconnect()
                socket.broadcast.emit_nowait("x")

    async def test_cancelled_it_has_sent_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            for send in (socket.emit, socket.call, sio.emit, socket.volatile.emit):
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await send("x")
                assert scope.cancelled_caught
            await settle()
            assert client.get_waiting() == []
            assert not socket._peer.acks

    async def test_it_waits_for_room_and_goes_on(self, sio, autojump_clock):
        done = []
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            waiting = await fill(socket, client)
            assert waiting == sio.limits.send_queue_packets

            async def emit():
                await socket.emit("late")
                done.append(trio.current_time())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(emit)
                await trio.sleep(5)
                assert not done
                client.reading.set()
            await settle()
            assert done == [pytest.approx(5)]
            expected = [
                '42["in the writer\'s hands"]',
                *[f'42["fill",{number}]' for number in range(waiting)],
                '42["late"]',
            ]
            assert client.get_waiting() == expected

    async def test_cancelled_while_it_waits_for_room_it_has_sent_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await fill(socket, client)
            for send in (socket.emit, socket.call):
                with trio.move_on_after(1) as scope:
                    await send("never")
                assert scope.cancelled_caught
            client.reading.set()
            await settle()
            assert not [frame for frame in client.get_waiting() if "never" in frame]
            assert not socket._peer.acks

    async def test_nowait_would_block_and_has_sent_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await fill(socket, client)
            with pytest.raises(trio.WouldBlock):
                socket.emit_nowait("never", b"binary")
            assert socket.connected
            client.reading.set()
            await settle()
            assert not [frame for frame in client.get_waiting() if "never" in str(frame)]

    @pytest.mark.parametrize("how", ["emit", "call"])
    async def test_the_client_leaves_while_it_waits_for_room(self, autojump_clock, how):
        sio = Server(CALM, limits=Limits(send_queue_packets=3, write_deadline=60))
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            await fill(socket, client)
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def send():
                    with pytest.raises(Disconnected, match="transport close") as caught:
                        await getattr(socket, how)("x")
                    assert caught.value.reason == "transport close"

                await settle()
                client.cut()
            assert trio.current_time() < 1

    async def test_only_its_namespace_is_left_while_it_waits_for_room(self, autojump_clock):
        # "Disconnected: the client is gone, also while this waits" - the session lives on, and its queue is still full.
        sio = Server(CALM, limits=Limits(send_queue_packets=3, write_deadline=60))
        sio.namespace("/b")
        async with sio.running(), connect(sio, "40", "40/b,") as client:
            socket = socket_of(sio)
            await fill(socket, client)
            ended = []
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def send():
                    with pytest.raises(Disconnected):
                        await socket.emit("x")
                    ended.append(trio.current_time())

                await settle()
                await client.put("41")
                assert not socket.connected
                await trio.sleep(5)
                client.reading.set()
            assert ended == [pytest.approx(0, abs=0.1)], "it waited on for the room of a queue that isn't its any more"

    async def test_after_the_end(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await client.put("41")
            for attempt in (socket.emit, socket.call):
                with pytest.raises(Disconnected, match="client namespace disconnect"):
                    await attempt("x")
            with pytest.raises(trio.BrokenResourceError):
                socket.emit_nowait("x")
            await socket.volatile.emit("x")
            await settle()
            assert client.get_waiting() == []

    async def test_binary_packets_are_never_interleaved(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=7, write_deadline=600))
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()

            async def send(number):
                await socket.emit("x", number, bytes([number]), [bytes([number, number])])

            async with trio.open_nursery() as nursery:
                for number in range(30):
                    nursery.start_soon(send, number)
                await settle()
                client.reading.set()
            await settle()
            frames = client.get_waiting()
            seen = []
            for head, first, second in zip(frames[::3], frames[1::3], frames[2::3], strict=True):
                number = int(head.removeprefix('452-["x",').partition(",")[0])
                assert (first, second) == (bytes([number]), bytes([number, number]))
                seen.append(number)
            assert sorted(seen) == list(range(30))

    async def test_a_packet_with_more_parts_than_the_queue_holds_can_be_sent(self, autojump_clock):
        sio = Server(CALM, limits=Limits(send_queue_packets=2))
        async with sio.running(), connect(sio, "40") as client:
            await socket_of(sio).emit("x", b"a", b"b", b"c")
            assert (await client.get_all(4))[1:] == [b"a", b"b", b"c"]


class TestVolatile:
    async def test_it_is_sent_to_this_one_only(self, sio, autojump_clock):
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            first, _ = sio.sockets.values()
            await first.volatile.emit("x", b"a")
            await settle()
            assert client.get_waiting() == ['451-["x",{"_placeholder":true,"num":0}]', b"a"]
            assert other.get_waiting() == []

    async def test_it_is_dropped_while_a_write_is_on_its_way(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()
            await socket.emit("kept")
            await settle()
            await socket.volatile.emit("dropped")
            client.reading.set()
            await settle()
            await socket.volatile.emit("sent")
            await settle()
            assert client.get_waiting() == ['42["kept"]', '42["sent"]']

    async def test_on_long_polling_it_needs_a_held_get(self, sio, autojump_clock):
        query, session = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        socket = socket_of(sio)
        await socket.volatile.emit("dropped")
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def get():
                assert (await poll(sio.engine, query)).body == b'42["sent"]'

            await settle()
            await socket.volatile.emit("sent")
        await post(sio.engine, query, b"1")
        assert session.closed.is_set()

    async def test_in_a_middleware_there_is_nobody_yet(self, sio, autojump_clock):
        @sio.middleware
        async def early(socket):
            await socket.volatile.emit("early")

        async with connect(sio) as client:
            await client.put("40")
            assert [frame[:2] for frame in client.get_waiting()] == ["40"]


class TestCall:
    @pytest.mark.parametrize(
        ("frames", "answer"),
        [
            (["430[]"], None),
            (["430[null]"], None),
            (["430[1]"], 1),
            (["430[[1,2]]"], [1, 2]),
            (['430[1,"two"]'], (1, "two")),
            (['461-0[{"_placeholder":true,"num":0}]', b"a"], b"a"),
        ],
    )
    async def test_the_answer(self, sio, autojump_clock, frames, answer):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            results = []

            async def ask():
                results.append(await socket.call("question", 1, b"blob"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                assert await client.get_all(2) == ['451-0["question",1,{"_placeholder":true,"num":0}]', b"blob"]
                await client.put(*frames)
            assert results == [answer]
            assert not socket._peer.acks

    async def test_answers_in_another_order_go_to_their_questions(self, sio, autojump_clock):
        results = {}
        async with connect(sio, "40") as client:
            socket = socket_of(sio)

            async def ask(name):
                results[name] = await socket.call(name)

            async with trio.open_nursery() as nursery:
                for name in ("a", "b"):
                    nursery.start_soon(ask, name)
                    await settle()
                assert await client.get_all(2) == ['420["a"]', '421["b"]']
                await client.put('431["to b"]', '430["to a"]')
        assert results == {"a": "to a", "b": "to b"}

    async def test_cancelled_and_late(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            with pytest.raises(trio.TooSlowError), trio.fail_after(5):
                await socket.call("one")
            assert not socket._peer.acks
            await client.put("430[1]", "430[1]", "4399[]")
            assert socket.connected
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def ask():
                    assert await socket.call("two") == "two"

                await settle()
                assert client.get_waiting() == ['420["one"]', '421["two"]'], "an id is never used again"
                await client.put('431["two"]')
            with trio.move_on_after(1):
                await socket.call("three")
            with trio.move_on_after(1):
                await socket.call("four")
            assert client.get_waiting() == ['422["three"]', '423["four"]']

    @pytest.mark.parametrize("ending", ["41", "1", "server", "cut"])
    async def test_it_ends_at_once_when_the_socket_ends(self, sio, autojump_clock, ending):
        reason = {
            "41": "client namespace disconnect",
            "1": "transport close",
            "server": "server namespace disconnect",
            "cut": "transport close",
        }[ending]
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def ask():
                    with pytest.raises(Disconnected) as caught:
                        await socket.call("question")
                    assert caught.value.reason == reason

                await settle()
                if ending == "server":
                    socket.disconnect()
                elif ending == "cut":
                    client.cut()
                else:
                    await client.put(ending)
            assert trio.current_time() < 1
            assert not socket._peer.acks

    async def test_too_many(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(socket.call, "one")
                nursery.start_soon(socket.call, "two")
                await settle()
                client.get_waiting()
                with pytest.raises(TooManyPendingAcks, match=r"Limits\.max_pending_acks"):
                    await socket.call("three")
                await client.put()
                assert client.get_waiting() == []
                await client.put("430[]")
                nursery.start_soon(socket.call, "four")
                await settle()
                assert client.get_waiting() == ['422["four"]']
                await client.put("431[]", "432[]")

    async def test_the_bound_is_each_sockets_own(self, sio, autojump_clock):
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client, trio.open_nursery() as nursery:
            for namespace in ("/", "/b"):
                for _ in range(2):
                    nursery.start_soon(socket_of(sio, namespace).call, "x")
            await settle()
            assert sorted(client.get_waiting()) == ['42/b,0["x"]', '42/b,1["x"]', '420["x"]', '421["x"]']
            await client.put("430[]", "431[]", "43/b,0[]", "43/b,1[]")

    async def test_answers_of_another_namespace_settle_nothing(self, sio, autojump_clock):
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client, trio.open_nursery() as nursery:

            @nursery.start_soon
            async def ask():
                assert await socket_of(sio).call("x") == "right"

            await settle()
            await client.put('43/b,0["wrong"]', '430["right"]')


class TestRooms:
    async def test_join_and_leave(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            socket.join("a", "b")
            socket.join("a")
            socket.join()
            assert socket.rooms == {socket.id, "a", "b"}
            rooms = socket.rooms
            socket.leave("a", "never joined")
            socket.leave()
            assert socket.rooms == {socket.id, "b"}
            assert rooms == {socket.id, "a", "b"}, "a snapshot"

    @pytest.mark.parametrize("room", [None, 5, b"bytes", ["list"]])
    async def test_names_are_text(self, sio, autojump_clock, room):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            with pytest.raises(TypeError, match="a room's name is text"):
                socket.join("fine", room)
            assert socket.rooms == {socket.id}, "all or nothing"

    async def test_length_of_names(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            for room in ("", "x" * 256):
                with pytest.raises(ValueError, match="1 to 255 characters"):
                    socket.join("fine", room)
            assert socket.rooms == {socket.id}
            socket.join("x" * 255)

    async def test_the_room_of_another_socket_is_its_alone(self, sio, autojump_clock):
        async with connect(sio, "40"), connect(sio, "40"):
            one, two = sio.sockets.values()
            with pytest.raises(ValueError, match="id of another socket"):
                one.join(two.id)
            one.join(one.id)

    async def test_at_most_so_many(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            socket.join("a", "b")
            with pytest.raises(ValueError, match=r"Limits\.max_rooms_per_socket"):
                socket.join("c", "d")
            assert socket.rooms == {socket.id, "a", "b"}
            socket.join("a", "b", "c")
            with pytest.raises(ValueError, match=r"Limits\.max_rooms_per_socket"):
                socket.join("d")
            socket.leave("a")
            socket.join("d")

    async def test_after_the_end_join_does_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.join("a")
            await client.put("41")
            socket.join("b")
            socket.leave("a")
            assert socket.rooms == frozenset()
            assert not sio._members["/"].adapter._rooms._rooms

    async def test_rooms_of_namespaces_are_apart(self, sio, autojump_clock):
        chat = sio.namespace("/chat")
        async with connect(sio, "40", "40/chat,") as client:
            socket_of(sio).join("room")
            await chat.to("room").emit("x")
            await sio.to("room").emit("y")
            assert await client.get() == '42["y"]'


class TestToOthers:
    async def test_the_sender_is_excluded(self, sio, autojump_clock):
        async with connect(sio, "40") as a, connect(sio, "40") as b, connect(sio, "40") as c:
            one, two, three = sio.sockets.values()
            for socket in (one, two):
                socket.join("x")
            two.join("y")
            three.join("y")
            for operator, expected in [
                (one.to("x"), "b"),
                (one.in_("x"), "b"),
                (one.to("x", "y"), "bc"),
                (one.to("x").to("y"), "bc"),
                (one.broadcast, "bc"),
                (one.local, "bc"),
                (one.except_("y"), ""),
                (two.except_("y"), "a"),
                (one.except_(two), "c"),
                (one.except_(two.id), "c"),
                (two.to("x", "y").except_(three), "a"),
                (one.to(one.id), ""),
                (one.to(two.id), "b"),
                (one.broadcast.volatile, "bc"),
                (one.to(), "bc"),
            ]:
                await operator.emit("e")
                await settle()
                got = [
                    (name, frames)
                    for name, client in zip("abc", (a, b, c), strict=True)
                    if (frames := client.get_waiting())
                ]
                assert got == [(name, ['42["e"]']) for name in expected]

    async def test_operators_are_values(self, sio, autojump_clock):
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            one, two = sio.sockets.values()
            two.join("x")
            everybody = one.broadcast
            everybody.to("nobody's room").except_(two)
            await everybody.emit("e")
            assert await other.get() == '42["e"]'
            assert client.get_waiting() == []


class TestTheEnd:
    async def test_disconnect_tells_the_client_after_what_was_sent(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.emit_nowait("last", b"words")
            socket.disconnect()
            assert not socket.connected
            assert socket.disconnect_reason == "server namespace disconnect"
            assert not sio.sockets
            await settle()
            assert client.get_waiting() == ['451-["last",{"_placeholder":true,"num":0}]', b"words", "41"]
            socket.disconnect()
            await settle()
            assert client.get_waiting() == []
            assert only_session(sio.engine).close_reason is None

    async def test_no_broadcast_reaches_it_once_disconnect_has_returned(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.disconnect()
            sio.emit_nowait("x")
            sio.to(socket.id).emit_nowait("y")
            await settle()
            assert client.get_waiting() == ["41"]

    async def test_disconnect_close(self, sio, autojump_clock):
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client:
            root, other = socket_of(sio), socket_of(sio, "/b")
            other.emit_nowait("last words")
            root.disconnect(close=True)
            root.disconnect(close=True)
            assert (root.connected, other.connected) == (False, False)
            assert root.disconnect_reason == other.disconnect_reason == "server namespace disconnect"
            assert await client.get_close() == ['42/b,["last words"]', "41", "41/b,"]
            assert not sio.engine.sessions

    async def test_disconnect_close_after_the_socket_itself_has_left(self, sio, autojump_clock):
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client:
            root = socket_of(sio)
            await client.put("41")
            root.disconnect(close=True)
            assert await client.get_close() == ["41/b,"]

    async def test_a_client_that_does_not_take_the_news_is_cut_off_in_time(self, autojump_clock):
        sio = Server(CALM, limits=Limits(close_timeout=3, write_deadline=60))
        async with sio.running(), connect(sio, "40") as client:
            socket = socket_of(sio)
            client.reading = trio.Event()
            socket.emit_nowait("x")
            socket.disconnect(close=True)
            await trio.sleep(2.9)
            assert sio.engine.sessions
            await trio.sleep(0.2)
            assert not sio.engine.sessions
