"""Who has a right to come back: once, with a pid and an offset of this server, and into what was not taken away."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
import trio

from tests.support.client import settle
from tests.support.returning import assert_nothing_left, clients_of, lose, recovering
from trio_socketio import Limits


@pytest.fixture(params=["restart", "keep"])
def handler(request):
    return request.param


class TestTheOldConnection:
    async def test_it_is_ended_first(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        log = []

        @sio.middleware
        async def ask(socket):
            log.append("middleware")

        @sio.on_connection
        async def stay(socket):
            log.append("connection")
            try:
                await trio.sleep_forever()
            finally:
                log.append("handler ends")

        @sio.on_disconnect
        async def gone(socket, reason):
            log.append(f"disconnect: {reason}")
            await trio.sleep(1)
            log.append("disconnect done")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            old = client.link
            client.abandon()
            await sio.emit("x", 1)
            await client.open()
            await client.join()
            await trio.sleep(2)
            client.read()
            assert client.recovered and client.events == [["x", 1]]
            assert len(sio.engine.sessions) == 1
            with pytest.raises(trio.EndOfChannel):
                while True:
                    await old.get()
            ends = ["handler ends", "disconnect: transport close", "disconnect done"]
            again = [*ends, "middleware", "connection"] if handler == "restart" else ["middleware"]
            assert log == ["middleware", "connection", *again]

    @pytest.mark.parametrize("ending", ["raises", "hangs", "hangs in its clean-up"])
    async def test_handlers_that_do_not_end_well_delay_it_and_no_more(self, autojump_clock, caplog, ending):
        sio = recovering(limits=Limits(disconnect_timeout=5))
        met = []

        @sio.on_connection
        async def stay(socket):
            met.append((socket.recovered, trio.current_time()))
            try:
                await trio.sleep_forever()
            finally:
                if ending == "hangs in its clean-up" and not socket.recovered:
                    with trio.move_on_after(7, shield=True):
                        await trio.sleep_forever()

        @sio.on_disconnect
        async def gone(socket, reason):
            if ending == "raises":
                raise ValueError("in on_disconnect")
            await trio.sleep(1000 * (ending == "hangs"))

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            since = trio.current_time()
            client.abandon()
            await sio.emit("x", 1)
            await client.open()
            await client.join()
            await sio.emit("x", 2)
            await trio.sleep(20)
            client.read()
            assert client.recovered and client.events == [["x", 1], ["x", 2]]
            delay = {"raises": 0, "hangs": 5, "hangs in its clean-up": 7}[ending]
            assert met[1:] == [(True, pytest.approx(since + delay))]

    async def test_one_that_raises_on_the_return_ends_the_socket(self, autojump_clock, caplog):
        sio = recovering()

        @sio.on_connection
        async def fail(socket):
            if socket.recovered:
                raise ValueError("on the return")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.connect()
            assert client.recovered and client.left
            assert_nothing_left(sio)
            await client.connect()
            assert client.connected and not client.recovered

    async def test_what_the_old_connection_still_says_is_heard_no_more(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        heard = []

        @sio.on("x")
        async def hear(socket, value):
            heard.append(value)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            old = client.link
            client.abandon()
            await client.connect()
            with suppress(trio.ClosedResourceError):
                old.put_nowait('42["x","old"]', "3", "41")
            await client.say('42["x","new"]')
            assert heard == ["new"]
            assert sio.sockets

    async def test_its_slow_reader_is_woken_up(self, handler, autojump_clock):
        sio = recovering(handler=handler, limits=Limits(send_queue_packets=2))
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            client.link.reading = trio.Event()
            for number in range(10):
                await sio.emit("x", number)
            await settle()
            assert not sio.sockets, "it was cut off as slow"
            await client.connect()
            assert client.recovered
            assert client.events == [["x", number] for number in range(10)]


class TestOnceOnly:
    async def test_the_pid_of_a_connected_socket_moves_it(self, handler, autojump_clock):
        # Nobody is in it twice: who has the pid has the socket, and the one before is out.
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client, thief = await client_of().connect(), client_of()
            thief.pid, thief.sid = client.pid, client.sid
            await thief.connect()
            assert thief.recovered
            assert len(sio.sockets) == 1 == len(sio.engine.sessions)
            await sio.emit("x", 1)
            await settle()
            assert thief.read() == [["x", 1]] and client.read() == []

    async def test_two_at_the_same_time(self, handler, autojump_clock):
        sio = recovering(handler=handler)

        @sio.middleware
        async def slow(socket):
            await trio.sleep(1)

        async with clients_of(sio) as client_of:
            one, other = client_of(), client_of()
            await one.connect()
            await trio.sleep(2)
            one.read()
            await lose(one)
            other.pid, other.sid = one.pid, one.sid
            await one.open()
            await other.open()
            one.link.put_nowait("40" + json.dumps({"pid": one.pid}))
            other.link.put_nowait("40" + json.dumps({"pid": one.pid}))
            await trio.sleep(5)
            one.read()
            other.read()
            # The later one ends the other's connection, whichever that is.
            (winner,) = (each for each in (one, other) if each.connected)
            assert winner.recovered
            assert len(sio.sockets) == 1 == len(sio.engine.sessions)
            await sio.emit("x", 1)
            await settle()
            assert (one.read(), other.read()) in (([["x", 1]], []), ([], [["x", 1]]))

    @pytest.mark.parametrize("end", ["kick", "kick by the namespace", "kick with the connection", "leave", "expiry"])
    async def test_a_pid_of_the_past_opens_nothing(self, handler, autojump_clock, end):
        sio = recovering(handler=handler)

        @sio.on_connection
        async def member(socket):
            if not socket.recovered:
                socket.join("secret")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            match end:
                case "kick":
                    sio.sockets[first].disconnect()
                case "kick by the namespace":
                    sio.in_("secret").disconnect_sockets()
                case "kick with the connection":
                    sio.sockets[first].disconnect(close=True)
                case "leave":
                    await client.say("41")
                case "expiry":
                    await lose(client)
                    await trio.sleep(1000)
            await settle()
            assert_nothing_left(sio)
            await sio.to("secret").emit("x")
            await client.connect()
            assert client.connected and not client.recovered and client.sid != first and not client.events

    async def test_one_that_was_recovered_has_another_life_and_then_it_is_over(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            for _ in range(5):
                await lose(client)
                await client.connect()
                assert client.recovered
            sio.sockets[first].disconnect()
            await client.connect()
            assert not client.recovered
            await lose(client)
            await client.connect(), "and the new one recovers"
            assert client.recovered and client.sid != first

    PIDS = [None, 1, True, [], {}, "", "x", "x" * 5000, "\0", "__proto__"]

    @pytest.mark.parametrize("pid", PIDS, ids=range(len(PIDS)))
    async def test_a_pid_that_is_none(self, handler, autojump_clock, pid):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            lost = await client_of().connect()
            await lose(lost)
            client = await client_of().connect(pid=pid, offset=pid)
            assert client.connected and not client.recovered and client.sid != lost.sid
            await lost.connect()
            assert lost.recovered, "nobody else has hurt it"

    async def test_the_id_is_no_pid(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            victim = await client_of().connect()
            assert victim.sid != victim.pid and len(victim.pid) == 20
            await client_of().connect(pid=victim.sid)
            assert victim.sid in sio.sockets and len(sio.sockets) == 2


class TestOffsetsOfOthers:
    async def forged(self, sio, offset, client_of):
        client = await client_of().connect()
        first = client.sid
        await sio.emit("x", 1)
        await lose(client)
        await client.connect(offset=offset)
        return client, client.sid == first

    @pytest.mark.parametrize("offset", [None, 1, [], "", "x", "other.ff", ".", "a" * 1000])
    async def test_garbage_and_other_servers_are_as_none(self, handler, autojump_clock, offset):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client, recovered = await self.forged(sio, offset, client_of)
            assert recovered and client.events == [["x", 1]]

    async def test_one_of_the_future_gets_a_new_socket(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            epoch = sio._namespaces.get("/").offsets._epoch
            client, recovered = await self.forged(sio, f"{epoch}ffff", client_of)
            assert client.connected and not recovered
            assert len(sio._recovery) == 0

    async def test_a_restarted_server_never_claims_success(self, handler, autojump_clock):
        former, later = recovering(handler=handler), recovering(handler=handler)
        async with clients_of(former) as client_of:
            client = await client_of().connect()
            await former.emit("x", 1)
            await settle()
            client.read()
        async with clients_of(later) as client_of:
            again = client_of()
            again.pid, again.offset, again.sid = client.pid, client.offset, client.sid
            await later.emit("x", 2)
            await again.connect()
            assert again.connected and not again.recovered
            # The offset of the other server stays with it until the first event.
            await lose(again)
            for number in range(3):
                await later.emit("x", number)
            await again.connect()
            assert again.recovered and again.events == [["x", 0], ["x", 1], ["x", 2]]

    async def test_the_same_server_that_runs_again_knows_nobody_of_before(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
        assert_nothing_left(sio)
        async with clients_of(sio) as client_of:
            again = client_of()
            again.pid, again.sid = client.pid, client.sid
            await again.connect()
            assert again.connected and not again.recovered

    async def test_a_namespace_that_was_removed_and_made_again_counts_anew(self, handler, autojump_clock):
        # A client keeps its last offset for ever: it must mean nothing to the namespace's next life.
        sio = recovering(handler=handler, max_disconnection_duration=10)
        sio.namespace(re.compile("/shop/.*"))
        async with clients_of(sio) as client_of:
            client = await client_of("/shop/1").connect()
            for number in range(5):
                await sio.namespace("/shop/1").emit("x", number)
            await settle()
            client.read()
            await lose(client)
            await trio.sleep(20)
            assert "/shop/1" not in {members.name for members in sio._namespaces}
            await client.connect()
            assert not client.recovered
            await lose(client)
            for number in range(10):
                await sio.namespace("/shop/1").emit("x", number)
            await client.connect()
            assert client.recovered
            assert client.events == [["x", number] for number in range(10)]


class TestRevoked:
    async def test_rooms_that_were_taken_stay_taken_and_new_ones_count(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        sockets = []

        @sio.on_connection
        async def member(socket):
            sockets.append(socket)
            if not socket.recovered:
                socket.join("a", "b", "c")

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await sio.to("a").emit("x", 1)
            sio.in_("a").sockets_leave("a")
            sockets[0].leave("b")
            sio.in_("c").sockets_join("d")
            await sio.to("a").emit("x", 2)
            await sio.to("b").emit("x", 3)
            await sio.to("d").emit("x", 4)
            await client.connect()
            assert client.recovered
            assert sio.sockets[client.sid].rooms == {client.sid, "c", "d"}
            assert client.events == [["x", 1], ["x", 4]]

    @pytest.mark.parametrize("close", [True, False])
    async def test_disconnected_in_the_gap(self, handler, autojump_clock, close):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            await lose(client)
            sio.disconnect_sockets(close=close)
            await settle()
            assert_nothing_left(sio)
            await client.connect()
            assert client.connected and client.sid != first

    @pytest.mark.parametrize("by", ["namespace", "socket", "namespace with the connection"])
    async def test_disconnected_while_the_middlewares_are_asked(self, handler, autojump_clock, by):
        sio = recovering(handler=handler)
        asked = []

        @sio.middleware
        async def slow(socket):
            asked.append(socket)
            if len(asked) > 1:
                socket.join("from the middleware")
                await trio.sleep(5)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.open()
            await client.join()
            match by:
                case "namespace":
                    sio.disconnect_sockets()
                case "namespace with the connection":
                    sio.disconnect_sockets(close=True)
                case "socket":
                    asked[0].disconnect()
            await sio.emit("x")
            await trio.sleep(6)
            client.read()
            assert client.refused == "Forbidden" and not client.connected
            await settle()
            assert_nothing_left(sio)
            await client.join()
            await trio.sleep(6)
            client.read()
            assert client.connected and not client.recovered and not client.events
