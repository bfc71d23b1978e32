"""Questions to many clients over the protocol: who answers, who leaves, who does neither, and what is left of it: nothing."""

from __future__ import annotations

import json

import pytest
import trio

from tests.support.client import PATIENCE, MemoryStream, connect, open_polling, poll, post, settle
from trio_socketio import Answers, ConnectionStateRecovery, Limits, Server


async def answer(client: MemoryStream, *args: object) -> None:
    """Answer the question that a client has got last."""
    await settle()
    *_, question = client.get_waiting()
    assert isinstance(question, str)
    number = question.partition("[")[0].rpartition(",")[2].removeprefix("42")
    assert number.isdigit(), question
    await client.put(f"43{number}{json.dumps(args)}")


async def all_of(answers: Answers) -> dict[str, object]:
    with trio.fail_after(PATIENCE):
        return {socket_id: value async for socket_id, value in answers}


def owed(sio: Server) -> int:
    return sum(len(socket._peer.acks) for socket in sio.sockets.values())


@pytest.fixture
async def three(sio):
    """Three clients by the ids of their sockets."""
    async with connect(sio) as a, connect(sio) as b, connect(sio) as c:
        clients = {await client.join(): client for client in (a, b, c)}
        for client in clients.values():
            client.answers_pings = True
        yield clients
        await settle()
        assert owed(sio) == 0, "questions were left"


class TestWhoAnswers:
    async def test_as_they_come(self, sio, three):
        async with sio.call("vote", "tea?", b"leaf") as answers:
            await settle()
            for socket_id, client in reversed(three.items()):
                assert client.get_waiting() == ['451-0["vote","tea?",{"_placeholder":true,"num":0}]', b"leaf"]
                await client.put(f'430["{socket_id}",1]')
                with trio.fail_after(PATIENCE):
                    assert await anext(answers) == (socket_id, (socket_id, 1))
            assert await all_of(answers) == {}
        assert answers.missing == frozenset()

    async def test_binary_answers(self, sio, three):
        async with sio.call("vote") as answers:
            for client in three.values():
                await client.put('461-0[{"_placeholder":true,"num":0}]', b"\x00")
            assert await all_of(answers) == dict.fromkeys(three, b"\x00")

    async def test_gather(self, sio, three, nursery):
        got = []

        async def ask():
            got.append(await sio.gather("vote"))

        nursery.start_soon(ask)
        await settle()
        for number, client in enumerate(three.values()):
            assert got == []
            await answer(client, *range(number))
        assert got == [dict(zip(three, (None, 0, (0, 1)), strict=True))]

    async def test_only_those_whom_it_means_are_asked(self, sio, three):
        a, b, c = three
        sio.sockets[a].join("x")
        sio.sockets[b].join("x", "y")
        for target, expected in [
            (sio.to("x"), {a, b}),
            (sio.to("x", "y").except_(a), {b}),
            (sio.sockets[a].broadcast, {b, c}),
            (sio.sockets[a].to("x"), {b}),
            (sio.local.except_("x"), {c}),
        ]:
            async with target.call("vote") as answers:
                assert answers.missing == expected
            await settle()
            assert {socket_id for socket_id, client in three.items() if client.get_waiting()} == expected

    async def test_nobody_is_there(self, sio):
        with trio.fail_after(1):
            assert await sio.gather("vote") == {}
            async with sio.to("nobody's").call("vote") as answers:
                assert await all_of(answers) == {}
            assert answers.missing == frozenset()

    async def test_who_comes_later_is_not_asked_and_not_waited_for(self, sio, three):
        async with sio.call("vote") as answers, connect(sio, "40") as late:
            for client in three.values():
                await answer(client)
            assert (await all_of(answers)).keys() == three.keys()
            assert late.get_waiting() == []

    async def test_questions_go_on_side_by_side(self, sio, three):
        async with sio.call("one") as one, sio.call("two") as two:
            for client in three.values():
                await settle()
                assert client.get_waiting() == ['420["one"]', '421["two"]']
                await client.put('431["to two"]', '430["to one"]')
            assert await all_of(one) == dict.fromkeys(three, "to one")
            assert await all_of(two) == dict.fromkeys(three, "to two")

    async def test_a_question_of_one_socket_beside_one_to_all(self, sio, three, nursery):
        (socket, *_), (client, *others) = sio.sockets.values(), three.values()
        got = []

        async def ask():
            got.append(await socket.call("mine"))

        async with sio.call("all") as answers:
            nursery.start_soon(ask)
            await settle()
            await client.put('431["to mine"]', '430["to all"]')
            for other in others:
                # It was not asked the other one: that answer means nothing.
                await other.put('431["stray"]', '430["to all"]')
            assert await all_of(answers) == dict.fromkeys(three, "to all")
        assert got == ["to mine"]

    async def test_in_a_handler_also_of_the_client_whose_event_it_is(self, sio, three):
        @sio.on("start", concurrent=False)
        async def start(socket):
            return sorted((await sio.gather("vote")).values())

        first, *_ = three.values()
        await first.put('427["start"]')
        for number, client in enumerate(three.values()):
            await answer(client, number)
        assert first.get_waiting() == ["437[[0,1,2]]"]

    async def test_over_long_polling(self, sio, three):
        query, _ = await open_polling(sio.engine)
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
        async with sio.except_(*three).call("vote") as answers:
            assert (await poll(sio.engine, query)).body == b'420["vote"]'
            await post(sio.engine, query, b'430["polled"]')
            assert list((await all_of(answers)).values()) == ["polled"]
        await post(sio.engine, query, b"1")

    async def test_in_another_namespace(self, sio, three):
        chat = sio.namespace("/chat")
        for client in three.values():
            await client.put("40/chat,")
            client.get_waiting()
        async with chat.call("vote") as answers:
            await settle()
            for client in three.values():
                assert client.get_waiting() == ['42/chat,0["vote"]']
                # The ids of namespaces are apart: in this one nobody has asked anything.
                await client.put('430["stray"]', '43/chat,0["yes"]')
            assert await all_of(answers) == dict.fromkeys(chat.sockets, "yes")


class TestWhoDoesNot:
    @pytest.mark.parametrize("how", ["leaves", "is cut", "is disconnected", "breaks the protocol"])
    async def test_one_leaves_in_the_midst(self, sio, three, how):
        (gone, client), *others = three.items()
        async with sio.call("vote") as answers:
            for _, other in others:
                await answer(other)
            match how:
                case "leaves":
                    await client.put("41")
                case "is cut":
                    client.cut()
                case "is disconnected":
                    sio.to(gone).disconnect_sockets()
                case "breaks the protocol":
                    await client.put("what?")
            assert (await all_of(answers)).keys() == {socket_id for socket_id, _ in others}
            assert answers.missing == {gone}

    async def test_who_left_and_is_back_was_not_asked(self, sio, three):
        (gone, client), *others = three.items()
        async with sio.call("vote") as answers:
            await client.put("41")
            await client.put("40")
            for _, other in others:
                await answer(other)
            await client.put('430["asked in another life"]')
            assert gone not in await all_of(answers)
            assert answers.missing == {gone}

    async def test_one_never_answers(self, sio, three, autojump_clock):
        (silent, _), *others = three.items()
        got = {}
        with trio.move_on_after(5) as patience:
            async with sio.call("vote") as answers:
                for _, other in others:
                    await answer(other)
                async for socket_id, value in answers:
                    got[socket_id] = value
        assert patience.cancelled_caught
        assert trio.current_time() == pytest.approx(patience.deadline)
        assert got.keys() == {socket_id for socket_id, _ in others}
        assert answers.missing == {silent}
        assert silent in sio.sockets, "to be silent costs nothing"

    async def test_one_answers_when_it_is_too_late(self, sio, three):
        async with sio.call("vote") as answers:
            pass
        assert answers.missing == three.keys()
        for client in three.values():
            await answer(client, "late")
        assert await all_of(answers) == {}
        assert len(sio.sockets) == 3

    async def test_one_answers_twice(self, sio, three):
        async with sio.call("vote") as answers:
            for client in three.values():
                await client.put('430["first"]', '430["second"]')
            assert await all_of(answers) == dict.fromkeys(three, "first")

    async def test_one_answers_what_nobody_has_asked(self, sio, three):
        async with sio.call("vote") as answers:
            for client in three.values():
                await client.put('431["guessed"]', '439007199254740991["guessed"]', '430["yes"]')
            assert await all_of(answers) == dict.fromkeys(three, "yes")

    async def test_one_reads_too_slowly(self, sio, three):
        (slow, client), *others = three.items()
        client.reading = trio.Event()
        sio.sockets[slow].emit_nowait("held by the writer")
        await settle()
        with pytest.raises(trio.WouldBlock):
            while True:
                sio.sockets[slow].emit_nowait("fills")
        async with sio.call("vote") as answers:
            assert slow not in sio.sockets
            for _, other in others:
                await answer(other)
            assert (await all_of(answers)).keys() == {socket_id for socket_id, _ in others}
            assert answers.missing == {slow}
        client.reading.set()

    async def test_one_owes_too_many_answers(self, sio, three):
        a, *others = three.items()
        debtor, client = a
        async with sio.to(debtor).call("1"), sio.to(debtor).call("2"):
            async with sio.call("3") as answers:
                for _, other in others:
                    await answer(other)
                assert (await all_of(answers)).keys() == {socket_id for socket_id, _ in others}
                assert answers.missing == {debtor}
            await settle()
            assert client.get_waiting() == ['420["1"]', '421["2"]']
            assert debtor in sio.sockets

    async def test_what_was_forgotten_is_owed_no_more(self, sio, three):
        for _ in range(10):
            async with sio.call("vote") as answers:
                assert answers.missing == three.keys()
        assert owed(sio) == 0


@pytest.mark.parametrize("handler", ["restart", "keep"])
async def test_who_is_lost_is_missing_and_not_asked_again_when_it_is_back(autojump_clock, handler):
    server = Server(recovery=ConnectionStateRecovery(handler=handler))
    async with server.running():
        async with connect(server) as client:
            await client.put("40")
            (joined,) = client.get_waiting()
            pid, (socket_id,) = json.loads(joined[2:])["pid"], server.sockets
            async with server.call("vote") as answers:
                await settle()
                assert client.get_waiting() == ['420["vote"]']
                client.cut()
                assert await all_of(answers) == {}
                assert answers.missing == {socket_id}
        with trio.fail_after(PATIENCE):
            assert await server.gather("who is lost is not asked") == {}
        async with connect(server) as client:
            await client.put(f'40{{"pid":"{pid}"}}')
            assert client.get_waiting() == [joined]
            await client.put('430["late"]')
            assert server.sockets.keys() == {socket_id}
            async with server.call("vote") as answers:
                await answer(client, "now")
                assert await all_of(answers) == {socket_id: "now"}


class TestTheAsker:
    async def test_cancelled_it_has_asked_nobody(self, sio, three):
        with trio.CancelScope() as scope:
            scope.cancel()
            await sio.gather("vote")
        assert scope.cancelled_caught
        await settle()
        assert not any(client.get_waiting() for client in three.values())

    async def test_its_error_comes_out_as_it_is(self, sio, three):
        with pytest.raises(LookupError):
            async with sio.call("vote"):
                raise LookupError
        assert owed(sio) == 0

    @pytest.mark.parametrize(("argument", "error"), [(object(), TypeError), ("\ud800", ValueError)])
    async def test_what_cannot_be_encoded_is_asked_of_nobody(self, sio, three, argument, error):
        with pytest.raises(error):
            async with sio.call("vote", argument):
                raise AssertionError("the block does not begin")
        assert owed(sio) == 0
        await settle()
        assert not any(client.get_waiting() for client in three.values())

    async def test_volatile_questions_are_refused(self, sio, three):
        socket, *_ = sio.sockets.values()
        for target in (sio.volatile, sio.to("x").volatile, socket.volatile.broadcast):
            with pytest.raises(ValueError, match="a volatile event may be dropped: it can't be asked for answers"):
                await target.gather("vote")

    async def test_the_socket_in_whose_task_it_asks_ends(self, sio, three):
        ended = []

        @sio.on("start")
        async def start(socket):
            try:
                await sio.gather("vote")
            finally:
                ended.append(socket.disconnect_reason)

        first, *others = three.values()
        await first.put('42["start"]')
        assert owed(sio) == 3
        await first.put("41")
        assert ended == ["client namespace disconnect"]
        assert owed(sio) == 0

    async def test_the_server_ends(self, autojump_clock):
        server = Server()
        got = []

        async def ask():
            got.append(await server.gather("vote"))

        async with trio.open_nursery() as nursery:
            async with server.running():
                async with connect(server, "40"):
                    nursery.start_soon(ask)
                    await settle()
                    assert got == []
                    nursery.cancel_scope.deadline = trio.current_time() + 1
                await settle()
        assert got == [{}]


async def test_two_hundred_clients_are_asked_at_once(autojump_clock):
    server = Server(limits=Limits(send_queue_packets=4))

    async def vote():
        async with connect(server, "40") as client:
            question = await client.get()
            client.put_nowait(question.replace("42", "43", 1))
            await client.get_close()

    async with server.running(), trio.open_nursery() as clients:
        for _ in range(200):
            clients.start_soon(vote)
        await settle()
        ids = list(server.sockets)
        assert len(ids) == 200
        with trio.fail_after(PATIENCE):
            assert await server.gather("vote", 1) == dict.fromkeys(ids, ("vote", 1))
        server.disconnect_sockets(close=True)
