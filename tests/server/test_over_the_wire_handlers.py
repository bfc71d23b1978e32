"""Stories over the protocol, in virtual time: middlewares and handlers."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import connect, settle
from trio_socketio import CloseReason, ConnectionRefused, Limits, Server


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
                socket.nursery  # noqa: B018 - reading it raises
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
