"""What a socket has of its own, when its client is lost and comes back."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.application import CALM, socket_of
from tests.support.client import connect, settle
from trio_socketio import ConnectionStateRecovery, Disconnected, Server


async def echo(socket, *args):
    return args


async def join(client, **auth) -> dict[str, str]:
    """Join, and return what the client must say to come back."""
    client.put_nowait("40" + (json.dumps(auth) if auth else ""))
    answer = json.loads((await client.get()).removeprefix("40"))
    return {"pid": answer["pid"]}


@pytest.fixture
def sio():
    return Server(CALM, recovery=ConnectionStateRecovery(handler="keep"))


async def test_kept_its_handlers_listeners_and_streams_live_on(sio, autojump_clock):
    told, seen = [], []
    async with sio.running():
        async with connect(sio) as client:
            back = await join(client)
            socket = socket_of(sio)
            socket.on("x")(echo)
            socket.on_any_outgoing(lambda socket, event, *args: told.append(event))

            async def read():
                async for event in socket:
                    seen.append(event.args)

            socket.nursery.start_soon(read)
            await sio.emit("before")
            await settle()
            offset = json.loads(client.get_waiting()[0][2:])[-1]
            await client.put('421["x",1]')
            assert client.get_waiting() == ["431[1]"]
        await settle()
        assert not socket.connected
        assert not sio._namespaces.get("/")._watched
        socket.emit_nowait("meanwhile")
        with pytest.raises(Disconnected, match="transport close"):
            await socket.call("nobody is there to answer")
        async with connect(sio) as client:
            await join(client, **back, offset=offset)
            assert socket.connected
            await sio.emit("after")
            await client.put('422["x",2]')
            frames = client.get_waiting()
            assert [frame.partition(",")[0] for frame in frames] == ['42["meanwhile"', '42["after"', "432[2]"]
            assert told == ["before", "meanwhile", "after"]
            assert seen == [(1,), (2,)]


async def test_kept_its_stream_ends_when_nobody_comes_back(sio, autojump_clock):
    ended = []
    async with sio.running(), trio.open_nursery() as nursery:
        async with connect(sio) as client:
            await join(client)

            async def read(socket):
                ended.append([event.name async for event in socket])

            nursery.start_soon(read, socket_of(sio))
            await settle()
            await client.put('42["a"]')
        await settle()
        assert ended == []
        await trio.sleep(121)
        assert ended == [["a"]]


async def test_kept_events_that_waited_for_a_reader_are_not_lost(sio, autojump_clock):
    seen = []
    async with sio.running():
        async with connect(sio) as client:
            back = await join(client)
            socket = socket_of(sio)
            async with socket.events("n") as events:
                await sio.emit("x")
                await settle()
                offset = json.loads(client.get_waiting()[0][2:])[-1]
                await client.put('42["n",1]', '42["n",2]')
                client.cut()
                await settle()
                assert not socket.connected
                async with connect(sio) as again:
                    await join(again, **back, offset=offset)
                    await again.put('42["n",3]')
                    for _ in range(3):
                        seen.append((await anext(events)).args[0])
    assert seen == [1, 2, 3]


async def test_restarted_it_begins_anew(autojump_clock):
    sio = Server(CALM, recovery=ConnectionStateRecovery())
    told = []
    sio.on("x")(echo)
    async with sio.running():
        async with connect(sio) as client:
            back = await join(client)
            old = socket_of(sio)
            old.on_any_outgoing(lambda socket, event, *args: told.append(event))

            @old.on("x")
            async def own(socket, *args):
                return "own"

            await sio.emit("before")
            await settle()
            offset = json.loads(client.get_waiting()[0][2:])[-1]
        await settle()
        async with connect(sio) as client:
            await join(client, **back, offset=offset)
            socket = socket_of(sio)
            assert socket.id == old.id
            assert socket.recovered
            # A listener of the old one must not stand for the new one, which has its id.
            old.off_any_outgoing(next(iter(old._life.behaviour.outgoing)))
            old.on_any_outgoing(lambda socket, event, *args: told.append("too late"))
            await sio.emit("after")
            await client.put('421["x",2]')
            assert client.get_waiting()[-1] == "431[2]"
    assert told == ["before"]
