"""From one connection to the next: back-off, recovery, refusals, and ends."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import ConnectionRefused, ConnectionStateRecovery, Disconnected, Server
from trio_socketio.testing import Backoff, ExpectationFailed, open_memory_server


async def test_it_comes_back_after_the_back_off(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client(backoff=Backoff(jitter=0)) as socket:
        first = socket.id
        began = trio.current_time()
        socket.link.abort()
        await socket.wait_disconnected()
        await socket.wait_connected()
        assert trio.current_time() - began == 1
        assert socket.id != first
        assert not socket.recovered
        assert socket.disconnect_reason is None


async def test_it_tries_again_and_again_with_longer_waits(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client(backoff=Backoff(jitter=0)) as socket:
        await server.drop()
        began = trio.current_time()
        await socket.wait_disconnected()
        await trio.sleep(12.5)  # attempts after 1, 3, 7, 12 seconds
        await server.restart()
        await socket.wait_connected()
        assert trio.current_time() - began == 17


async def test_the_waits_begin_anew_once_it_was_connected(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client(backoff=Backoff(jitter=0)) as socket:
        for _ in range(3):
            began = trio.current_time()
            socket.link.cut()
            await socket.wait_disconnected()
            await socket.wait_connected()
            assert trio.current_time() - began == 1


async def test_a_seed_decides_the_waits(autojump_clock):
    async def waits(seed):
        async with open_memory_server(Server()) as server, server.open_client(backoff=Backoff(seed=seed)) as socket:
            began = trio.current_time()
            socket.link.cut()
            await socket.wait_disconnected()
            await socket.wait_connected()
            return trio.current_time() - began

    assert await waits(1) == pytest.approx(await waits(1))
    assert await waits(1) != pytest.approx(await waits(2))


async def test_it_gives_up_after_so_many_attempts(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client(reconnection_attempts=2) as socket:
        await server.drop()
        with pytest.raises(ConnectionRefusedError, match="was dropped"):
            await socket.wait_connected()
        await server.restart()
        await trio.sleep(60)
        assert not socket.connected
        socket.connect()
        await socket.wait_connected()


async def test_without_reconnection_it_stays_away_until_told(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client(reconnection=False) as socket:
        socket.link.cut()
        with pytest.raises(ExpectationFailed, match=r"call socket.connect\(\)"):
            await socket.wait_connected()
        with pytest.raises(Disconnected, match="transport"):
            await socket.emit("x")
        socket.connect()
        await socket.wait_connected()
        with pytest.raises(RuntimeError, match="connected already"):
            socket.connect()


async def test_connect_shortens_the_wait(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client() as socket:
        began = trio.current_time()
        socket.link.cut()
        await socket.wait_disconnected()
        socket.connect()
        await socket.wait_connected()
        assert trio.current_time() == began


async def test_the_server_disconnects(autojump_clock):
    sio = Server()

    @sio.on("leave")
    async def leave(socket):
        await socket.emit("last")
        socket.disconnect()

    async with open_memory_server(sio) as server, server.open_client() as socket:
        await socket.emit("leave")
        await socket.expect("last")
        assert await socket.wait_disconnected() == "io server disconnect"
        await trio.sleep(60)
        assert not socket.connected
        assert len(sio.engine.sessions) == 0


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
async def test_the_client_disconnects_behind_what_it_has_sent(autojump_clock, transports):
    sio = Server()
    seen = []

    @sio.on("last")
    async def last(socket):
        seen.append("last")

    @sio.on_disconnect
    async def note(socket, reason):
        seen.append(reason)

    async with open_memory_server(sio) as server, server.open_client(transports=transports) as socket:
        await socket.emit("last")
        socket.disconnect()
        assert not socket.connected
        assert socket.disconnect_reason == "io client disconnect"
        socket.disconnect()
        await trio.sleep(60)
        assert seen[-1] == "client namespace disconnect"
        assert len(sio.engine.sessions) == 0
        assert not socket.connected


async def test_disconnect_while_it_waits_to_come_back(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client() as socket:
        socket.link.cut()
        await socket.wait_disconnected()
        socket.disconnect()
        await trio.sleep(60)
        assert not socket.connected
        socket.connect()
        await socket.wait_connected()


async def test_disconnect_while_it_connects(autojump_clock):
    async with open_memory_server(Server()) as server, server.open_client(reconnection=False) as socket:
        socket.link.cut()
        await socket.wait_disconnected()
        for steps in range(20):
            socket.connect()
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            socket.disconnect()
            await trio.sleep(60)
            assert not socket.connected
        assert len(server.sio.engine.sessions) == 0


async def test_what_was_missed_comes_after_a_recovery(autojump_clock):
    sio = Server(recovery=ConnectionStateRecovery())
    async with open_memory_server(sio) as server, server.open_client(transports=("websocket",)) as socket:
        await sio.emit("n", 0)
        await socket.expect("n", 0)
        first = socket.id
        socket.link.abort()
        await socket.wait_disconnected()
        await sio.emit("n", 1, "text")
        await sio.emit("n", b"bytes")
        await socket.wait_connected()
        assert (socket.recovered, socket.id) == (True, first)
        await socket.expect("n", 1, "text")
        await socket.expect("n", b"bytes")
        await socket.expect_nothing(within=1)


async def test_a_question_keeps_its_last_argument_with_recovery(autojump_clock):
    sio = Server(recovery=ConnectionStateRecovery())
    async with open_memory_server(sio) as server, server.open_client() as socket:

        @socket.on("ask")
        async def echo(client, *args):
            return args

        (ours,) = sio.sockets.values()
        assert await ours.call("ask", "a", "b") == ("a", "b")


async def test_a_recovery_that_comes_too_late(autojump_clock):
    sio = Server(recovery=ConnectionStateRecovery(max_disconnection_duration=120))
    async with open_memory_server(sio) as server, server.open_client(transports=("websocket",)) as socket:
        first = socket.id
        socket.link.refuse()
        socket.link.cut()
        await socket.wait_disconnected()
        await trio.sleep(121)
        socket.link.accept()
        await socket.wait_connected()
        assert not socket.recovered
        assert socket.id != first


async def test_a_client_that_has_left_does_not_recover(autojump_clock):
    async with open_memory_server(Server(recovery=ConnectionStateRecovery())) as server, server.open_client() as socket:
        socket.disconnect()
        await socket.wait_disconnected()
        await trio.sleep(5)
        socket.connect()
        await socket.wait_connected()
        assert not socket.recovered


async def test_a_refusal_has_message_and_data(autojump_clock):
    sio = Server()

    @sio.middleware
    async def refuse(socket):
        if socket.auth.get("token") != "ok":
            raise ConnectionRefused("bad token", {"code": 401})

    async with open_memory_server(sio) as server:
        with pytest.raises(ConnectionRefused) as refusal:
            async with server.open_client(auth={"token": "x"}):
                pass
        assert (refusal.value.message, refusal.value.data) == ("bad token", {"code": 401})
        with pytest.raises(ConnectionRefused, match="Invalid namespace"):
            async with server.open_client("/nowhere", auth={"token": "ok"}):
                pass


async def test_a_refusal_when_it_comes_back_is_the_end(autojump_clock):
    sio = Server()
    doors = [None, ConnectionRefused("full", 1)]

    @sio.middleware
    async def refuse(socket):
        refusal = doors.pop(0)
        if refusal is not None:
            raise refusal

    async with open_memory_server(sio) as server, server.open_client() as socket:
        socket.link.cut()
        await socket.wait_disconnected()
        with pytest.raises(ConnectionRefused, match="full"):
            await socket.wait_connected()
        with pytest.raises(ExpectationFailed, match="gone for good .full"):
            await socket.expect("x")


async def test_a_server_that_never_answers_the_connect(autojump_clock):
    sio = Server()

    @sio.middleware
    async def hang(socket):
        await trio.sleep_forever()

    async with open_memory_server(sio, patience=10) as server:
        began = trio.current_time()
        with pytest.raises(ExpectationFailed, match="the client was not connected.*waited 10 virtual seconds"):
            async with server.open_client():
                pass
        assert trio.current_time() - began == 10


async def test_a_connection_that_breaks_before_the_connect_is_answered(autojump_clock):
    sio = Server()

    @sio.middleware
    async def hang(socket):
        await trio.sleep(1)

    async with open_memory_server(sio) as server:
        link = server.new_link()
        async with trio.open_nursery() as nursery:

            async def fail():
                with pytest.raises(trio.BrokenResourceError, match="before CONNECT"):
                    async with server.open_client(link=link, transports=("websocket",)):
                        pass

            nursery.start_soon(fail)
            await trio.testing.wait_all_tasks_blocked()
            link.cut()


async def test_no_server_at_all(autojump_clock):
    async with open_memory_server(Server()) as server:
        await server.drop()
        with pytest.raises(ConnectionRefusedError):
            async with server.open_client():
                pass
