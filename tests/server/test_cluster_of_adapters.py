"""That ``Adapter`` carries the whole API to other servers: three of them, joined by the bus of ``tests/support/cluster.py``.

Each server has its own clients, on the wire: ``a`` and ``A`` on the first server, ``b`` on the second, ``c`` on the third.
"""

from __future__ import annotations

import json
from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import assert_no_checkpoints

from tests.support.client import PATIENCE, MemoryStream, connect, settle
from tests.support.cluster import Cluster
from trio_socketio import Disconnected, Limits, Server


class Nodes:
    """The servers, their clients by letter, and what they are called."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        limits = Limits(max_pending_acks=2, max_rooms_per_socket=2)
        self.servers = [Server(limits=limits, adapter=cluster.node(f"server {number}")) for number in range(3)]
        self.clients: dict[str, MemoryStream] = {}
        self.ids: dict[str, str] = {}

    def __getitem__(self, letter: str):
        """The socket of a client."""
        server = self.servers["abc".index(letter.lower())]
        return server.sockets[self.ids[letter]]

    def letters(self, ids) -> str:
        """Name sockets by their clients."""
        return "".join(sorted(letter for letter, socket_id in self.ids.items() if socket_id in ids))

    def frames(self) -> dict[str, list[str | bytes]]:
        """What clients have got, without those that have got nothing."""
        got = {letter: client.get_waiting() for letter, client in self.clients.items()}
        return {letter: frames for letter, frames in got.items() if frames}

    async def reached(self) -> str:
        """Who has got something."""
        await settle()
        return "".join(sorted(self.frames()))

    async def answer(self, letter: str, *args: object) -> None:
        """Let a client answer the question that it has got."""
        *_, frame = self.clients[letter].get_waiting()
        assert isinstance(frame, str)
        number = frame.partition("[")[0].removeprefix("42")
        assert number.isdigit(), frame
        await self.clients[letter].put(f"43{number}{json.dumps(args)}")

    def bookkeeping(self) -> list[object]:
        """What adapters still keep of questions."""
        adapters = [adapter for node in self.cluster.nodes.values() for adapter in node.adapters.values()]
        return [kept for each in adapters for kept in (each.asked, each.carried, each.fetches) if kept]


@pytest.fixture
async def nodes(autojump_clock, nursery):
    nodes = Nodes(Cluster(nursery))
    async with AsyncExitStack() as stack:
        for server in nodes.servers:
            await stack.enter_async_context(server.running())
        for letter in "aAbc":
            server = nodes.servers["abc".index(letter.lower())]
            client = nodes.clients[letter] = await stack.enter_async_context(connect(server))
            client.answers_pings = True
            nodes.ids[letter] = await client.join()
        yield nodes
        await settle()
        assert not nodes.bookkeeping(), "questions were left"
        assert not any(socket._peer.acks for server in nodes.servers for socket in server.sockets.values())


async def all_of(answers) -> dict[str, object]:
    with trio.fail_after(PATIENCE):
        return {name: answer async for name, answer in answers}


class TestBroadcasts:
    async def test_whom_they_reach(self, nodes):
        first, second, _ = nodes.servers
        nodes["a"].join("x")
        nodes["b"].join("x", "y")
        nodes["c"].join("y")
        ids = nodes.ids
        for operator, expected in [
            (first, "Aabc"),
            (second, "Aabc"),
            (first.to("x"), "ab"),
            (first.to("x", "y"), "abc"),
            (second.in_("x").to("y"), "abc"),
            (first.to(ids["c"]), "c"),
            (first.to(ids["b"], "x"), "ab"),
            (first.to("nobody's"), ""),
            (first.except_("x"), "Ac"),
            (first.except_(ids["b"], "nobody's"), "Aac"),
            (first.except_(nodes["c"]), "Aab"),
            (first.to("x", "y").except_("y"), "a"),
            (first.to("x").except_("x"), ""),
            (first.local, "Aa"),
            (second.local, "b"),
            (first.local.to("x", "y"), "a"),
            (first.to("y").local, ""),
            (nodes["a"].broadcast, "Abc"),
            (nodes["b"].to("x"), "a"),
            (nodes["b"].except_("y"), "Aa"),
            (nodes["a"].local, "A"),
            (first.compress(False).to("y"), "bc"),
        ]:
            await operator.emit("e")
            assert await nodes.reached() == expected

    async def test_arguments_arrive_as_they_are(self, nodes):
        await nodes.servers[0].to(nodes.ids["c"]).emit("e", {"a": [1, 2.5, None, True]}, b"\x00\xff", "é")
        await settle()
        head = '451-["e",{"a":[1,2.5,null,true]},{"_placeholder":true,"num":0},"é"]'
        assert nodes.frames() == {"c": [head, b"\x00\xff"]}

    async def test_those_of_one_server_come_in_order(self, nodes):
        for number in range(50):
            await nodes.servers[0].emit("e", number)
        await settle()
        expected = [f'42["e",{number}]' for number in range(50)]
        assert nodes.frames() == dict.fromkeys("aAbc", expected)

    async def test_volatile_ones_are_dropped_where_they_cannot_be_written(self, nodes):
        slow = nodes.clients["c"]
        slow.reading = trio.Event()
        nodes["c"].emit_nowait("on its way")
        await settle()
        await nodes.servers[0].volatile.emit("e")
        await settle()
        slow.reading.set()
        await settle()
        frames = nodes.frames()
        assert frames == {**dict.fromkeys("aAb", ['42["e"]']), "c": ['42["on its way"]']}

    async def test_what_cannot_be_encoded_reaches_nobody_on_any_server(self, nodes):
        with pytest.raises(TypeError):
            await nodes.servers[0].to(nodes.ids["c"]).emit("e", object())
        assert await nodes.reached() == ""

    async def test_nothing_of_it_waits(self, nodes):
        with assert_no_checkpoints():
            nodes.servers[0].emit_nowait("e")
            nodes.servers[0].sockets_join("x")
            nodes.servers[0].sockets_leave("x")
        assert nodes.frames() == {}
        assert await nodes.reached() == "Aabc"

    async def test_namespaces_are_apart_and_one_that_a_server_has_not_is_passed_over(self, nodes):
        first, second, third = nodes.servers
        for server in (first, second):
            server.namespace("/chat")
        await nodes.clients["a"].put("40/chat,")
        await nodes.clients["b"].put("40/chat,")
        nodes.frames()
        await first.namespace("/chat").emit("e")
        await settle()
        assert nodes.frames() == dict.fromkeys("ab", ['42/chat,["e"]'])

    async def test_listeners_are_told_on_the_server_of_the_socket(self, nodes):
        seen = []
        for number, server in enumerate(nodes.servers):

            @server.on_any_outgoing
            def sent(socket, event, *args, number=number):
                seen.append((number, socket.id, event, args))

        await nodes.servers[0].to(*map(nodes.ids.get, "ac")).emit("e", 1)
        await settle()
        assert seen == [(0, nodes.ids["a"], "e", (1,)), (2, nodes.ids["c"], "e", (1,))]


class TestAnswers:
    async def test_of_all_servers(self, nodes):
        async with nodes.servers[0].call("vote", "tea?") as answers:
            await settle()
            assert nodes.letters(answers.missing) == "Aabc"
            for letter in "cAab":
                await nodes.answer(letter, letter)
            got = await all_of(answers)
        assert got == {nodes.ids[letter]: letter for letter in "cAab"}
        assert answers.missing == frozenset()

    async def test_they_come_one_by_one(self, nodes):
        async with nodes.servers[1].except_(nodes["b"], nodes.ids["A"]).call("vote") as answers:
            await settle()
            for letter in "ca":
                await nodes.answer(letter, letter, [1])
                with trio.fail_after(PATIENCE):
                    assert await anext(answers) == (nodes.ids[letter], (letter, [1]))
            assert await all_of(answers) == {}

    async def test_gather(self, nodes, nursery):
        got = []

        async def ask():
            got.append(await nodes.servers[2].to(*map(nodes.ids.get, "ab")).gather("vote"))

        nursery.start_soon(ask)
        await settle()
        await nodes.answer("b")
        assert got == []
        await nodes.answer("a", 1)
        assert got == [{nodes.ids["a"]: 1, nodes.ids["b"]: None}]

    async def test_local_asks_this_server_only(self, nodes):
        async with nodes.servers[0].local.call("vote") as answers:
            assert nodes.letters(answers.missing) == "Aa"
            assert await nodes.reached() == "Aa"

    async def test_nobody_is_there(self, nodes):
        with trio.fail_after(PATIENCE):
            assert await nodes.servers[0].to("nobody's").gather("vote") == {}

    async def test_who_leaves_is_missing_and_not_waited_for(self, nodes):
        async with nodes.servers[0].to(*map(nodes.ids.get, "abc")).call("vote") as answers:
            await settle()
            nodes.clients["b"].cut()
            await nodes.clients["c"].put("41")
            await nodes.answer("a", 1)
            assert await all_of(answers) == {nodes.ids["a"]: 1}
        assert nodes.letters(answers.missing) == "bc"

    async def test_who_is_too_late_is_missing(self, nodes, autojump_clock):
        with trio.move_on_after(5):
            async with nodes.servers[0].call("vote") as answers:
                await settle()
                for letter in "ac":
                    await nodes.answer(letter)
                got = dict([await anext(answers), await anext(answers)])
                await anext(answers)
        await settle()
        assert nodes.letters(got) == "ac"
        assert nodes.letters(answers.missing) == "Ab"
        await nodes.answer("b", "late")
        assert await all_of(answers) == {}

    async def test_left_before_the_others_have_heard_of_it(self, nodes):
        async with nodes.servers[0].call("vote"):
            pass
        assert await nodes.reached() == "Aabc"

    async def test_who_owes_too_many_answers_is_not_asked(self, nodes):
        async with nodes.servers[0].call("1"), nodes.servers[1].call("2"):
            await settle()
            nodes.frames()
            with trio.fail_after(PATIENCE):
                async with nodes.servers[2].call("3") as answers:
                    assert await all_of(answers) == {}
            assert nodes.letters(answers.missing) == "Aabc"
            assert await nodes.reached() == ""

    async def test_a_server_that_is_lost(self, nodes):
        async with nodes.servers[0].call("vote") as answers:
            await settle()
            for letter in "ac":
                await nodes.answer(letter, letter)
            nodes.cluster.lose("server 2")
            nodes.cluster.lose("server 1")
            await nodes.answer("A", "A")
            assert nodes.letters(await all_of(answers)) == "Aac"
        assert nodes.letters(answers.missing) == "b"

    async def test_the_server_that_asks_is_lost(self, nodes):
        async with nodes.servers[0].call("vote") as answers:
            await settle()
            nodes.cluster.lose("server 0")
            assert not any(each._peer.acks for each in (nodes["b"], nodes["c"]))
            for letter in "aA":
                await nodes.answer(letter)
            assert nodes.letters(await all_of(answers)) == "Aa"
        assert nodes.letters(answers.missing) == "bc"


class TestSockets:
    async def test_fetch_sockets(self, nodes):
        nodes["a"].join("x")
        nodes["b"].join("x", "y")
        nodes["b"].data["name"] = {"first": ["Bo"]}
        first = nodes.servers[0]
        assert nodes.letters({each.id for each in await first.fetch_sockets()}) == "Aabc"
        assert nodes.letters({each.id for each in await first.to("x").fetch_sockets()}) == "ab"
        assert nodes.letters({each.id for each in await first.except_("x").fetch_sockets()}) == "Ac"
        assert nodes.letters({each.id for each in await first.local.fetch_sockets()}) == "Aa"
        assert await first.to("nobody's").fetch_sockets() == []
        (found,) = await first.to("y").fetch_sockets()
        own = nodes["b"]
        assert (found.id, found.namespace, found.rooms, found.data) == (own.id, "/", own.rooms, own.data)
        assert found.handshake == own.handshake

    @pytest.mark.parametrize("turns", range(5))
    async def test_a_server_is_lost_that_was_to_say_who_is_there(self, nodes, nursery, turns):
        found = []

        async def fetch():
            found.extend(await nodes.servers[0].fetch_sockets())

        nursery.start_soon(fetch)
        for _ in range(turns):
            await trio.lowlevel.checkpoint()
        nodes.cluster.lose("server 1")
        await settle()
        # It may have said so before.
        assert nodes.letters({each.id for each in found} | {nodes.ids["b"]}) == "Aabc"

    async def test_cancelled_while_servers_are_asked(self, nodes):
        with trio.CancelScope() as scope:
            nodes.cluster.nursery.start_soon(_cancel, scope)
            await nodes.servers[0].fetch_sockets()
        assert scope.cancelled_caught
        assert nodes.bookkeeping() == []

    async def test_a_remote_socket_does_all_of_it(self, nodes, nursery):
        (remote,) = await nodes.servers[0].to(nodes.ids["b"]).fetch_sockets()
        await remote.emit("e", 1)
        await settle()
        assert nodes.frames() == {"b": ['42["e",1]']}
        answers = []

        async def call():
            answers.append(await remote.call("q"))

        nursery.start_soon(call)
        await settle()
        await nodes.answer("b", "yes")
        assert answers == ["yes"]
        remote.join("x")
        await settle()
        assert nodes["b"].rooms == {nodes.ids["b"], "x"}
        remote.leave("x", nodes.ids["b"])
        await settle()
        assert nodes["b"].rooms == {nodes.ids["b"]}
        remote.disconnect()
        await settle()
        assert nodes.frames() == {"b": ["41"]}
        with pytest.raises(Disconnected), trio.fail_after(PATIENCE):
            await remote.call("q")
        await remote.emit("nobody hears it")
        assert await nodes.reached() == ""

    async def test_join_and_leave(self, nodes):
        first = nodes.servers[0]
        first.sockets_join("x")
        await settle()
        assert all("x" in nodes[letter].rooms for letter in "aAbc")
        first.to(nodes.ids["a"], nodes.ids["c"]).sockets_join("y")
        first.to("y").sockets_leave("x")
        await settle()
        assert [sorted(nodes[letter].rooms - {nodes.ids[letter]}) for letter in "aAbc"] == [["y"], ["x"], ["x"], ["y"]]
        first.local.sockets_leave("x", "y")
        await settle()
        assert [sorted(nodes[letter].rooms - {nodes.ids[letter]}) for letter in "aAbc"] == [[], [], ["x"], ["y"]]
        assert first.rooms.keys() == {nodes.ids["a"], nodes.ids["A"]}

    async def test_who_is_in_too_many_rooms_stays_out_wherever_it_is(self, nodes, caplog):
        for letter in "ab":
            nodes[letter].join("1", "2")
        nodes.servers[0].sockets_join("3")
        await settle()
        assert nodes.letters({each.id for each in await nodes.servers[2].to("3").fetch_sockets()}) == "Ac"
        assert [record.getMessage().count("stays out") for record in caplog.records] == [1, 1]

    @pytest.mark.parametrize("close", [False, True])
    async def test_disconnect(self, nodes, close):
        for server in nodes.servers:
            server.namespace("/other")
        for letter in "ac":
            await nodes.clients[letter].put("40/other,")
            nodes[letter].join("x")
        nodes.frames()
        nodes.servers[1].to("x").disconnect_sockets(close=close)
        await settle()
        assert nodes.frames().keys() == {"a", "c"}
        left = [len(server.sockets) for server in nodes.servers]
        assert left == [1, 1, 0]
        assert [len(server.namespace("/other").sockets) for server in nodes.servers] == (
            [0] * 3 if close else [1, 0, 1]
        )
        if close:
            for letter in "ac":
                assert await nodes.clients[letter].get_close() == []


async def _cancel(scope: trio.CancelScope) -> None:
    await trio.lowlevel.checkpoint()
    scope.cancel()


class TestServers:
    @pytest.fixture
    def heard(self, nodes):
        """What each of the servers has heard of the others; ``who`` is answered, by the last one with an error."""
        heard = {server_id: [] for server_id in nodes.cluster.nodes}
        for (server_id, events), server in zip(heard.items(), nodes.servers, strict=True):

            @server.on_server_event("news")
            async def news(*args, events=events):
                events.append(args)

            @server.on_server_event("who")
            async def who(question, server_id=server_id):
                if question == "slow":
                    await trio.sleep(10)
                if question == "two":
                    return server_id, question
                if server_id == "server 2":
                    raise OSError("no answer today")
                return f"{question}: {server_id}"

        return heard

    async def test_emit_reaches_all_but_oneself(self, nodes, heard):
        await nodes.servers[0].server_side_emit("news", 1, {"a": [b"2"]})
        await settle()
        assert heard == {"server 0": [], "server 1": [(1, {"a": [b"2"]})], "server 2": [(1, {"a": [b"2"]})]}
        await nodes.servers[0].server_side_emit("nobody handles it")
        await settle()
        assert await nodes.reached() == ""

    async def test_answers_by_the_ids_of_servers(self, nodes, heard, caplog):
        async with nodes.servers[0].server_side_call("who", "two") as answers:
            assert answers.missing == {"server 1", "server 2"}
            assert await all_of(answers) == {
                "server 1": ("server 1", "two"),
                "server 2": ("server 2", "two"),
            }
        async with nodes.servers[1].server_side_call("who", "one") as answers:
            # One that fails answers nothing: that is an answer.
            assert await all_of(answers) == {"server 0": "one: server 0", "server 2": None}
        assert "no answer today" in caplog.text

    async def test_one_is_too_slow(self, nodes, heard, autojump_clock):
        with trio.move_on_after(5):
            async with nodes.servers[0].server_side_call("who", "slow") as answers:
                await all_of(answers)
        assert answers.missing == {"server 1", "server 2"}
        await trio.sleep(10)
        assert await all_of(answers) == {}

    async def test_one_is_lost(self, nodes, heard, autojump_clock):
        async with nodes.servers[0].server_side_call("who", "slow") as answers:
            nodes.cluster.lose("server 2")
            assert (await all_of(answers)).keys() == {"server 1"}
        assert answers.missing == {"server 2"}

    async def test_nobody_has_the_namespace(self, nodes):
        async with nodes.servers[0].namespace("/mine").server_side_call("who") as answers:
            assert await all_of(answers) == {}
