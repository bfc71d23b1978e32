"""Clients of Socket.IO 2: what they are told, what they send, and what their sockets are called."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.application import errors_of, reasons_of, socket_of
from tests.support.client import MemoryStream, connect, only_session, open_stream, poll, post, settle
from tests.support.engine3 import WEBSOCKET_3, open_polling_3
from trio_socketio import CloseReason, ConnectionRefused, EngineConfig, Limits, RemoteProtocolError, Server, Socket
from trio_socketio._engine.server import OLD_CLIENT_PAUSE
from trio_socketio._server.socketio2 import OldParser
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.socket_packet import Ack, Connect, ConnectError, Disconnect, Event

CALM_3 = EngineConfig(ping_interval=10_000, allow_eio3=True)


@pytest.fixture
async def sio(autojump_clock):
    server = Server(CALM_3, limits=Limits(max_namespaces=3, max_name_length=20, max_pending_acks=2))
    async with server.running():
        yield server
        assert not server.engine.sessions, "sessions were left"


@asynccontextmanager
async def connect_3(sio: Server, more: str = "") -> AsyncIterator[tuple[MemoryStream, str]]:
    """Open a session on a WebSocket; give the client and its sid."""
    async with open_stream(sio.engine, WEBSOCKET_3 + more) as client:
        opened = await client.get()
        yield client, json.loads(opened[1:])["sid"]


class TestParser:
    parser = OldParser(JSONParser())

    @pytest.mark.parametrize(
        ("packet", "encoded"),
        [
            (Connect("/", {"sid": "x"}), ["0"]),
            (Connect("/chat", {"sid": "x", "pid": "y"}), ["0/chat,"]),
            (ConnectError("/", {"message": "no"}), ['4"no"']),
            (ConnectError("/chat", {"message": "no", "data": None}), ['4/chat,"no"']),
            (ConnectError("/chat", {"message": "no", "data": {"code": 1}}), ['4/chat,{"code":1}']),
            (ConnectError("/chat", {"message": "no", "data": 0}), ["4/chat,0"]),
            # The rest is the same in both protocols.
            (Disconnect("/chat"), ["1/chat,"]),
            (Event("/", ["a", 1], 7), ['27["a",1]']),
            (Event("/", ["a", b"\1"]), ['51-["a",{"_placeholder":true,"num":0}]', b"\1"]),
            (Ack("/chat", [1], 7), ["3/chat,7[1]"]),
        ],
    )
    def test_encodes(self, packet, encoded):
        assert self.parser.encode(packet) == encoded

    @pytest.mark.parametrize(
        ("message", "packet"),
        [
            ("0", Connect("/", {})),
            ("0/chat", Connect("/chat", {})),
            ("0/chat,", Connect("/chat", {})),
            ("0/chat?token=abc", Connect("/chat", {"token": "abc"})),
            ("0/chat?token=abc&x=1,", Connect("/chat", {"token": "abc", "x": "1"})),
            ("0/chat?a=%C3%A9%2C+b&c=&d", Connect("/chat", {"a": "é, b", "c": "", "d": ""})),
            ("0/chat?a=1&a=2", Connect("/chat", {"a": "2"})),
            ("0/chat?a=b=c?d", Connect("/chat", {"a": "b=c?d"})),
            ("0/chat?", Connect("/chat", {})),
            ("0/plaudern-äöü?a=1,", Connect("/plaudern-äöü", {"a": "1"})),
            ("0/chat?&&=", Connect("/chat", {"": ""})),
            # Credentials are in the query, and nowhere else.
            ('0/chat,{"token":"abc"}', Connect("/chat", {})),
            ('2/chat,7["a",1]', Event("/chat", ["a", 1], 7)),
            ("1/chat,", Disconnect("/chat")),
        ],
    )
    def test_decodes(self, message, packet):
        assert self.parser.decoder(Limits()).feed(message) == packet

    def test_attachments(self):
        decoder = self.parser.decoder(Limits())
        assert decoder.feed('51-["a",{"_placeholder":true,"num":0}]') is None
        assert decoder.unfinished is not None
        assert decoder.feed(b"\1") == Event("/", ["a", b"\1"])
        assert decoder.unfinished is None

    def test_a_long_query_is_no_long_name(self):
        limits = Limits(max_name_length=20, max_target=1000)
        token = "x" * 900
        decode = self.parser.decoder(limits).feed
        assert decode(f"0/{'n' * 19}?token={token},") == Connect("/" + "n" * 19, {"token": token})
        for message in (
            f"0/{'n' * 20}?token=1,",
            f"0/chat?token={'x' * 1000},",
            f"2/{'n' * 20},[1]",
            f'2["{"n" * 21}"]',
        ):
            with pytest.raises(RemoteProtocolError):
                self.parser.decoder(limits).feed(message)
        assert decode(f'2["{"n" * 20}"]') == Event("/", ["n" * 20])

    @pytest.mark.parametrize(
        "message", ["0/chat?" + "&a" * 101, "0/chat?a=\x00,", "0/chat?a=1,[]", "0?a=1", "9", "", "0chat", b"\1", "4no"]
    )
    def test_refuses(self, message):
        decoder = self.parser.decoder(Limits())
        with pytest.raises(RemoteProtocolError):
            packet = decoder.feed(message)
            # ERROR is a packet, but none of a client's; who handles them says so.
            assert not isinstance(packet, ConnectError)

    @settings(derandomize=True, deadline=None)
    @given(st.text(max_size=60).map("0/chat?".__add__) | st.text("0/?&=%2C,a[]é", max_size=30))
    def test_any_input_gives_a_packet_or_a_remote_protocol_error(self, message):
        try:
            packet = self.parser.decoder(Limits()).feed(message)
        except RemoteProtocolError:
            return
        if isinstance(packet, Connect):
            assert "?" not in packet.namespace
            assert all(type(value) is str for value in packet.data.values())


class TestTheRootNamespace:
    async def test_is_joined_by_itself_behind_the_handshake(self, sio, autojump_clock):
        async with connect_3(sio) as (client, sid):
            assert await client.get() == "40"
            socket = socket_of(sio)
            assert socket.id == sid
            assert (dict(socket.auth), socket.handshake.query["EIO"]) == ({}, "3")
            assert socket.connected

    async def test_the_handshake_comes_first_even_where_connect_was_queued_before(self, sio, autojump_clock):
        # Which of the two tasks has its turn first is Trio's dice.
        for _ in range(20):
            async with connect_3(sio) as (client, _):
                assert await client.get() == "40"

    async def test_on_long_polling(self, sio, autojump_clock):
        query, session = await open_polling_3(sio.engine)
        assert (await poll(sio.engine, query)).body == b"2:40"
        assert socket_of(sio).id == session.sid
        assert (await post(sio.engine, query, b"1:1")).body == b"ok"

    async def test_nothing_is_emitted_before_it(self, sio, autojump_clock):
        @sio.on_connection
        async def greet(socket: Socket) -> None:
            await socket.emit("hello", b"\1")

        async with connect_3(sio) as (client, _):
            assert await client.get_all(3) == [
                "40",
                '451-["hello",{"_placeholder":true,"num":0}]',
                b"\4\1",
            ]

    async def test_a_client_that_joins_it_once_more_is_closed(self, sio, autojump_clock):
        async with connect_3(sio) as (client, _):
            session = only_session(sio.engine)
            await client.put("40")
            assert await client.get_close() == ["40"]
            assert session.close_reason is CloseReason.FORCED_CLOSE

    @pytest.mark.parametrize(
        ("refusal", "answer"),
        [
            (ConnectionRefused("not you"), '44"not you"'),
            (ConnectionRefused("not you", {"code": 7}), '44{"code":7}'),
        ],
    )
    async def test_refused_by_a_middleware(self, sio, autojump_clock, refusal, answer):
        chat = sio.namespace("/chat")

        @sio.middleware
        async def refuse(socket: Socket) -> None:
            raise refusal

        async with connect_3(sio) as (client, sid):
            assert await client.get() == answer
            assert not sio.sockets
            # The others are not concerned; and the client may ask again.
            await client.put("40/chat,")
            assert await client.get() == "40/chat,"
            assert list(chat.sockets) == [f"/chat#{sid}"]
            await client.put("40")
            assert await client.get() == answer

    async def test_who_is_refused_and_joins_nothing_is_closed_in_time(self, sio, autojump_clock):
        @sio.middleware
        async def refuse(socket: Socket) -> None:
            raise ConnectionRefused

        async with connect_3(sio) as (client, _):
            assert await client.get_close() == ['44"Forbidden"']
            assert trio.current_time() == pytest.approx(45 + OLD_CLIENT_PAUSE)

    async def test_a_middleware_that_raises(self, sio, autojump_clock):
        errors = errors_of(sio)

        @sio.middleware
        async def fail(socket: Socket) -> None:
            raise ValueError("a secret")

        async with connect_3(sio) as (client, _):
            assert await client.get() == '44"Internal server error"'
        assert [event for event, _ in errors] == ["middleware"]

    async def test_a_middleware_that_hangs(self, sio, autojump_clock):
        chat = sio.namespace("/chat")

        @chat.middleware
        async def hang(socket: Socket) -> None:
            await trio.sleep_forever()

        async with connect_3(sio) as (client, _):
            await client.put("40/chat,")
            assert await client.get_all(2) == ["40", '44/chat,"Connection timed out"']
            assert trio.current_time() == pytest.approx(45 + OLD_CLIENT_PAUSE)


class TestOtherNamespaces:
    async def test_id_and_auth(self, sio, autojump_clock):
        chat = sio.namespace("/chat")
        async with connect_3(sio) as (client, sid):
            await client.put("40/chat?token=abc%20d&token2=,")
            assert await client.get_all(2) == ["40", "40/chat,"]
            socket = socket_of(sio, "/chat")
            assert socket.id == f"/chat#{sid}"
            assert socket.auth == {"token": "abc d", "token2": ""}
            await chat.to(socket.id).emit("private")
            await chat.except_(socket).emit("others")
            assert await client.get() == '42/chat,["private"]'
            assert client.get_waiting() == []

    async def test_unknown_and_too_many(self, sio, autojump_clock):
        for name in ("/a", "/b", "/c"):
            sio.namespace(name)
        async with connect_3(sio) as (client, _):
            await client.put("40/nobody?a=1,", "40/a,", "40/b,", "40/c,")
            assert sorted(await client.get_all(5)) == sorted(
                ["40", '44/nobody,"Invalid namespace"', "40/a,", "40/b,", '44/c,"Too many namespaces"']
            )

    @pytest.mark.parametrize("broken", ["40/chat?" + "&a" * 200, "40/" + "n" * 30, '44"no"', "42/chat?x=1,[1]"])
    async def test_what_breaks_the_rules_closes(self, sio, broken, autojump_clock):
        sio.namespace("/chat")
        async with connect_3(sio) as (client, _):
            session = only_session(sio.engine)
            await client.put("40/chat,", broken)
            await client.get_close()
            assert session.close_reason is CloseReason.FORCED_CLOSE

    async def test_disconnected_by_the_server(self, sio, autojump_clock):
        chat, reasons = sio.namespace("/chat"), reasons_of(sio)
        async with connect_3(sio) as (client, _):
            await client.put("40/chat,")
            await client.get_all(2)
            socket_of(sio, "/chat").disconnect()
            assert await client.get() == "41/chat,"
            assert not chat.sockets
            socket_of(sio).disconnect(close=True)
            assert await client.get_close() == ["41"]
        assert reasons == ["server namespace disconnect"]


class TestTheSameIdAgain:
    """A client that leaves a namespace and comes back has the same id; the two may not get into each other's way."""

    async def test_the_second_has_its_own_rooms(self, sio, autojump_clock):
        chat, told = sio.namespace("/chat"), []

        @chat.on("enter")
        async def enter(socket: Socket, room: str) -> None:
            socket.join(room)

        @chat.on_disconnect
        async def slow(socket: Socket, reason: str) -> None:
            await trio.sleep(3)
            told.append((sorted(socket.rooms), round(trio.current_time() - OLD_CLIENT_PAUSE, 3)))

        async with connect_3(sio) as (client, sid):
            await client.put("40/chat,")
            await client.get_all(2)
            await client.put('42/chat,["enter","first"]')
            await client.put("41/chat,", "40/chat,")
            # It is not connected before all is done for the one before it, and then it starts from nothing.
            assert not chat.sockets
            assert await client.get() == "40/chat,"
            assert told == [(["/chat#" + sid, "first"], 3)]
            assert trio.current_time() == pytest.approx(3 + OLD_CLIENT_PAUSE)
            await client.put('42/chat,["enter","second"]')
            await settle()
            assert socket_of(sio, "/chat").rooms == {f"/chat#{sid}", "second"}

    async def test_many_times_in_order(self, autojump_clock):
        sio = Server(CALM_3, limits=Limits(max_namespaces=10))
        chat, order = sio.namespace("/chat"), []

        @chat.middleware
        async def note(socket: Socket) -> None:
            order.append(socket.auth["n"])

        @chat.on_disconnect
        async def slow(socket: Socket, reason: str) -> None:
            await trio.sleep(1)

        async with sio.running(), connect_3(sio) as (client, _):
            assert await client.get() == "40"
            for number in range(6):
                await client.put(f"40/chat?n={number},")
                assert await client.get() == "40/chat,"
                await client.put("41/chat,")
            assert order == [str(number) for number in range(6)]
            assert trio.current_time() == pytest.approx(5 + OLD_CLIENT_PAUSE)

    async def test_a_client_that_goes_while_the_second_waits(self, sio, autojump_clock):
        chat, reasons = sio.namespace("/chat"), []

        @chat.on_disconnect
        async def slow(socket: Socket, reason: str) -> None:
            await trio.sleep(3)
            reasons.append(reason)

        async with connect_3(sio) as (client, _):
            await client.put("40/chat,")
            await client.put("41/chat,", "40/chat,", "1")
            await client.get_close()
        await trio.sleep(4)
        assert reasons == ["client namespace disconnect"]
        assert not chat.sockets

    async def test_the_server_ends_while_the_second_waits(self, autojump_clock):
        sio = Server(CALM_3)
        chat = sio.namespace("/chat")

        @chat.on_disconnect
        async def slow(socket: Socket, reason: str) -> None:
            await trio.sleep_forever()

        async with sio.running(), connect_3(sio) as (client, _):
            await client.put("40/chat,")
            await client.put("41/chat,", "40/chat,")
            sio.engine.end_sessions()
        assert not sio.engine.sessions
        assert trio.current_time() < 10


class TestBothKindsOfClients:
    async def test_a_broadcast_reaches_all_in_their_forms(self, sio, autojump_clock):
        async with connect_3(sio) as (old, sid), connect_3(sio, "&b64=1") as (older, _), connect(sio, "40") as new:
            assert await old.get() == await older.get() == "40"
            for socket in sio.sockets.values():
                socket.join("room")
            await sio.to("room").emit("news", "é", b"\1")
            head = '451-["news","é",{"_placeholder":true,"num":0}]'
            assert await old.get_all(2) == [head, b"\4\1"]
            assert await older.get_all(2) == [head, "b4AQ=="]
            assert await new.get_all(2) == [head, b"\1"]
            await sio.sockets[sid].broadcast.emit("others")
            assert await older.get() == await new.get() == '42["others"]'
            assert old.get_waiting() == []

    async def test_questions_both_ways(self, sio, autojump_clock):
        answers = []

        @sio.on("double")
        async def double(socket: Socket, data: bytes) -> bytes:
            return data * 2

        @sio.on_connection
        async def ask(socket: Socket) -> None:
            answers.append(await socket.call("question", 1))

        async with connect_3(sio) as (client, _):
            assert await client.get() == "40"
            question = await client.get()
            assert question.endswith('["question",1]')
            number = question[2 : question.index("[")]
            await client.put(f'461-{number}[{{"_placeholder":true,"num":0}}]', b"\4\1\2")
            assert answers == [b"\1\2"]
            await client.put('451-0["double",{"_placeholder":true,"num":0}]', b"\4\1")
            assert await client.get_all(2) == ['461-0[{"_placeholder":true,"num":0}]', b"\4\1\1"]

    async def test_new_clients_are_told_as_before(self, sio, autojump_clock):
        async with connect(sio) as client:
            socket_id = await client.join(auth={"token": 1})
            assert len(socket_id) == 20
            assert socket_id != only_session(sio.engine).sid
            assert sio.sockets[socket_id].auth == {"token": 1}
            await client.put("40/nobody,")
            assert await client.get() == '44/nobody,{"message":"Invalid namespace"}'
