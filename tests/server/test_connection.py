"""A client's connection: joining and leaving namespaces, and all of them at once."""

from __future__ import annotations

import json
import logging

import pytest
import trio

from tests.support.application import CALM, forever
from tests.support.client import connect, only_session, settle
from trio_socketio import CloseReason, ConnectionRefused, ConnectionStateRecovery, EngineConfig, Limits, Server


class TestJoining:
    async def test_connect_is_answered_with_an_id_of_20_characters_that_is_not_the_sid(self, sio, autojump_clock):
        async with connect(sio) as client:
            await client.put("40")
            answer = await client.get()
            (socket,) = sio.sockets.values()
            assert answer == f'40{{"sid":"{socket.id}"}}'
            assert len(socket.id) == 20
            assert socket.id != only_session(sio.engine).sid

    async def test_each_namespace_has_its_own_id_and_auth(self, sio, autojump_clock):
        chat = sio.namespace("/chat")
        async with connect(sio) as client:
            root = await client.join(auth={"a": 1})
            other = await client.join("/chat", auth={"b": {"c": [2]}})
            assert root != other
            assert sio.sockets[root].auth == {"a": 1}
            assert chat.sockets[other].auth == {"b": {"c": [2]}}

    async def test_no_auth_is_an_empty_object_of_its_own(self, sio, autojump_clock):
        async with connect(sio) as one, connect(sio) as two:
            first, second = await one.join(), await two.join()
            assert sio.sockets[first].auth == sio.sockets[second].auth == {}
            assert sio.sockets[first].auth is not sio.sockets[second].auth

    @pytest.mark.parametrize("auth", ["[]", "null", '"x"', "true", "{"])
    async def test_an_auth_that_is_no_object_closes(self, sio, autojump_clock, auth):
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put(f"40{auth}")
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE
            assert not sio.sockets

    async def test_an_unknown_namespace_is_refused_and_the_connection_kept(self, sio, autojump_clock):
        async with connect(sio) as client:
            await client.put("40/nobody,", '40/nobody,{"token":1}')
            assert await client.get_all(2) == ['44/nobody,{"message":"Invalid namespace"}'] * 2
            await client.join()
            assert only_session(sio.engine).close_reason is None

    async def test_too_many_namespaces_and_a_place_that_is_free_again(self, sio, autojump_clock):
        for name in "abcd":
            sio.namespace(name)
        async with connect(sio, "40/a,", "40/b,", "40/c,") as client:
            await client.put("40/d,")
            assert await client.get() == '44/d,{"message":"Too many namespaces"}'
            await client.put("41/a,")
            await client.join("/d")
            assert not sio.namespace("/a").sockets

    async def test_leaving_and_joining_does_not_pile_up_handlers_that_are_not_done(self, autojump_clock):
        sio = Server(CALM, limits=Limits(max_namespaces=2, disconnect_timeout=5))
        running = 0

        @sio.on_disconnect
        async def linger(socket, reason):
            nonlocal running
            running += 1
            try:
                await trio.sleep_forever()
            finally:
                running -= 1

        async with sio.running(), connect(sio) as client:
            for _ in range(4):
                await client.join()
                await client.put("41")
            await client.put("40")
            assert await client.get() == '44{"message":"Too many namespaces"}'
            assert running == 4
            await trio.sleep(6)
            assert running == 0
            await client.join()

    @pytest.mark.parametrize("nothing", ["2", "23", '2/nobody["x"]'])
    async def test_an_event_of_nothing_is_passed_over_by_who_is_there(self, sio, autojump_clock, nothing):
        async with connect(sio, "40") as client, connect(sio) as stranger:
            for each in (client, stranger):
                await each.put(f"4{nothing}")
            assert await stranger.get_close() == []
            if "nobody" in nothing:
                assert await client.get_close() == []
            else:
                await client.put("41")
                await client.join()

    async def test_a_refused_namespace_takes_no_place(self, autojump_clock):
        sio = Server(limits=Limits(max_namespaces=1))

        @sio.namespace("/closed").middleware
        async def refuse(socket):
            raise ConnectionRefused("no")

        async with sio.running(), connect(sio) as client:
            for _ in range(3):
                await client.put("40/closed,")
                assert await client.get() == '44/closed,{"message":"no"}'
            await client.join()

    @pytest.mark.parametrize("again", ["40", '40{"a":1}'])
    async def test_a_second_connect_closes_and_ends_all_sockets(self, sio, autojump_clock, again):
        reasons = []
        for namespace in (sio, sio.namespace("/chat")):

            @namespace.on_disconnect
            async def gone(socket, reason):
                reasons.append((socket.namespace, reason))

        async with connect(sio, "40", "40/chat,") as client:
            await client.put(again)
            assert await client.get_close() == []
        assert sorted(reasons) == [("/", "forced close"), ("/chat", "forced close")]

    async def test_a_second_connect_while_the_first_is_being_examined_closes(self, sio, autojump_clock):
        sio.middleware(forever)
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put("40", "40")
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE

    @pytest.mark.parametrize("packet", ['42["x"]', '421["x"]', "41", "430[]", '44{"message":"x"}'])
    @pytest.mark.parametrize("joining", [False, True])
    async def test_packets_before_connect_is_answered_close(self, sio, autojump_clock, packet, joining):
        called = []
        sio.middleware(forever)

        @sio.on("x")
        async def x(socket):
            called.append(socket)

        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put(*["40"] * joining, packet)
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE
        assert not called

    @pytest.mark.parametrize(
        "head", ['451-["x",{"_placeholder":true,"num":0}]', '461-0[{"_placeholder":true,"num":0}]']
    )
    async def test_a_binary_packet_before_connect_closes_before_its_attachments_are_kept(
        self, sio, autojump_clock, head
    ):
        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put(head)
            assert session.close_reason is CloseReason.FORCED_CLOSE, "it is kept, though nobody has joined"

    async def test_packets_for_another_namespace_than_the_joined_one_close(self, sio, autojump_clock):
        sio.namespace("/chat")
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put('42/chat,["x"]')
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE


class TestLeaving:
    async def test_packets_for_a_namespace_just_left_by_the_server_are_ignored(self, sio, autojump_clock):
        called = []

        @sio.on("x")
        async def x(socket):
            called.append(socket)

        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            (socket,) = sio.sockets.values()
            socket.disconnect()
            await client.put('42["x"]', '421["x"]', "430[]", '451-["x",{"_placeholder":true,"num":0}]', b"x", "41")
            assert await client.get() == "41"
            await client.join()
            assert client.get_waiting() == []
            assert session.close_reason is None
            assert not called

    async def test_events_after_the_clients_own_disconnect_close(self, sio, autojump_clock):
        # "event for a namespace not joined": the client knows that it has left.
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put("41")
            assert session.close_reason is None
            await client.put('42["x"]')
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_events_after_a_refused_connect_close(self, sio, autojump_clock):
        @sio.middleware
        async def refuse(socket):
            raise ConnectionRefused("no")

        async with connect(sio) as client:
            session = only_session(sio.engine)
            await client.put("40")
            assert await client.get() == '44{"message":"no"}'
            await client.put('42["x"]')
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_leaving_and_joining_again_at_once(self, sio, autojump_clock):
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(1)
            reasons.append((socket.id, reason))

        async with connect(sio) as client:
            first = await client.join()
            began = trio.current_time()
            client.put_nowait("41")
            second = await client.join()
            assert trio.current_time() == began, "the new socket waits for nothing of the old one"
            assert first != second
            assert list(sio.sockets) == [second]
            await trio.sleep(2)
            assert reasons == [(first, "client namespace disconnect")]
            assert sio.sockets[second].connected

    async def test_the_rooms_of_the_new_socket_are_its_own(self, sio, autojump_clock):
        @sio.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(1)

        async with connect(sio) as client:
            first = await client.join()
            sio.sockets[first].join("lobby")
            client.put_nowait("41")
            second = await client.join()
            await trio.sleep(2)
            await sio.to("lobby").emit("old room")
            assert sio.sockets[second].rooms == {second}
            await settle()
            assert client.get_waiting() == []

    async def test_a_socket_that_ended_does_not_push_out_its_successor(self, sio, autojump_clock):
        async with connect(sio) as client:
            await client.join()
            session = only_session(sio.engine)
            connection = session._handler
            (old,) = connection._workers.values()
            client.put_nowait("41")
            await client.join()
            connection.ended(old)
            (new,) = connection._workers.values()
            assert new is not old
            assert new.socket.connected


async def test_disconnect_all_tells_every_namespace_and_then_closes(autojump_clock):
    sio = Server(CALM)
    names = ["/", "/b", "/c"]
    reasons = {}
    for name in names:

        @sio.namespace(name).on_disconnect
        async def gone(socket, reason):
            reasons[socket.namespace] = reason

    async with sio.running(), connect(sio, "40", "40/b,", "40/c,") as client, connect(sio, "40") as other:
        (socket,) = sio.namespace("/b").sockets.values()
        (session,) = [session for session in sio.engine.sessions.values() if session is socket._life.session]
        socket.emit_nowait("first this")
        socket.disconnect(close=True)
        frames = await client.get_close()
        assert frames[0] == '42/b,["first this"]'
        assert sorted(frames[1:]) == ["41", "41/b,", "41/c,"]
        assert reasons == dict.fromkeys(names, "server namespace disconnect")
        assert session.sid not in sio.engine.sessions
        assert len(sio.sockets) == 1
        await other.put("40/b,")
        assert json.loads((await other.get()).removeprefix("40/b,"))


async def test_traces(autojump_clock, caplog):
    caplog.set_level(logging.DEBUG, logger="trio_socketio.socket")
    sio = Server(CALM)
    async with sio.running(), connect(sio, "40") as client:
        await client.put('42["a secret of 300 letters","' + "s" * 300 + '"]', "4399[]")
    assert "a secret of 300 letters" in caplog.text
    assert "s" * 250 not in caplog.text
    assert "an answer that nobody waits for" in caplog.text
    assert "sends" in caplog.text


async def test_a_pong_tells_what_has_arrived(autojump_clock):
    """What was sent in front of the ping is not sent again, also to a client that doesn't say what it has got."""
    sio = Server(EngineConfig(ping_interval=25), recovery=ConnectionStateRecovery())
    async with sio.running():
        async with connect(sio) as client:
            client.answers_pings = True
            await client.put("40")
            joined = json.loads((await client.get())[2:])
            await sio.emit("in front of the ping")
            await trio.sleep(26)
            await sio.emit("behind it")
            await settle()
        async with connect(sio) as client:
            await client.put("40" + json.dumps({"pid": joined["pid"]}))
            answer, missed = client.get_waiting()
            assert json.loads(answer[2:]) == joined
            assert missed.startswith('42["behind it",')
