"""Handlers of a single socket: they go before its namespace's, count for one client, and leave nothing behind."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import CALM, errors_of, socket_of
from tests.support.client import connect, settle
from trio_socketio import ConnectionRefused, Limits, Server


async def say_socket(socket, *args):
    return "socket"


async def say_namespace(socket, *args):
    return "namespace"


class TestOn:
    async def test_it_wins_over_the_namespaces_and_off_gives_that_back(self, sio, autojump_clock):
        sio.on("x")(say_namespace)
        async with connect(sio, "40") as client, connect(sio, "40") as other:
            first, _ = sio.sockets.values()
            await client.put('421["x"]')
            assert first.on("x")(say_socket) is say_socket
            await client.put('422["x"]')
            await other.put('423["x"]')
            first.off("x")
            await client.put('424["x"]')
            assert client.get_waiting() == ['431["namespace"]', '432["socket"]', '434["namespace"]']
            assert other.get_waiting() == ['433["namespace"]']

    async def test_what_the_namespace_gets_later_counts_for_sockets_with_handlers_of_their_own(
        self, sio, autojump_clock
    ):
        async with connect(sio, "40") as client:
            socket_of(sio).on("x")(say_socket)
            sio.on("y")(say_namespace)
            await client.put('421["y"]')
            sio.off("y")
            await client.put('422["y"]')
            assert client.get_waiting() == ['431["namespace"]']

    async def test_in_a_connection_handler_no_event_is_missed(self, sio, autojump_clock):
        @sio.on_connection
        async def member(socket):
            socket.on("x")(say_socket)

        async with connect(sio) as client:
            client.put_nowait("40")
            await client.get()
            await client.put('421["x"]')
            assert client.get_waiting() == ['431["socket"]']

    async def test_one_that_does_not_fit_hides_the_namespaces(self, sio, autojump_clock):
        sio.on("x")(say_namespace)
        async with connect(sio, "40") as client:

            @socket_of(sio).on("x")
            async def none(socket): ...

            await client.put('421["x",1]')
            (answer,) = client.get_waiting()
            assert answer.startswith('431[{"error":{"code":"invalid_arguments"')

    async def test_concurrent(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)

            @socket.on("slow", concurrent=True)
            async def slow(socket):
                await trio.sleep(1)
                return "slow"

            socket.on("x")(say_socket)
            await client.put('421["slow"]', '422["x"]')
            assert await client.get_all(2) == ['432["socket"]', '431["slow"]']

    async def test_mistakes(self, sio, autojump_clock):
        async with connect(sio, "40"):
            socket = socket_of(sio)
            sio.on("namespaces")(say_namespace)
            with pytest.raises(ValueError, match="no handler here: nothing to remove"):
                socket.off("namespaces")
            socket.on("x")(say_socket)
            for register in (socket.on, socket.once):
                with pytest.raises(ValueError, match="'x' has a handler already"):
                    register("x")(say_socket)
                with pytest.raises(TypeError, match="an event's name is text"):
                    register(5)
                with pytest.raises(ValueError, match="register with on_disconnect"):
                    register("disconnect")
                with pytest.raises(ValueError, match="'newListener' is reserved"):
                    register("newListener")
                with pytest.raises(TypeError, match="is not an async function"):
                    register("y")(print)
                with pytest.raises(TypeError, match="takes no arguments"):

                    @register("y")
                    async def y(): ...

            assert not hasattr(socket, "on_connection"), "a socket connects once, and is connected"

    async def test_it_ends_with_the_socket(self, sio, autojump_clock):
        sio.on("x")(say_namespace)
        async with connect(sio, "40") as client:
            socket_of(sio).on("x")(say_socket)
            await client.put("41")
            await client.put("40")
            await client.put('421["x"]')
            assert client.get_waiting()[1:] == ['431["namespace"]']

    async def test_registering_later_does_nothing_and_nothing_is_kept(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            await client.put("41")
            socket.on("x")(say_socket)
            socket.on_any_outgoing(print)
            assert not sio._namespaces.get("/")._watched

    async def test_in_a_middleware_that_then_refuses_nothing_is_kept(self, sio, autojump_clock):
        @sio.middleware
        async def refuse(socket):
            socket.on("x")(say_socket)
            socket.on_any_outgoing(lambda *args: None)
            raise ConnectionRefused("no")

        async with connect(sio) as client:
            await client.put("40")
            assert client.get_waiting() == ['44{"message":"no"}']
            assert not sio._namespaces.get("/")._watched

    async def test_in_a_middleware_they_count_once_it_is_connected(self, sio, autojump_clock):
        seen = []

        @sio.middleware
        async def prepare(socket):
            socket.on("x")(say_socket)
            socket.on_any_outgoing(lambda socket, event, *args: seen.append(event))

        async with connect(sio, "40") as client:
            await client.put('421["x"]')
            assert client.get_waiting() == ['431["socket"]']
            await sio.emit("news")
            assert seen == ["news"]


class TestOnce:
    async def test_only_once(self, sio, autojump_clock):
        sio.on("x")(say_namespace)
        async with connect(sio, "40") as client:
            assert socket_of(sio).once("x")(say_socket) is say_socket
            await client.put('421["x"]', '422["x"]', '423["x"]')
            assert client.get_waiting() == ['431["socket"]', '432["namespace"]', '433["namespace"]']

    async def test_concurrent(self, sio, autojump_clock):
        calls = []
        async with connect(sio, "40") as client:

            @socket_of(sio).once("x", concurrent=True)
            async def once(socket, number):
                calls.append(number)
                await trio.sleep(1)
                return number

            await client.put('421["x",1]', '422["x",2]')
            await trio.sleep(2)
            assert calls == [1]
            assert client.get_waiting() == ["431[1]"]

    async def test_concurrent_with_no_place_free_it_is_used_up_by_the_first(self, autojump_clock):
        sio = Server(CALM, limits=Limits(max_concurrent_handlers=1))

        @sio.on("busy", concurrent=True)
        async def busy(socket):
            await trio.sleep(1)

        async with sio.running(), connect(sio, "40") as client:
            socket_of(sio).once("x", concurrent=True)(say_socket)
            await client.put('42["busy"]', '421["x"]', '422["x"]')
            await trio.sleep(2)
            assert client.get_waiting() == ['431["socket"]']

    @pytest.mark.parametrize("concurrent", [False, True])
    async def test_an_event_that_does_not_fit_does_not_use_it_up(self, sio, autojump_clock, concurrent):
        async with connect(sio, "40") as client:

            @socket_of(sio).once("x", concurrent=concurrent)
            async def once(socket, number: int):
                return number

            await client.put('42["x"]', '42["x",2,2]', '42["x","two"]', '421["x"]', '423["x",3]', '424["x",4]')
            refused, answer = client.get_waiting()
            assert refused.startswith('431[{"error":{"code":"invalid_arguments"')
            assert answer == "433[3]"

    async def test_one_that_a_middleware_drops_does_not_use_it_up(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.once("x")(say_socket)

            @socket.packet_middleware
            async def drop(socket, event):
                if event[1:] == [1]:
                    raise ValueError("not this one")

            await client.put('421["x",1]', '422["x",2]', '423["x",3]')
            assert client.get_waiting() == ['432["socket"]']

    async def test_one_that_raises_is_used_up(self, sio, autojump_clock):
        errors = errors_of(sio)
        async with connect(sio, "40") as client:

            @socket_of(sio).once("x")
            async def fail(socket):
                raise ValueError

            await client.put('421["x"]', '422["x"]')
            assert client.get_waiting() == []
        assert [event for event, _ in errors] == ["x"]

    async def test_it_may_be_registered_again_inside_itself(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)

            async def again(socket, number):
                socket.once("x")(again)
                return number

            socket.once("x")(again)
            await client.put('421["x",1]', '422["x",2]')
            assert client.get_waiting() == ["431[1]", "432[2]"]

    async def test_off_takes_it_out(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            socket.once("x")(say_socket)
            socket.off("x")
            await client.put('421["x"]')
            assert client.get_waiting() == []
            with pytest.raises(ValueError, match="nothing to remove"):
                socket.off("x")


class TestOnError:
    async def test_beside_the_namespaces_and_behind_it(self, sio, autojump_clock):
        told = []

        @sio.on_error
        async def namespaces(socket, error, event):
            told.append(("namespace", event))

        @sio.on("x")
        async def fail(socket):
            raise ValueError

        async with connect(sio, "40") as client, connect(sio, "40") as other:
            first, _ = sio.sockets.values()

            @first.on_error
            async def own(socket, error, event):
                assert socket is first
                assert isinstance(error, ValueError)
                told.append(("socket", event))

            await client.put('42["x"]')
            assert told == [("namespace", "x"), ("socket", "x")]
            await other.put('42["x"]')
            assert told[2:] == [("namespace", "x")]

    async def test_it_is_told_of_the_connection_handlers_error(self, sio, autojump_clock):
        told = []

        @sio.on_connection
        async def member(socket):
            @socket.on_error
            async def own(socket, error, event):
                told.append((event, str(error)))

            raise ValueError("oops")

        async with connect(sio, "40"):
            await settle()
        assert told == [("connection", "oops")]
