"""A client that comes back, on the wire: the same in both modes, whether handlers end in the gap or live on."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.application import CALM
from tests.support.client import connect, open_polling, poll, post, settle
from tests.support.returning import ReturningClient, assert_nothing_left, clients_of, lose, recovering
from trio_socketio import CloseReason, EngineConfig, Limits, Server


@pytest.fixture(params=["restart", "keep"])
def handler(request):
    return request.param


class TestComingBack:
    async def test_id_rooms_data_and_what_was_missed(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        met = []

        @sio.on_connection
        async def member(socket):
            met.append((socket, socket.recovered))
            if not socket.recovered:
                socket.join("room")
                socket.data["name"] = "Ada"

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            first = client.sid
            await sio.emit("seen", 1)
            await settle()
            assert client.read() == [["seen", 1]]
            await lose(client)
            assert not sio.sockets
            await sio.emit("broadcast", 2)
            await sio.to("room").emit("to the room", 3, b"\0")
            await sio.to(first).emit("direct", {"four": 4})
            await sio.to("elsewhere").emit("not for it")
            await client.connect()
            assert client.recovered and client.sid == first
            assert client.events[1:] == [["broadcast", 2], ["to the room", 3, b"\0"], ["direct", {"four": 4}]]
            socket = sio.sockets[first]
            assert socket.recovered and socket.connected and socket.disconnect_reason is None
            assert socket.rooms == {first, "room"}
            assert socket.data == {"name": "Ada"}
            await sio.to("room").emit("on it goes", 5)
            await settle()
            assert client.read() == [["on it goes", 5]]
        assert [recovered for _, recovered in met] == ([False, True] if handler == "restart" else [False])
        assert_nothing_left(sio)

    async def test_one_that_has_received_nothing_yet(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await client.connect()
            assert client.recovered and client.offset is None
            await lose(client)
            await sio.emit("x", 1)
            await client.connect()
            assert client.recovered and client.events == [["x", 1]]

    async def test_one_that_has_read_none_of_it_nor_that_it_is_back(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            for number in range(3):
                await sio.emit("x", number)
            for number in range(3, 6):
                await lose(client)
                await sio.emit("x", number)
                await client.open()
                await client.join()
            client.abandon()
            await client.connect()
            assert client.recovered
            assert client.events == [["x", number] for number in range(6)]

    @pytest.mark.parametrize("most", range(1, 9))
    async def test_cut_anywhere_between_connect_and_the_last_attachment(self, handler, autojump_clock, most):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            for number in range(3):
                await sio.emit("x", number, b"\0")
            await client.open()
            await client.join()
            client.read(most)
            await lose(client)
            await client.connect()
            assert client.recovered
            assert client.events == [["x", number, b"\0"] for number in range(3)]

    async def test_the_missed_are_behind_connect(self, handler, autojump_clock):
        # Clients keep what comes in front of it in a buffer, also when the connection ends, and would have it twice.
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await sio.emit("x")
            link = await client.open()
            await client.join()
            assert [frame[:2] for frame in link.get_waiting()] == ["40", "42"]

    async def test_in_whatever_order_and_by_whatever_way_events_were_sent(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with clients_of(sio) as client_of:
            client, other = await client_of().connect(), await client_of().connect()
            for turn in range(4):
                socket = sio.sockets[client.sid]
                socket.emit_nowait("emit", turn, 0)
                await sio.emit("all", turn, 1)
                await sio.volatile.emit("volatile", turn, 2)
                await socket.emit("emit", turn, 3)
                await sio.sockets[other.sid].broadcast.emit("others", turn, 4)
                await settle()
                client.read(turn)
                await lose(client)
                await client.connect()
                assert client.recovered
            events = [event for event in client.events if event[0] != "volatile"]
            assert events == [
                [name, turn, n]
                for turn in range(4)
                for name, n in zip(("emit", "all", "emit", "others"), (0, 1, 3, 4), strict=True)
            ]

    async def test_two_namespaces_on_one_connection_come_back_with_their_own(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        chat = sio.namespace("/chat")
        async with sio.running():
            async with connect(sio) as link:
                await link.put("40", "40/chat,")
                root, other = (json.loads(frame[frame.index("{") :]) for frame in link.get_waiting())
                await sio.emit("x", 1)
                await chat.emit("x", 1)
            await settle()
            await sio.emit("x", 2)
            await chat.emit("x", 2)
            async with connect(sio) as link:
                swapped = json.dumps({"pid": other["pid"]})
                await link.put(f"40{swapped}")
                (frame,) = link.get_waiting()
                assert json.loads(frame[2:])["pid"] not in {root["pid"], other["pid"]}, "a pid is of one namespace"
            async with connect(sio) as link:
                await link.put(f"40/chat,{json.dumps(other)}", f"40{json.dumps(root)}")
                frames = link.get_waiting()
                assert frames[0] == f"40/chat,{json.dumps(other, separators=(',', ':'))}"
                assert f"40{json.dumps(root, separators=(',', ':'))}" in frames
                assert sum(frame.startswith("42/chat,") for frame in frames) == 2
                assert sum(frame.startswith("42[") for frame in frames) == 2
                assert len(frames) == 6
            await settle()
            assert len(sio._recovery) == 3, "these two, and the one in between"

    async def test_a_namespace_whose_neighbour_has_filled_the_queue_with_what_it_has_missed(
        self, handler, autojump_clock
    ):
        sio = recovering(handler=handler, limits=Limits(send_queue_packets=4))
        chat = sio.namespace("/chat")
        async with sio.running():
            async with connect(sio) as link:
                await link.put("40", "40/chat,")
                root, other = (json.loads(frame[frame.index("{") :]) for frame in link.get_waiting())
            await settle()
            for number in range(20):
                await sio.emit("x", number)
                await chat.emit("x", number)
            async with connect(sio) as link:
                link.put_nowait(f"40{json.dumps(root)}", f"40/chat,{json.dumps(other)}")
                await settle()
                frames = link.get_waiting()
                assert len(frames) == 42
                assert sum("sid" in frame for frame in frames) == 2
            await settle()
            assert len(sio._recovery) == 2

    async def test_events_of_the_client_are_handled_at_once_when_it_is_back(self, handler, autojump_clock):
        sio = recovering(handler=handler)

        @sio.on("echo")
        async def echo(socket, value):
            return value

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            link = await client.open()
            link.put_nowait("40" + json.dumps({"pid": client.pid}))
            await settle()
            await client.say('421["echo",5]')
            assert link.get_waiting()[-1] == "431[5]"

    async def test_whoever_runs_the_server(self, handler, autojump_clock):
        # The lifespan of an ASGI host runs the engine alone.
        sio = recovering(handler=handler)
        async with trio.open_nursery() as nursery, sio.engine.running():
            client = await ReturningClient(sio, nursery).connect()
            await lose(client)
            await sio.emit("x", 1)
            await client.connect()
            assert client.recovered and client.events == [["x", 1]]
        assert_nothing_left(sio)

    async def test_without_recovery_there_is_no_pid_and_no_offset(self, autojump_clock):
        sio = Server(CALM)
        async with sio.running(), connect(sio) as link:
            await link.put('40{"pid":"anything","offset":"anything"}')
            (frame,) = link.get_waiting()
            assert set(json.loads(frame[2:])) == {"sid"}
            await sio.emit("x")
            await settle()
            assert link.get_waiting() == ['42["x"]']


class TestHowLong:
    async def test_many_heartbeats_in_a_busy_namespace_with_room_for_little(self, handler, autojump_clock):
        sio = recovering(handler=handler, config=EngineConfig(ping_interval=25, ping_timeout=20), max_packets=10)
        async with clients_of(sio) as client_of:
            client, busy = await client_of().connect(), await client_of().connect()
            for number in range(50):
                await sio.to(client.sid).emit("x", number)
                for _ in range(100):
                    await sio.to(busy.sid).emit("for others")
                    await settle()
                    busy.read()
                await trio.sleep(13)
                client.read()
                await settle()
            await sio.to(client.sid).emit("x", 50)
            await lose(client)
            await client.connect()
            assert client.recovered
            assert client.events == [["x", number] for number in range(51)]

    async def test_a_quiet_one_for_hours(self, handler, autojump_clock):
        sio = recovering(handler=handler, config=EngineConfig(ping_interval=25, ping_timeout=20))
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await sio.emit("x", 1)
            await settle()
            client.read()
            for _ in range(300):
                await trio.sleep(26)
                client.read()
                await settle()
            await lose(client)
            await client.connect()
            assert client.recovered and client.events == [["x", 1]]

    async def test_what_was_sent_behind_the_ping_is_kept(self, handler, autojump_clock):
        sio = recovering(handler=handler, config=EngineConfig(ping_interval=25, ping_timeout=20))
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            link = client.link
            await sio.emit("x", 1)
            await trio.sleep(25)
            await sio.emit("x", 2)
            await settle()
            client.read(2)
            await settle()
            assert link is client.link and [event[1] for event in client.events] == [1]
            (worker,) = sio._namespaces.get("/")._workers.values()
            assert len(worker.replay._events) == 1, "the pong has told of the first"
            await lose(client)
            await client.connect()
            assert client.recovered and client.events == [["x", 1], ["x", 2]]

    async def test_a_pong_while_the_middlewares_are_asked_tells_nothing(self, handler, autojump_clock):
        # What it has missed was not in front of that ping: it is sent behind CONNECT only.
        sio = recovering(handler=handler, config=EngineConfig(ping_interval=5, ping_timeout=4))

        @sio.middleware
        async def slow(socket):
            if socket.recovered:
                await trio.sleep(12)

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await sio.emit("x", 1)
            for _ in range(2):
                await client.open()
                await client.join()
                for _ in range(14):
                    # It answers pings, and does not get to what is behind CONNECT.
                    client.read(0 if client.connected else 1)
                    await trio.sleep(1)
                assert client.recovered and not client.events
                await lose(client)
            await client.open()
            await client.join()
            for _ in range(13):
                await trio.sleep(1)
                client.read()
            assert client.recovered and client.events == [["x", 1]]

    async def test_as_long_as_is_said_and_not_longer(self, handler, autojump_clock):
        sio = recovering(handler=handler, max_disconnection_duration=120)
        expired = []

        @sio.on_expired
        async def gone(socket):
            expired.append((socket.id, trio.current_time()))

        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await lose(client)
            await trio.sleep(119)
            await client.connect()
            assert client.recovered and not expired
            await lose(client)
            since, first = trio.current_time(), client.sid
            await trio.sleep(121)
            assert expired == [(first, pytest.approx(since + 120))]
            assert_nothing_left(sio)
            await client.connect()
            assert not client.recovered and client.sid != first

    async def test_each_has_its_own_time(self, handler, autojump_clock):
        sio = recovering(handler=handler, max_disconnection_duration=10)
        expired = []

        @sio.on_expired
        async def gone(socket):
            expired.append((socket.id, round(trio.current_time())))

        async with clients_of(sio) as client_of:
            clients = [await client_of().connect() for _ in range(4)]
            begun = round(trio.current_time())
            first = [client.sid for client in clients]
            for client in clients:
                await lose(client)
                await trio.sleep(3)
            await clients[1].connect()
            assert clients[1].recovered
            await trio.sleep(20)
            assert expired == [(first[0], begun + 10), (first[2], begun + 16), (first[3], begun + 19)]

    async def test_one_that_never_reads_a_ping_is_lost_and_may_come_back(self, handler, autojump_clock):
        sio = recovering(handler=handler, config=EngineConfig(ping_interval=25, ping_timeout=20))
        async with clients_of(sio) as client_of:
            client = await client_of().connect()
            await sio.emit("x", 1)
            await trio.sleep(50)
            await sio.emit("x", 2)
            assert not sio.sockets
            await client.connect()
            assert client.recovered and client.events == [["x", 1], ["x", 2]]


class TestPolling:
    async def test_missed_events_on_long_polling_and_a_lost_answer(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with sio.running():
            query, session = await open_polling(sio.engine)
            await post(sio.engine, query, b"40")
            opened = json.loads((await poll(sio.engine, query)).body[2:])
            await sio.emit("x", 1)
            # The answer is written, and never arrives.
            assert b'42["x",1' in (await poll(sio.engine, query)).body
            session.close(CloseReason.TRANSPORT_ERROR)
            await settle()
            await sio.emit("x", 2)
            query, session = await open_polling(sio.engine)
            await post(sio.engine, query, b"40" + json.dumps({"pid": opened["pid"]}).encode())
            first, *rest = (await poll(sio.engine, query)).body.decode().split("\x1e")
            assert json.loads(first[2:]) == opened
            assert [json.loads(each[2:])[1] for each in rest] == [1, 2]
            assert session.close_reason is None

    async def test_a_post_that_holds_all_at_once(self, handler, autojump_clock):
        sio = recovering(handler=handler)
        async with sio.running():
            query, session = await open_polling(sio.engine)
            await post(sio.engine, query, b"40")
            opened = json.loads((await poll(sio.engine, query)).body[2:])
            await post(sio.engine, query, b"1")
            assert session.close_reason == CloseReason.TRANSPORT_CLOSE
            query, session = await open_polling(sio.engine)
            # The client has come back as another one on another transport, and is ended by the third.
            await post(sio.engine, query, b"40" + json.dumps({"pid": opened["pid"]}).encode())
            async with connect(sio) as link:
                await link.put("40" + json.dumps({"pid": opened["pid"]}))
                assert json.loads(link.get_waiting()[0][2:]) == opened
                assert session.close_reason == CloseReason.TRANSPORT_CLOSE
