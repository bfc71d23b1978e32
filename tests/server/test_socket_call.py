"""Questions of a socket to its client: which answer is whose, and when nobody waits for one any more."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import socket_of
from tests.support.client import connect, settle
from trio_socketio import Disconnected, TooManyPendingAcks


class TestCall:
    @pytest.mark.parametrize(
        ("frames", "answer"),
        [
            (["430[]"], None),
            (["430[null]"], None),
            (["430[1]"], 1),
            (["430[[1,2]]"], [1, 2]),
            (['430[1,"two"]'], (1, "two")),
            (['461-0[{"_placeholder":true,"num":0}]', b"a"], b"a"),
        ],
    )
    async def test_the_answer(self, sio, autojump_clock, frames, answer):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            results = []

            async def ask():
                results.append(await socket.call("question", 1, b"blob"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                assert await client.get_all(2) == ['451-0["question",1,{"_placeholder":true,"num":0}]', b"blob"]
                await client.put(*frames)
            assert results == [answer]
            assert not socket._peer.acks

    async def test_answers_in_another_order_go_to_their_questions(self, sio, autojump_clock):
        results = {}
        async with connect(sio, "40") as client:
            socket = socket_of(sio)

            async def ask(name):
                results[name] = await socket.call(name)

            async with trio.open_nursery() as nursery:
                for name in ("a", "b"):
                    nursery.start_soon(ask, name)
                    await settle()
                assert await client.get_all(2) == ['420["a"]', '421["b"]']
                await client.put('431["to b"]', '430["to a"]')
        assert results == {"a": "to a", "b": "to b"}

    async def test_cancelled_and_late(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            with pytest.raises(trio.TooSlowError), trio.fail_after(5):
                await socket.call("one")
            assert not socket._peer.acks
            await client.put("430[1]", "430[1]", "4399[]")
            assert socket.connected
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def ask():
                    assert await socket.call("two") == "two"

                await settle()
                assert client.get_waiting() == ['420["one"]', '421["two"]'], "an id is never used again"
                await client.put('431["two"]')
            with trio.move_on_after(1):
                await socket.call("three")
            with trio.move_on_after(1):
                await socket.call("four")
            assert client.get_waiting() == ['422["three"]', '423["four"]']

    @pytest.mark.parametrize("ending", ["41", "1", "server", "cut"])
    async def test_it_ends_at_once_when_the_socket_ends(self, sio, autojump_clock, ending):
        reason = {
            "41": "client namespace disconnect",
            "1": "transport close",
            "server": "server namespace disconnect",
            "cut": "transport close",
        }[ending]
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def ask():
                    with pytest.raises(Disconnected) as caught:
                        await socket.call("question")
                    assert caught.value.reason == reason

                await settle()
                if ending == "server":
                    socket.disconnect()
                elif ending == "cut":
                    client.cut()
                else:
                    await client.put(ending)
            assert trio.current_time() < 1
            assert not socket._peer.acks

    async def test_too_many(self, sio, autojump_clock):
        async with connect(sio, "40") as client:
            socket = socket_of(sio)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(socket.call, "one")
                nursery.start_soon(socket.call, "two")
                await settle()
                client.get_waiting()
                with pytest.raises(TooManyPendingAcks, match=r"Limits\.max_pending_acks"):
                    await socket.call("three")
                await client.put()
                assert client.get_waiting() == []
                await client.put("430[]")
                nursery.start_soon(socket.call, "four")
                await settle()
                assert client.get_waiting() == ['422["four"]']
                await client.put("431[]", "432[]")

    async def test_the_bound_is_each_sockets_own(self, sio, autojump_clock):
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client, trio.open_nursery() as nursery:
            for namespace in ("/", "/b"):
                for _ in range(2):
                    nursery.start_soon(socket_of(sio, namespace).call, "x")
            await settle()
            assert sorted(client.get_waiting()) == ['42/b,0["x"]', '42/b,1["x"]', '420["x"]', '421["x"]']
            await client.put("430[]", "431[]", "43/b,0[]", "43/b,1[]")

    async def test_answers_of_another_namespace_settle_nothing(self, sio, autojump_clock):
        sio.namespace("/b")
        async with connect(sio, "40", "40/b,") as client, trio.open_nursery() as nursery:

            @nursery.start_soon
            async def ask():
                assert await socket_of(sio).call("x") == "right"

            await settle()
            await client.put('43/b,0["wrong"]', '430["right"]')
