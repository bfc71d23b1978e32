"""Families of namespaces: what is registered counts for all of them, what is sent reaches all of them."""

from __future__ import annotations

import json
import re

import pytest
import trio
from trio.testing import assert_checkpoints

from tests.support.application import socket_of
from tests.support.client import connect, settle
from tests.support.families import TENANT, anything
from trio_socketio import ConnectionRefused, LocalAdapter, Server


@pytest.fixture
def tenants(sio):
    return sio.namespace(TENANT)


class TestInheritance:
    async def test_all_kinds_of_functions(self, sio, autojump_clock, tenants):
        seen = []

        @tenants.middleware
        async def check(socket):
            seen.append("middleware")

        @tenants.on_connection
        async def joined(socket):
            seen.append("connection")

        @tenants.on_any
        async def any_(socket, event, *args):
            seen.append(f"any {event}")

        @tenants.packet_middleware
        async def change(socket, event):
            event.append("changed")

        @tenants.on_any_outgoing
        def outgoing(socket, event, *args):
            seen.append(f"outgoing {event}")

        @tenants.on("x")
        async def x(socket, word):
            seen.append(word)
            raise ValueError

        @tenants.on_error
        async def failed(socket, error, event):
            seen.append(f"error in {event}")

        @tenants.on_disconnect
        async def gone(socket, reason):
            seen.append("disconnect")

        async with connect(sio, "40", "40/tenant/a,") as client:
            await client.put('42["x"]', '42/tenant/a,["x"]')
            await sio.namespace("/tenant/a").emit("y")
            await socket_of(sio, "/tenant/a").emit("z")
            await client.put("41/tenant/a,")
        assert seen == [
            *("middleware", "connection", "any x", "changed", "error in x", "outgoing y", "outgoing z", "disconnect")
        ]

    async def test_live(self, sio, autojump_clock, tenants):
        async def late(socket, *args):
            return "late"

        async with connect(sio, "40/tenant/a,") as client:
            await client.put('42/tenant/a,0["x"]')
            tenants.on("x")(late)
            await client.put('42/tenant/a,1["x"]')
            tenants.off("x")
            await client.put('42/tenant/a,2["x"]')
            assert client.get_waiting() == ['43/tenant/a,1["late"]']

    async def test_a_middleware_that_comes_later_is_asked_about_those_that_join_then(
        self, sio, autojump_clock, tenants
    ):
        async def refuse(socket):
            raise ConnectionRefused("no")

        async with connect(sio, "40/tenant/a,") as client, connect(sio) as other:
            tenants.middleware(refuse)
            await other.put("40/tenant/a,")
            assert await other.get() == '44/tenant/a,{"message":"no"}'
            await client.put('42/tenant/a,["x"]')
            assert len(tenants.sockets) == 1

    async def test_the_familys_go_first_but_of_event_handlers_the_nearest_counts(self, sio, autojump_clock, tenants):
        seen = []

        def note(what):
            async def function(socket, *args):
                seen.append(what)
                return what

            return function

        tenants.middleware(note("middleware of all"))
        tenants.on_connection(note("connection of all"))
        tenants.on_any(note("any of all"))
        tenants.on("x")(note("x of all"))
        tenants.on("y")(note("y of all"))
        own = sio.namespace("/tenant/a")
        own.middleware(note("own middleware"))
        own.on_connection(note("own connection"))
        own.on_any(note("own any"))
        own.on("x")(note("own x"))
        async with connect(sio, "40/tenant/a,") as client, connect(sio, "40/tenant/b,") as other:
            assert sorted(seen[:4]) == sorted(
                ["middleware of all", "own middleware", "connection of all", "own connection"]
            )
            assert seen[:2] == ["middleware of all", "own middleware"]
            seen.clear()
            await client.put('42/tenant/a,1["x"]')
            assert seen == ["any of all", "own any", "own x"]
            await client.put('42/tenant/a,2["y"]')
            await other.put('42/tenant/b,3["x"]')
            assert client.get_waiting() == ['43/tenant/a,1["own x"]', '43/tenant/a,2["y of all"]']
            assert other.get_waiting() == ['43/tenant/b,3["x of all"]']
            own.off("x")
            await client.put('42/tenant/a,4["x"]')
            assert await client.get() == '43/tenant/a,4["x of all"]'

    async def test_a_socket_is_nearer_still(self, sio, autojump_clock, tenants):
        @tenants.on("x")
        async def x(socket):
            return "of all"

        @tenants.on_connection
        async def joined(socket):
            @socket.on("x")
            async def x(socket):
                return "of one"

        async with connect(sio, "40/tenant/a,") as client:
            await client.put('42/tenant/a,1["x"]')
            assert await client.get() == '43/tenant/a,1["of one"]'

    async def test_events_of_other_servers(self, autojump_clock):
        """As an adapter of a cluster hands them over."""
        adapters = {}

        class Clustered(LocalAdapter):
            def __init__(self, sockets):
                super().__init__(sockets)
                adapters[sockets.name] = sockets

        sio = Server(adapter=Clustered)
        tenants = sio.namespace(TENANT)

        @tenants.on_server_event("x")
        async def x(*args):
            return "of all", *args

        @sio.namespace("/tenant/a").on_server_event("x")
        async def own(*args):
            return "own", *args

        async with sio.running(), connect(sio, "40", "40/tenant/a,", "40/tenant/b,"):
            answers = [await adapters[name].handle_server_event(["x", 1]) for name in ("/tenant/a", "/tenant/b", "/")]
            assert answers == [("own", 1), ("of all", 1), ()]
            assert await adapters["/tenant/b"].handle_server_event(["y"]) == ()

    async def test_families_inherit_nothing_from_each_other(self, sio, autojump_clock, tenants):
        others = sio.namespace(anything)

        @tenants.on("x")
        async def x(socket):
            return 1

        async with connect(sio, "40/x,") as client:
            await client.put('42/x,1["x"]')
            assert client.get_waiting() == []
            assert (len(tenants.sockets), len(others.sockets)) == (0, 1)


class TestAll:
    """Two clients in one namespace, one of them in another too; a third somewhere else."""

    @pytest.fixture
    async def clients(self, sio, autojump_clock, tenants):
        async with (
            connect(sio, "40/tenant/a,") as one,
            connect(sio, "40/tenant/a,", "40/tenant/b,") as two,
            connect(sio, "40") as stranger,
        ):
            yield one, two, stranger

    @staticmethod
    def got(clients):
        return [client.get_waiting() for client in clients]

    async def test_emit(self, tenants, clients):
        expected = [['42/tenant/a,["x",1]'], ['42/tenant/a,["x",1]', '42/tenant/b,["x",1]'], []]
        with assert_checkpoints():
            await tenants.emit("x", 1)
        await settle()
        assert self.got(clients) == expected
        for operator in (tenants, tenants.local, tenants.to(), tenants.compress(False)):
            operator.emit_nowait("x", 1)
            await settle()
            assert self.got(clients) == expected
        # Of two volatile events for one client the second meets the first in the outbox.
        tenants.volatile.emit_nowait("x", 1)
        await settle()
        assert self.got(clients) == [['42/tenant/a,["x",1]'], ['42/tenant/a,["x",1]'], []]

    async def test_binary(self, tenants, clients):
        await tenants.emit("x", b"\x00")
        await settle()
        head = '["x",{"_placeholder":true,"num":0}]'
        one, two, stranger = self.got(clients)
        assert one == [f"451-/tenant/a,{head}", b"\x00"]
        assert two == [f"451-/tenant/a,{head}", b"\x00", f"451-/tenant/b,{head}", b"\x00"]
        assert stranger == []

    async def test_rooms_of_the_same_name_are_one(self, sio, tenants, clients):
        first, *_ = sio.namespace("/tenant/a").sockets.values()
        other = socket_of(sio, "/tenant/b")
        first.join("room")
        other.join("room", "b")
        assert tenants.rooms["room"] == {first.id, other.id}
        assert tenants.rooms["b"] == {other.id}
        for operator, ids in [
            (tenants.to("room"), {first.id, other.id}),
            (tenants.in_("b"), {other.id}),
            (tenants.to("room").except_("b"), {first.id}),
            (tenants.except_("room"), set(tenants.sockets) - {first.id, other.id}),
            (tenants.to("nobody"), set()),
            (tenants.to(first.id), {first.id}),
            (tenants.except_(first, other), set(tenants.sockets) - {first.id, other.id}),
        ]:
            assert {each.id for each in await operator.fetch_sockets()} == ids
            await operator.emit("x")
            await settle()
            assert sum(map(len, self.got(clients))) == len(ids)

    async def test_sockets(self, sio, tenants, clients):
        sockets = tenants.sockets
        assert [each.namespace for each in sockets.values()] == ["/tenant/a", "/tenant/a", "/tenant/b"]
        assert list(sockets) == [each.id for each in sockets.values()]
        assert repr(tenants) == f"<OpenNamespace {TENANT.pattern} with 3 sockets>"
        assert tenants.name == TENANT.pattern
        assert not set(sockets) & set(sio.sockets)

    async def test_a_familys_name_is_its_functions(self):
        assert Server().namespace(anything).name == "anything"

        class Rule:
            async def __call__(self, name, auth):
                return True

        assert Server().namespace(Rule()).name == "a function"

    async def test_gather_and_call(self, tenants, clients):
        async with trio.open_nursery() as nursery:
            answers = {}

            async def gather():
                answers.update(await tenants.gather("how many", 1))

            nursery.start_soon(gather)
            await settle()
            asked = self.got(clients)
            assert [len(frames) for frames in asked] == [1, 2, 0]
            for client, frames in zip(clients, asked, strict=True):
                for frame in frames:
                    name, ack_id = re.fullmatch(r'42(/tenant/.),(\d+)\["how many",1\]', frame).groups()
                    assert not answers
                    await client.put(f'43{name},{ack_id}["{name}"]')
        assert answers == {socket_id: each.namespace for socket_id, each in tenants.sockets.items()}

    async def test_who_does_not_answer_is_missing_and_the_late_are_forgotten(self, tenants, clients, autojump_clock):
        one, two, _ = clients
        with trio.move_on_after(5):
            async with tenants.call("x") as answers:
                await settle()
                ((first,), (second, third), _) = self.got(clients)
                await one.put(first.replace("42", "43").replace('["x"]', "[1]"))
                found = []
                async for socket_id, answer in answers:
                    found.append((tenants.sockets[socket_id].namespace, answer))
        assert found == [("/tenant/a", 1)]
        assert {tenants.sockets[socket_id].namespace for socket_id in answers.missing} == {"/tenant/a", "/tenant/b"}
        await two.put(second.replace("42", "43").replace('["x"]', "[2]"))
        assert all(not socket._peer.acks for socket in tenants.sockets.values())

    async def test_who_leaves_is_not_waited_for(self, tenants, clients):
        one, two, _ = clients
        async with tenants.call("x") as answers:
            await settle()
            one.cut()
            await two.put("41/tenant/a,", "1")
            assert [each async for each in answers] == []

    async def test_if_one_cannot_be_asked_nobody_is(self, sio, tenants, clients):
        def fail(*args):
            raise OSError

        sio._namespaces.get("/tenant/b").adapter.ask = fail
        with pytest.raises(OSError):
            await tenants.gather("x")
        assert all(not socket._peer.acks for socket in tenants.sockets.values())

    async def test_fetch_sockets(self, tenants, clients):
        with assert_checkpoints():
            found = await tenants.fetch_sockets()
        assert {each.id: each.namespace for each in found} == {
            each.id: each.namespace for each in tenants.sockets.values()
        }
        in_b = next(each for each in found if each.namespace == "/tenant/b")
        await in_b.emit("x")
        in_b.join("r")
        await settle()
        assert self.got(clients) == [[], ['42/tenant/b,["x"]'], []]
        assert tenants.rooms["r"] == {in_b.id}
        in_b.disconnect()
        await settle()
        assert self.got(clients) == [[], ["41/tenant/b,"], []]

    async def test_sockets_join_and_leave(self, sio, tenants, clients):
        tenants.sockets_join("r", "s")
        assert tenants.rooms["r"] == tenants.rooms["s"] == set(tenants.sockets)
        tenants.in_("r").sockets_leave("s")
        assert "s" not in tenants.rooms
        assert "r" not in sio.rooms
        for socket_ in tenants.sockets.values():
            assert socket_.rooms == {socket_.id, "r"}

    async def test_disconnect_sockets(self, sio, tenants, clients):
        one, two, stranger = clients
        tenants.disconnect_sockets()
        await settle()
        assert self.got(clients) == [["41/tenant/a,"], ["41/tenant/a,", "41/tenant/b,"], []]
        assert not tenants.sockets
        assert len(sio.sockets) == 1
        await one.join("/tenant/a")
        tenants.disconnect_sockets(close=True)
        assert await one.get_close() == ["41/tenant/a,"]
        await settle()
        assert len(sio.engine.sessions) == 2

    async def test_what_cannot_be_sent_reaches_nobody(self, tenants, clients):
        with pytest.raises(TypeError):
            await tenants.emit("x", object())
        with pytest.raises(ValueError, match="reserved"):
            await tenants.emit("connect")
        with pytest.raises(TypeError):
            await tenants.gather("x", object())
        await settle()
        assert self.got(clients) == [[], [], []]
        assert all(not socket._peer.acks for socket in tenants.sockets.values())

    async def test_who_reads_slowly_is_noticed_in_each_of_them(self, sio, tenants, clients):
        _, two, _ = clients
        two.reading = trio.Event()
        adapter = sio._namespaces.get("/tenant/b").adapter
        for _ in range(8):
            sio.namespace("/tenant/b").emit_nowait("x")
        assert adapter.is_crowded
        assert tenants._everybody()._adapter.is_crowded
        assert not sio._namespaces.get("/").adapter.is_crowded
        two.reading.set()


class TestOtherServers:
    async def test_events_and_questions_go_to_those_of_each_member(self, autojump_clock):
        sent = []

        class Clustered(LocalAdapter):
            def __init__(self, sockets):
                super().__init__(sockets)
                self.name = sockets.name

            def server_side_emit(self, args):
                sent.append((self.name, list(args)))

            def server_side_ask(self, args, sink):
                sent.append((self.name, list(args)))
                sink.expect([f"server of {self.name}"])
                sink.answer(f"server of {self.name}", [1])
                sink.close()
                return lambda: sent.append((self.name, "forgotten"))

        sio = Server(adapter=Clustered)
        tenants = sio.namespace(TENANT)
        async with sio.running(), connect(sio, "40/tenant/a,", "40/tenant/b,"):
            await tenants.server_side_emit("reload", 5)
            assert sent == [("/tenant/a", ["reload", 5]), ("/tenant/b", ["reload", 5])]
            sent.clear()
            async with tenants.server_side_call("load") as answers:
                assert [each async for each in answers] == [("server of /tenant/a", 1), ("server of /tenant/b", 1)]
            assert sent[2:] == [("/tenant/a", "forgotten"), ("/tenant/b", "forgotten")]


class TestNobody:
    """A family without namespaces."""

    async def test_it_is_like_an_empty_namespace(self, sio, autojump_clock, tenants):
        assert (dict(tenants.sockets), dict(tenants.rooms)) == ({}, {})
        await tenants.emit("x")
        await tenants.to("room").emit("x")
        assert await tenants.gather("x") == {}
        assert await tenants.fetch_sockets() == []
        tenants.sockets_join("r")
        tenants.sockets_leave("r")
        tenants.disconnect_sockets(close=True)
        await tenants.server_side_emit("x")
        async with tenants.server_side_call("x") as answers:
            assert [each async for each in answers] == []

    async def test_it_asks_who_was_there_when_it_was_asked(self, sio, autojump_clock, tenants):
        async with connect(sio, "40/tenant/a,") as one, tenants.call("x") as answers:
            await settle()
            async with connect(sio, "40/tenant/b,") as two:
                assert two.get_waiting() == []
                (question,) = one.get_waiting()
                await one.put("43" + question.removeprefix("42").replace('["x"]', json.dumps([1])))
                assert [answer async for _, answer in answers] == [1]
