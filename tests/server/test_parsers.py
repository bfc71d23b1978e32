"""Each server has its own parser; what a faulty one costs."""

from __future__ import annotations

import msgspec
import pytest
import trio_websocket

from tests.support.echo_server import answers, echoing
from tests.support.raw_client import raw_client
from tests.support.served import in_memory
from trio_socketio import JSONParser, MessagePackParser

pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode


class FaultyDecoder:
    unfinished = None

    def feed(self, message):
        raise KeyError(message)


class FaultyParser:
    encode = JSONParser().encode

    def decoder(self, limits):
        return FaultyDecoder()


async def test_servers_of_one_process_have_each_their_own():
    async with in_memory(echoing()) as json_url, in_memory(echoing(parser=MessagePackParser())) as url:
        async with raw_client(url) as client, client.session() as websocket:
            await websocket.send(pack({"type": 0, "data": {"token": b"1"}, "nsp": "/"}))
            answer = unpack(await websocket.receive())
            assert (answer["type"], answer["nsp"], set(answer["data"])) == (0, "/", {"sid"})
            await websocket.send(pack({"type": 2, "data": ["echo", b"\1", None], "options": {}, "id": 5, "nsp": "/"}))
            assert unpack(await websocket.receive()) == {"id": 5, "type": 3, "data": [b"\1", None], "nsp": "/"}
            await answers(json_url)


@pytest.mark.parametrize("message", ["40", pack({"type": 9, "nsp": "/"}), b"\x91" * 5000])
async def test_a_message_against_the_parsers_rules_closes_that_session_only(message):
    server = echoing(parser=MessagePackParser())
    async with in_memory(server) as url, raw_client(url) as client, client.session() as other:
        await other.send(pack({"type": 0, "nsp": "/"}))
        await other.receive()
        async with client.session() as websocket:
            await websocket.send(message)
            with pytest.raises(trio_websocket.ConnectionClosed):
                await websocket.receive()
        await other.send(pack({"type": 2, "data": ["echo"], "id": 5, "nsp": "/"}))
        assert unpack(await other.receive())["data"] == []


async def test_a_parser_with_a_fault_costs_the_connection_and_is_logged(caplog):
    async with in_memory(echoing(parser=FaultyParser())) as url, raw_client(url) as client:
        for _ in range(2):
            async with client.session() as websocket:
                await websocket.send("40")
                with pytest.raises(trio_websocket.ConnectionClosed):
                    await websocket.receive()
    faults = [record for record in caplog.records if record.exc_info]
    assert [record.exc_info[0] for record in faults] == [KeyError, KeyError]
