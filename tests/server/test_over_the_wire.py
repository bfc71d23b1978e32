"""Joining, handlers, rooms, broadcasts, the end: the public API over the protocol, in virtual time."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from tests.support.client import connect, only_session, settle
from trio_socketio import CloseReason, ConnectionRefused, Disconnected, Limits, Server, TooManyPendingAcks


async def socket_of(sio, namespace="/"):
    await settle()
    (socket,) = sio.namespace(namespace).sockets.values()
    return socket


class TestConnect:
    async def test_auth_and_handshake(self, sio, autojump_clock):
        async with connect(sio, '40{"token":"x"}'):
            socket = await socket_of(sio)
            assert socket.auth == {"token": "x"}
            assert socket.handshake.query["transport"] == "websocket"
            assert socket.handshake.url.startswith("/socket.io/?EIO=4")
            assert (socket.handshake.secure, socket.handshake.cross_origin) == (False, False)
            assert socket.connected
            assert socket.transport == "websocket"
            assert socket.rooms == {socket.id}
            assert "connected" in repr(socket)
            assert len(socket.id) == 20
            assert socket.id not in sio.engine.sessions

    async def test_unknown_and_too_many_namespaces(self, sio, autojump_clock):
        for name in "abcd":
            sio.namespace(name)
        async with connect(sio, "40/a,", "40/b,", "40/c,") as client:
            await client.put("40/nope,", "40/d,")
            assert await client.get() == '44/nope,{"message":"Invalid namespace"}'
            assert await client.get() == '44/d,{"message":"Too many namespaces"}'

    @pytest.mark.parametrize(
        "packets",
        [
            ["40", "40"],
            ['42["early"]'],
            ["41"],
            ["430[]"],
            ["40", '44{"message":"x"}'],
            ["40", '42/other,["x"]'],
            ["40", '451-["x",{"_placeholder":true,"num":0}]', "40/y"],
            ["40", b"stray"],
            ["40", '42["disconnect"]'],
        ],
    )
    async def test_packets_that_close_the_client(self, sio, autojump_clock, packets):
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put(*packets)
            await client.get_close()
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_packets_for_a_namespace_that_the_server_has_just_ended_are_ignored(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            socket.disconnect()
            assert await client.get() == "41"
            await client.put('42["late"]', "430[]", "41", "40")
            assert (await client.get()).startswith('40{"sid"')

    async def test_nobody_joins(self, sio, autojump_clock):
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put("3")
            await client.get_close()
            assert session.close_reason in {CloseReason.FORCED_SERVER_CLOSE, CloseReason.PING_TIMEOUT}
            assert trio.current_time() == pytest.approx(45, abs=0.1)

    async def test_unfinished_attachments(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put('452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"one")
            with trio.move_on_after(29):
                await client.get_close()
            assert session.close_reason is None
            await client.put("3")
            await client.get_close()
            assert session.close_reason is CloseReason.FORCED_CLOSE


class TestMiddleware:
    async def test_order_and_refusal(self, sio, autojump_clock):
        ran = []

        @sio.middleware
        async def first(socket):
            ran.append("first")
            socket.join("rooms of the refused are left")

        @sio.middleware
        async def second(socket):
            ran.append("second")
            if socket.auth.get("token") != "s3cret":
                raise ConnectionRefused("bad token", {"code": 401})

        async with connect(sio) as client:
            await client.put("40")
            assert await client.get() == '44{"message":"bad token","data":{"code":401}}'
            assert ran == ["first", "second"]
            assert not sio.sockets
            await client.put('40{"token":"s3cret"}')
            assert (await client.get()).startswith('40{"sid"')
            await sio.to("rooms of the refused are left").emit("one")
            assert await client.get() == '42["one"]'
            assert client.get_waiting() == []

    async def test_without_data_and_a_crash(self, sio, autojump_clock, caplog):
        errors = []

        @sio.middleware
        async def check(socket):
            if "crash" in socket.auth:
                raise RuntimeError("secret detail")
            raise ConnectionRefused

        @sio.on_error
        async def failed(socket, error, event):
            errors.append((str(error), event))

        async with connect(sio) as client:
            await client.put("40")
            assert await client.get() == '44{"message":"Forbidden"}'
            await client.put('40{"crash":1}')
            assert await client.get() == '44{"message":"Internal server error"}'
        assert errors == [("secret detail", "middleware")]
        assert "secret detail" in caplog.text

    async def test_one_that_hangs_is_ended_by_the_connect_timeout(self, sio, autojump_clock):
        ended = []

        @sio.middleware
        async def hang(socket):
            assert not socket.connected
            with pytest.raises(RuntimeError):
                socket.nursery  # noqa: B018
            try:
                await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

        async with connect(sio) as client:
            await client.put("40")
            await client.put("3")
            await client.get_close()
        assert ended == [pytest.approx(45, abs=0.1)]


class TestHandlers:
    async def test_return_values_are_acknowledgements(self, sio, autojump_clock):
        answers = {"none": None, "one": 1, "several": (1, "2"), "binary": {"blob": b"x"}, "list": [1, 2]}
        for name, answer in answers.items():

            async def handler(socket, answer=answer):
                return answer

            sio.on(name)(handler)
        async with connect(sio, "40") as client:
            await client.put(
                '421["none"]', '422["one"]', '423["several"]', '424["list"]', '425["binary"]', '42["one"]', "3"
            )
            assert await client.get_all(6) == [
                "431[]",
                "432[1]",
                '433[1,"2"]',
                "434[[1,2]]",
                '461-5[{"blob":{"_placeholder":true,"num":0}}]',
                b"x",
            ]
            await settle()
            assert client.get_waiting() == []

    async def test_wrong_number_of_arguments_unknown_events_and_numbers(self, sio, autojump_clock):
        seen = []

        @sio.on("two")
        async def two(socket, first, second="default"):
            seen.append((first, second))

        @sio.on("7")
        async def seven(socket, *args):
            seen.append(args)

        async with connect(sio, "40") as client:
            await client.put(
                '42["two"]', '42["two",1]', '42["two",1,2]', '42["two",1,2,3]', '42["unknown"]', "42[7,8]", "42"
            )
            await settle()
        assert seen == [(1, "default"), (1, 2), (8,)]

    async def test_errors_are_contained(self, sio, autojump_clock, caplog):
        errors = []

        @sio.on("bad")
        async def bad(socket):
            raise ValueError("oops")

        @sio.on("good")
        async def good(socket):
            return "fine"

        @sio.on("unsendable")
        async def unsendable(socket):
            return object()

        @sio.on_error
        async def failed(socket, error, event):
            errors.append((type(error), event))
            raise RuntimeError("also in on_error")

        async with connect(sio, "40") as client:
            await client.put('421["bad"]', '422["unsendable"]', '423["good"]')
            assert await client.get() == '433["fine"]'
        assert errors == [(ValueError, "bad"), (TypeError, "unsendable")]
        assert "oops" in caplog.text
        assert "also in on_error" in caplog.text

    async def test_an_error_in_a_connection_handler_disconnects_that_socket_only(self, sio, autojump_clock):
        errors = []

        @sio.on_connection
        async def handler(socket):
            if socket.auth.get("bad"):
                await trio.sleep(1)
                raise ValueError("oops")

        @sio.on_error
        async def failed(socket, error, event):
            errors.append(event)

        async with connect(sio, "40") as good, connect(sio, '40{"bad":1}') as bad:
            assert await bad.get() == "41"
            assert errors == ["connection"]
            (socket,) = sio.sockets.values()
            await socket.emit("still here")
            assert await good.get() == '42["still here"]'

    async def test_errors_in_disconnect_handlers(self, sio, autojump_clock):
        ran = []

        @sio.on_disconnect
        async def first(socket, reason):
            raise ValueError

        @sio.on_disconnect
        async def second(socket, reason):
            ran.append(reason)

        @sio.on_error
        async def failed(socket, error, event):
            ran.append(event)

        async with connect(sio, "40") as client:
            await client.put("41")
            await settle()
        assert ran == ["disconnect", CloseReason.CLIENT_NAMESPACE_DISCONNECT]

    async def test_concurrent_handlers_overlap_up_to_the_limit(self, autojump_clock):
        running, most = 0, 0
        sio = Server(limits=Limits(max_concurrent_handlers=3))

        @sio.on("slow", concurrent=True)
        async def slow(socket):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await trio.sleep(1)
            running -= 1

        @sio.on("quick")
        async def quick(socket):
            return running

        async with sio.running(), connect(sio, "40") as client:
            await client.put(*['42["slow"]'] * 7, '421["quick"]')
            assert (await client.get()).startswith("431[")
            await trio.sleep(10)
            assert (running, most) == (0, 3)

    async def test_a_keyboard_interrupt_of_a_handler_is_not_swallowed(self, autojump_clock):
        sio = Server()

        @sio.on("stop")
        async def stop(socket):
            raise KeyboardInterrupt

        with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True):
            async with sio.running(), connect(sio, "40") as client:
                await client.put('42["stop"]')
                await trio.sleep_forever()

    @pytest.mark.parametrize("kind", ["middleware", "on_connection", "on_disconnect", "on_error"])
    def test_misuse_is_refused_at_registration(self, kind):
        sio = Server()
        register = getattr(sio, kind)
        with pytest.raises(TypeError, match="async def"):
            register(lambda *args: None)

        async def wrong(a, b, c, d, e): ...

        with pytest.raises(TypeError, match="can't be called with"):
            register(wrong)


class TestLife:
    async def test_finally_sees_rooms_and_reason_and_tells_the_others(self, sio, autojump_clock):
        seen = []

        @sio.on_connection
        async def member(socket):
            socket.join("lobby")
            try:
                await trio.sleep_forever()
            finally:
                seen.append((socket.rooms == {"lobby", socket.id}, socket.disconnect_reason, socket.connected))
                sio.to("lobby").emit_nowait("left", socket.id)

        async with connect(sio, "40") as other:
            async with connect(sio, "40") as client:
                await client.put("41")
                assert (await other.get()).startswith('42["left","')
        assert seen[0] == (True, "client namespace disconnect", False)
        assert client.get_waiting() == []

    async def test_the_nursery_of_a_socket(self, sio, autojump_clock):
        ended = []

        async def clock(socket):
            try:
                while True:
                    await trio.sleep(1)
                    await socket.emit("tick")
            finally:
                ended.append("clock")

        async def crash():
            raise ValueError("in a task of the socket")

        @sio.on_connection
        async def start(socket):
            socket.nursery.start_soon(clock, socket)

        @sio.on("crash")
        async def start_crash(socket):
            socket.nursery.start_soon(crash)

        async with connect(sio, "40") as client, connect(sio, "40") as other:
            assert await client.get() == '42["tick"]'
            await client.put('42["crash"]')
            while (message := await client.get()) != "41":
                assert message == '42["tick"]'
            assert ended == ["clock"]
            assert await other.get() == '42["tick"]'

    @pytest.mark.parametrize("close", [False, True])
    async def test_disconnect(self, sio, autojump_clock, close):
        reasons = []
        for namespace in (sio, sio.namespace("/b")):

            @namespace.on_disconnect
            async def gone(socket, reason):
                reasons.append((socket.namespace, str(reason)))

        @sio.on("bye")
        async def bye(socket):
            socket.emit_nowait("last words")
            socket.disconnect(close=close)
            socket.disconnect(close=close)
            await trio.sleep_forever()

        async with connect(sio, "40", "40/b,") as client:
            session = only_session(sio.engine)
            await client.put('42["bye"]')
            assert await client.get() == '42["last words"]'
            assert await client.get() == "41"
            if close:
                assert await client.get() == "41/b,"
                await client.get_close()
                await settle()
                assert sorted(reasons) == [("/", "server namespace disconnect"), ("/b", "server namespace disconnect")]
            else:
                await settle()
                assert reasons == [("/", "server namespace disconnect")]
                assert session.close_reason is None

    async def test_reasons_when_the_session_ends(self, sio, autojump_clock):
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append(str(reason))

        async with connect(sio, "40"):
            pass
        async with connect(sio, "40") as client:
            await client.put("2")
            await client.get_close()
        async with connect(sio, "40") as client:
            await client.put("x")
            await client.get_close()
        async with connect(sio, "40") as client:
            await client.get_close()
        assert reasons == ["transport close", "transport error", "parse error", "ping timeout"]

    async def test_leaving_running_ends_everybody(self, autojump_clock):
        sio = Server()
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(1)
            reasons.append(str(reason))

        @sio.on_connection
        async def stay(socket):
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            async with sio.running() as same:
                assert same is sio

                async def client():
                    async with connect(sio, "40") as stream:
                        await stream.get_close()

                nursery.start_soon(client)
                await settle()
                with pytest.raises(RuntimeError, match="running already"):
                    async with sio.running():
                        pass
        assert reasons == ["server shutting down"]
        assert not sio.sockets

    async def test_an_exception_of_the_block_comes_out_as_it_is(self, autojump_clock):
        sio = Server()
        with pytest.raises(LookupError, match="mine"):
            async with sio.running():
                raise LookupError("mine")
        with trio.move_on_after(1) as scope:
            async with sio.running():
                await trio.sleep_forever()
        assert scope.cancelled_caught


class TestEmit:
    async def test_waits_for_room_in_order(self, sio, autojump_clock):
        sent = []

        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            client.reading = trio.Event()

            async def emit_many():
                for number in range(30):
                    await socket.emit("n", number)
                    sent.append(number)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(emit_many)
                await settle()
                await settle()
                assert 0 < len(sent) < 30
                with pytest.raises(trio.WouldBlock):
                    socket.emit_nowait("no room")
                client.reading.set()
            assert await client.get_all(30) == [f'42["n",{number}]' for number in range(30)]

    async def test_to_one_that_leaves_meanwhile(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            client.reading = trio.Event()
            failed = []

            async def emit_many():
                with pytest.raises(Disconnected) as gone:
                    while True:
                        await socket.emit("n")
                failed.append(gone.value.reason)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(emit_many)
                await settle()
                client.cut()
        assert failed == ["transport close"]
        with pytest.raises(Disconnected):
            socket.emit_nowait("x")
        with pytest.raises(trio.BrokenResourceError):
            await socket.emit("x")
        with pytest.raises(Disconnected):
            await socket.call("x")
        socket.join("after the end nothing happens")
        assert socket.rooms == set()

    async def test_misuse(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = await socket_of(sio)
            for target in (socket, sio, sio.to("x")):
                with pytest.raises(ValueError, match="reserved"):
                    await target.emit("connect")
                with pytest.raises(TypeError, match="text"):
                    await target.emit(7)
                with pytest.raises(TypeError):
                    target.emit_nowait("x", object())
            cycle = []
            cycle.append(cycle)
            with pytest.raises(ValueError, match="nested"):
                await socket.emit("x", cycle)

    async def test_public_async_functions_are_checkpoints(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            for operation in (socket.emit, sio.emit, sio.to("nobody").emit, sio.namespace("/x").emit):
                with trio.testing.assert_checkpoints():
                    await operation("x")
            assert await client.get_all(2) == ['42["x"]'] * 2

    async def test_cancelled_it_has_sent_nothing(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            for operation in (socket.emit, sio.emit, socket.call):
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await operation("x")
                assert scope.cancelled_caught
            await settle()
            assert client.get_waiting() == []


class TestCall:
    async def test_answers(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            answers = {"430[]": None, "431[1]": 1, "432[1,2]": (1, 2)}
            for packet, expected in answers.items():
                results = []

                async def ask(results=results):
                    results.append(await socket.call("q"))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask)
                    await client.get()
                    await client.put(packet, packet)
                assert results == [expected]

    async def test_a_late_answer_is_dropped(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            with pytest.raises(trio.TooSlowError):
                with trio.fail_after(5):
                    await socket.call("q")
            await client.put("430[1]", "4399[1]")
            await settle()
            assert socket.connected

    async def test_ends_at_once_when_the_client_leaves(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            async with trio.open_nursery() as nursery:

                async def ask():
                    with pytest.raises(Disconnected, match="client namespace disconnect"):
                        await socket.call("q")

                nursery.start_soon(ask)
                await settle()
                await client.put("41")
            assert trio.current_time() < 1

    async def test_too_many(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = await socket_of(sio)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(socket.call, "one")
                nursery.start_soon(socket.call, "two")
                await settle()
                with pytest.raises(TooManyPendingAcks):
                    await socket.call("three")
                nursery.cancel_scope.cancel()


class TestRooms:
    async def test_operators(self, sio, autojump_clock):
        async with connect(sio, "40") as a, connect(sio, "40") as b, connect(sio, "40") as c:
            await settle()
            one, two, three = sio.sockets.values()
            one.join("x", "y")
            two.join("x")
            three.join("z")
            everything = {
                "x or y": (sio.to("x", "y"), "ab"),
                "x and then z": (sio.to("x").in_("z"), "abc"),
                "all but x": (sio.except_("x"), "c"),
                "all but one": (sio.except_(one), "bc"),
                "x but two": (sio.in_("x").except_(two.id), "a"),
                "nobody": (sio.to("nobody is there"), ""),
                "others in x": (one.to("x"), "b"),
                "others": (two.broadcast, "ac"),
                "others but z": (two.except_("z"), "a"),
                "others here": (two.local, "ac"),
                "all here": (sio.local, "abc"),
                "volatile": (sio.volatile, "abc"),
                "only me": (three.volatile, "c"),
                "all of it": (sio.namespace("/").to("x").local.volatile.except_("y"), "b"),
            }
            for name, (operator, expected) in everything.items():
                await operator.emit("e", name)
                await settle()
                got = {letter: client.get_waiting() for letter, client in zip("abc", (a, b, c), strict=True)}
                assert "".join(letter for letter, messages in got.items() if messages) == expected, name
                assert all(len(messages) <= 1 for messages in got.values()), name
            two.leave("x", "never joined")
            assert two.rooms == {two.id}

    async def test_joining(self, sio, autojump_clock):
        async with connect(sio, "40"), connect(sio, "40"):
            await settle()
            one, two = sio.sockets.values()
            with pytest.raises(TypeError, match="text"):
                one.join(5)
            with pytest.raises(ValueError, match="characters"):
                one.join("")
            with pytest.raises(ValueError, match="another socket"):
                one.join(two.id)
            one.join("a", "b", "c")
            with pytest.raises(ValueError, match="max_rooms_per_socket"):
                one.join("d")
            assert one.rooms == {one.id, "a", "b", "c"}
            with pytest.raises(TypeError, match="text"):
                sio.to(5)

    async def test_a_slow_consumer_is_disconnected_and_delays_nobody(self, sio, autojump_clock):
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append(str(reason))

        async with connect(sio, "40") as slow, connect(sio, "40") as quick:
            slow.reading = trio.Event()
            for number in range(12):
                await sio.emit("n", number)
                await settle()
            assert quick.get_waiting() == [f'42["n",{number}]' for number in range(12)]
            assert reasons == ["slow consumer"]
            slow.reading.set()

    async def test_volatile_is_dropped_for_the_slow(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = await socket_of(sio)
            client.reading = trio.Event()
            for number in range(100):
                await sio.volatile.emit("n", number)
                await settle()
            client.reading.set()
            await settle()
            assert client.get_waiting() == ['42["n",0]']
            assert socket.connected


class TestServer:
    def test_namespaces(self):
        sio = Server()
        assert sio.namespace("chat") is sio.namespace("/chat")
        assert sio.namespace("").name == "/"
        assert "/chat" in repr(sio.namespace("/chat"))
        with pytest.raises(TypeError):
            sio.namespace(5)
        for name in ("/a,b", "/a\nb", "/" + "x" * 255):
            with pytest.raises(ValueError, match="namespace"):
                sio.namespace(name)

    async def test_two_servers_do_not_know_each_other(self, autojump_clock):
        one, two = Server(), Server()
        async with one.running(), two.running(), connect(one, "40") as client, connect(two, "40") as other:
            await one.emit("x")
            assert await client.get() == '42["x"]'
            await settle()
            assert other.get_waiting() == []

    async def test_drain(self, autojump_clock):
        sio = Server()
        async with sio.running(), connect(sio, "40") as client:
            await sio.emit("before the end")
            await sio.drain()
            assert client.get_waiting() == ['42["before the end"]']
            assert await client.get_close() == []

    def test_nothing_public_can_be_made_by_hand(self):
        sio = Server()
        for cls in (type(sio.namespace("/")), type(sio.to("x"))):
            with pytest.raises(TypeError, match="no public constructor"):
                cls()


async def test_traces_are_printed_when_asked_for(autojump_clock, caplog):
    caplog.set_level(logging.DEBUG, logger="trio_socketio")
    sio = Server()

    @sio.on("x")
    async def x(socket):
        await socket.emit("y")

    async with sio.running(), connect(sio, "40") as client:
        (sid,) = sio.engine.sessions
        await client.put('42["x"]')
        await client.get()
        await client.put("4399[]")
        await settle()
    assert "received MESSAGE" in caplog.text
    assert "sends" in caplog.text
    assert sid not in caplog.text
