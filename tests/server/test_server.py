"""The server as a whole: made without a loop, run once at a time, drained, ended; nothing is left of it."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import assert_checkpoints

from tests.support.client import connect, only_session, open_polling, poll, post, request, settle
from trio_socketio import EngineConfig, JSONParser, Limits, LocalAdapter, Server
from trio_socketio._engine.server import Admission

CALM = EngineConfig(ping_interval=10_000)
"""No pings in the way."""


class TestMaking:
    def test_it_needs_no_event_loop(self):
        with pytest.raises(RuntimeError):
            trio.lowlevel.current_task()
        sio = Server()

        @sio.on("x")
        async def x(socket): ...

        @sio.namespace("/chat").middleware
        async def check(socket): ...

        sio.to("room").emit_nowait("nobody is there")
        assert not sio.sockets
        assert not sio.engine.is_running

    def test_settings(self):
        config, limits = EngineConfig(path="/other"), Limits(max_namespaces=5)
        sio = Server(config, limits=limits)
        assert sio.config is config
        assert sio.limits is limits
        assert sio.engine.config is config
        assert Server().config == EngineConfig()
        assert Server().limits == Limits()
        for name in ("config", "limits", "engine", "sockets"):
            with pytest.raises(AttributeError):
                setattr(sio, name, None)

    def test_settings_are_not_shared(self):
        assert Server(CALM).config is not Server().config
        assert Server().namespace("/a") is not Server().namespace("/a")

    def test_client_files_must_be_there(self, tmp_path):
        with pytest.raises(ValueError, match=r"socket\.io|bundle"):
            Server(client_files=tmp_path)

    async def test_client_files_are_served(self, autojump_clock, tmp_path):
        (tmp_path / "socket.io.min.js").write_text("// the client")
        for folder in (tmp_path, str(tmp_path)):
            sio = Server(client_files=folder)
            asked = request("")
            file = type(asked)(method="GET", path="/socket.io/socket.io.min.js")
            response = await sio.engine.handle_http(file, None)
            assert (response.status, response.body) == (200, b"// the client")

    async def test_each_namespace_gets_an_adapter_of_its_own(self, autojump_clock):
        made = []

        def adapter(sockets):
            made.append(sockets.name)
            return LocalAdapter(sockets)

        sio = Server(adapter=adapter)
        sio.namespace("/chat")
        sio.namespace("chat")
        assert made == ["/", "/chat"]

    async def test_another_parser(self, autojump_clock):
        class Shouting:
            """A parser whose events are in capitals."""

            def encode(self, packet):
                return [
                    part.upper() if isinstance(part, str) and part[0] == "2" else part
                    for part in JSONParser().encode(packet)
                ]

            def decoder(self, limits):
                return JSONParser().decoder(limits)

        sio = Server(parser=Shouting())
        async with sio.running(), connect(sio, "40") as client:
            await sio.emit("hello")
            assert await client.get() == '42["HELLO"]'


class TestRunning:
    async def test_it_gives_the_server_and_ends_everybody(self, autojump_clock):
        sio = Server(CALM)
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append(reason)

        async with sio.running() as same:
            assert same is sio
            assert sio.engine.is_running
            query, session = await open_polling(sio.engine)
            await post(sio.engine, query, b"40")
            await poll(sio.engine, query)
        assert reasons == ["server shutting down"]
        assert not sio.engine.is_running
        assert not sio.engine.sessions
        assert not sio.sockets
        assert session.closed.is_set()

    async def test_once_at_a_time(self, autojump_clock):
        sio = Server()
        async with sio.running():
            with pytest.raises(RuntimeError, match="running already"):
                async with sio.running():
                    pass
            async with connect(sio, "40"):
                pass
        async with sio.running(), connect(sio, "40"):
            pass

    @pytest.mark.parametrize("error", [ValueError("plain"), KeyboardInterrupt(), trio.TooSlowError()])
    async def test_an_exception_of_the_block_comes_out_as_it_is(self, autojump_clock, error):
        sio = Server(CALM)
        with pytest.raises(type(error)) as caught:
            async with sio.running():
                query, _ = await open_polling(sio.engine)
                await post(sio.engine, query, b"40")
                raise error
        assert caught.value is error
        assert not sio.engine.sessions

    async def test_cancelled_from_outside(self, autojump_clock):
        sio = Server(CALM)
        with trio.move_on_after(10) as scope:
            async with sio.running():
                await open_polling(sio.engine)
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(10)
        assert not sio.engine.sessions

    async def test_disconnect_handlers_that_hang_do_not_hold_it(self, autojump_clock):
        sio = Server(CALM, limits=Limits(disconnect_timeout=4))

        @sio.on_disconnect
        async def hang(socket, reason):
            await trio.sleep_forever()

        async with sio.running():
            query, _ = await open_polling(sio.engine)
            await post(sio.engine, query, b"40")
            await settle()
            began = trio.current_time()
        assert trio.current_time() - began == pytest.approx(4, abs=0.1)

    async def test_a_handler_that_shields_itself_is_waited_for(self, autojump_clock):
        # Ours is to cancel; what an application shields is its own decision, and nothing is orphaned.
        sio, ended = Server(CALM), []

        @sio.on_connection
        async def stubborn(socket):
            with trio.CancelScope(shield=True):
                await trio.sleep(60)
            ended.append(trio.current_time())

        async with sio.running():
            query, _ = await open_polling(sio.engine)
            await post(sio.engine, query, b"40")
            await settle()
        assert ended == [pytest.approx(60)]

    async def test_nobody_runs_it(self, autojump_clock, caplog):
        sio = Server()
        response = await poll(sio.engine, "EIO=4&transport=polling")
        assert response.status == 503
        assert not isinstance(await sio.engine.admit(request("EIO=4&transport=websocket")), Admission)
        assert "enter Server.running()" in caplog.text


class TestDrain:
    async def test_what_waits_is_delivered(self, autojump_clock):
        sio = Server(CALM)
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append(reason)

        async with sio.running(), connect(sio, "40") as client:
            await sio.emit("before the end", b"a")
            await sio.drain()
            head = '451-["before the end",{"_placeholder":true,"num":0}]'
            assert await client.get_close() == [head, b"a"]
            await settle()
            assert reasons == ["server shutting down"]
            assert not sio.engine.sessions

    async def test_new_clients_are_refused(self, autojump_clock):
        sio = Server(CALM)
        async with sio.running():
            await sio.drain()
            assert (await poll(sio.engine, "EIO=4&transport=polling")).status == 503
            assert not isinstance(await sio.engine.admit(request("EIO=4&transport=websocket")), Admission)

    async def test_it_is_a_checkpoint_with_and_without_clients(self, autojump_clock):
        sio = Server(CALM)
        async with sio.running(), connect(sio, "40"):
            with assert_checkpoints():
                await sio.drain()
            with assert_checkpoints():
                await sio.drain()

    async def test_how_long_it_may_take_is_the_callers_to_say(self, autojump_clock):
        sio = Server(CALM, limits=Limits(close_timeout=30, write_deadline=60))
        async with sio.running(), connect(sio, "40") as client:
            client.reading = trio.Event()
            await sio.emit("held")
            await settle()
            with trio.move_on_after(2) as scope:
                await sio.drain()
            assert scope.cancelled_caught
            assert trio.current_time() == pytest.approx(2, abs=0.1)

    async def test_a_client_that_does_not_read_is_cut_off_in_time(self, autojump_clock):
        sio = Server(CALM, limits=Limits(close_timeout=3, write_deadline=60))
        async with sio.running(), connect(sio, "40") as client, connect(sio, "40") as quick:
            client.reading = trio.Event()
            await sio.emit("x")
            await settle()
            await sio.drain()
            assert trio.current_time() == pytest.approx(3, abs=0.1)
            assert await quick.get_close() == ['42["x"]']


async def test_two_servers_in_one_process_know_nothing_of_each_other(autojump_clock):
    one, two = Server(CALM), Server(CALM)

    @one.on("who")
    async def who(socket):
        return "one"

    async with one.running(), two.running(), connect(one, "40") as client, connect(two, "40") as other:
        (first,), (second,) = one.sockets.values(), two.sockets.values()
        assert first.id not in two.sockets
        first.join("room")
        second.join("room")
        second.join(first.id)  # For the other server it is a name like any.
        for emit in (
            one.emit,
            one.to("room").emit,
            first.broadcast.emit,
            one.to(first.id).emit,
            one.to(second.id).emit,
        ):
            await emit("x")
        await settle()
        assert client.get_waiting() == ['42["x"]'] * 3
        assert other.get_waiting() == []
        await other.put('421["who"]')
        assert other.get_waiting() == []
        response = await poll(two.engine, f"EIO=4&transport=polling&sid={only_session(one.engine).sid}")
        assert response.status == 400
        await one.drain()
        assert len(two.sockets) == 1


def test_names_of_namespaces_are_checked():
    sio = Server()
    assert sio.namespace("chat") is sio.namespace("/chat")
    with pytest.raises(TypeError, match="is text"):
        sio.namespace(5)
    with pytest.raises(ValueError, match="no commas"):
        sio.namespace("/a,b")


async def test_the_servers_operators_are_those_of_its_root_namespace(sio, autojump_clock):
    async with connect(sio, "40") as a, connect(sio, "40") as b:
        one, two = sio.sockets.values()
        one.join("x")
        for operator, expected in [
            (sio, "ab"),
            (sio.to("x"), "a"),
            (sio.in_("x"), "a"),
            (sio.except_("x"), "b"),
            (sio.except_(two), "a"),
            (sio.local, "ab"),
            (sio.volatile, "ab"),
        ]:
            await operator.emit("e")
            await settle()
            assert [bool(client.get_waiting()) for client in (a, b)] == ["a" in expected, "b" in expected]
        sio.emit_nowait("e")
        await settle()
        assert a.get_waiting() == b.get_waiting() == ['42["e"]']


async def test_the_server_is_its_root_namespace(sio, autojump_clock):
    root = sio.namespace("/")
    seen = []

    @root.on_connection
    async def connected(socket):
        seen.append("connection")

    @sio.middleware
    async def check(socket):
        seen.append("middleware")

    @root.on("x")
    async def x(socket):
        raise ValueError

    @sio.on_error
    async def failed(socket, error, event):
        seen.append(event)

    @sio.on_disconnect
    async def gone(socket, reason):
        seen.append("disconnect")

    async with connect(sio, "40") as client:
        await client.put('42["x"]')
        assert dict(sio.sockets) == dict(root.sockets)
        await client.put("41")
    assert seen == ["middleware", "connection", "x", "disconnect"]


async def test_a_server_in_debug_tells_of_joins_but_no_secrets(autojump_clock, caplog):
    caplog.set_level(logging.DEBUG, logger="trio_socketio")
    sio = Server(CALM)
    async with sio.running(), connect(sio, "40") as client:
        sid = only_session(sio.engine).sid
        (socket,) = sio.sockets.values()
        await client.put("41")
    assert f"/: {socket.id} joined" in caplog.text
    assert f"/: {socket.id} left, client namespace disconnect" in caplog.text
    assert sid not in caplog.text


async def test_a_server_is_silent_when_all_goes_well(autojump_clock, caplog):
    caplog.set_level(logging.INFO, logger="trio_socketio")
    sio = Server(CALM)

    @sio.on("x")
    async def x(socket):
        return 1

    async with sio.running(), connect(sio, "40") as client:
        await client.put('421["x"]', "41")
    assert not caplog.records
