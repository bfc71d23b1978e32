"""Namespaces that clients have brought into being go when they are empty, and leave nothing."""

from __future__ import annotations

import gc
import json
import logging
import re
import weakref
from typing import Protocol

import pytest
import trio

from tests.support.application import CALM, forever, records_of, socket_of
from tests.support.client import connect, only_session, settle
from tests.support.families import TENANT, anything, names
from trio_socketio import ConnectionRefused, ConnectionStateRecovery, Limits, LocalAdapter, Namespace, Server


@pytest.fixture(params=[TENANT, anything], ids=["pattern", "function"])
def family(request, sio):
    return sio.namespace(request.param)


class TestCleaningUp:
    @pytest.mark.parametrize("leave", ["41/tenant/a,", "1", "cut", "server"])
    async def test_it_goes_with_its_last_socket(self, sio, autojump_clock, family, leave):
        closed = []
        async with connect(sio, "40", "40/tenant/a,") as one, connect(sio, "40/tenant/a,") as two:
            adapter = sio._namespaces.get("/tenant/a").adapter
            adapter.close = lambda: closed.append(adapter)
            for client in (one, two):
                assert names(sio) == {"/tenant/a"}
                if leave == "cut":
                    client.cut()
                elif leave == "server":
                    next(iter(family.sockets.values())).disconnect()
                else:
                    await client.put(leave)
                await settle()
            assert names(sio) == set()
            assert closed == [adapter]
            assert not family.sockets and not family.rooms

    async def test_nothing_keeps_it_in_memory(self, sio, autojump_clock, family):
        async with connect(sio, "40") as client:
            await client.join("/tenant/a")
            gone = weakref.ref(sio._namespaces.get("/tenant/a"))
            await client.put("41/tenant/a,")
            gc.collect()
            assert gone() is None

    async def test_not_before_on_disconnect_has_ended(self, sio, autojump_clock, family):
        seen, go_on = [], trio.Event()

        @family.on_disconnect
        async def gone(socket, reason):
            await go_on.wait()
            seen.append((sorted(names(sio)), socket.rooms == {socket.id}))

        async with connect(sio, "40", "40/tenant/a,") as client:
            await client.put("41/tenant/a,")
            assert not family.sockets
            await client.join("/tenant/a")
            go_on.set()
            await settle()
            assert seen == [(["/tenant/a"], True)]
            assert len(family.sockets) == 1, "the new one is in the same namespace"
        await settle()
        assert names(sio) == set()

    @pytest.mark.parametrize("error", [ConnectionRefused("no"), LookupError()])
    async def test_also_after_a_refusal(self, sio, autojump_clock, family, error):
        @family.middleware
        async def refuse(socket):
            raise error

        async with connect(sio) as client:
            await client.put("40/tenant/a,")
            assert (await client.get()).startswith("44/tenant/a,")
            assert names(sio) == set()

    async def test_not_after_a_refusal_while_others_are_inside(self, sio, autojump_clock, family):
        @family.middleware
        async def check(socket):
            if not socket.auth:
                raise ConnectionRefused("no")

        async with connect(sio, '40/tenant/a,{"x":1}') as inside, connect(sio) as refused:
            await refused.put("40/tenant/a,")
            assert await refused.get() == '44/tenant/a,{"message":"no"}'
            assert names(sio) == {"/tenant/a"}
            await family.emit("x")
            assert await inside.get() == '42/tenant/a,["x"]'

    async def test_not_while_one_is_joining(self, sio, autojump_clock, family):
        let_in = trio.Event()

        @family.middleware
        async def check(socket):
            if socket.auth:
                await let_in.wait()

        async with connect(sio, "40/tenant/a,") as first, connect(sio) as second:
            await second.put('40/tenant/a,{"slow":true}')
            await first.put("41/tenant/a,")
            assert names(sio) == {"/tenant/a"}
            let_in.set()
            await settle()
            assert len(sio.namespace("/tenant/a").sockets) == 1
            await sio.namespace("/tenant/a").emit("x")
            assert (await second.get_all(2))[1] == '42/tenant/a,["x"]'

    async def test_a_client_that_leaves_while_it_is_joining(self, sio, autojump_clock, family):
        family.middleware(forever)
        async with connect(sio) as client:
            await client.put("40/tenant/a,")
            assert names(sio) == {"/tenant/a"}
        await settle()
        assert names(sio) == set()

    async def test_it_is_made_anew_for_who_comes_then(self, sio, autojump_clock, family):
        told = []
        sio.on_new_namespace(lambda namespace: told.append(namespace.name))

        @family.on("x")
        async def x(socket):
            return sorted(socket.rooms - {socket.id})

        async with connect(sio, "40") as client:
            for _ in range(3):
                await client.join("/tenant/a")
                await client.put('42/tenant/a,1["x"]')
                assert await client.get() == "43/tenant/a,1[[]]"
                socket_of(sio, "/tenant/a").join("room")
                await client.put("41/tenant/a,")
        assert told == ["/tenant/a"] * 3
        assert names(sio) == set()

    @pytest.mark.parametrize("make", [Server.namespace, Namespace], ids=["by name", "as a class"])
    async def test_those_that_the_application_has_made_stay(self, sio, autojump_clock, family, make):
        made = make(sio, "/tenant/a")
        async with connect(sio, "40/tenant/a,", "40/tenant/b,"):
            assert len(made.sockets) == 1
        await settle()
        assert names(sio) == {"/tenant/a"}

    async def test_one_of_a_pattern_that_was_made_by_name_is_one_of_the_family(self, sio, autojump_clock):
        """Whether it was made before the family makes the difference: what is there is what it is."""
        early = sio.namespace("/tenant/early")
        tenants, seen = sio.namespace(TENANT), []
        late = sio.namespace("/tenant/late")

        @tenants.on_connection
        async def joined(socket):
            seen.append((socket.namespace, dict(socket.parameters)))

        async with connect(sio, "40/tenant/early,", "40/tenant/late,") as client:
            assert seen == [("/tenant/late", {"tenant": "late"})]
            await tenants.emit("x")
            await settle()
            assert client.get_waiting() == ['42/tenant/late,["x"]']
            assert len(early.sockets) == len(late.sockets) == 1

    async def test_those_stay_for_which_the_application_has_registered_something(self, sio, autojump_clock, family):
        async with connect(sio, "40/tenant/a,") as client:
            sio.namespace("/tenant/a").on("x")(answer_one)
            await client.put("41/tenant/a,")
            assert names(sio) == {"/tenant/a"}
        async with connect(sio, "40/tenant/a,") as client:
            await client.put('42/tenant/a,1["x"]')
            assert await client.get() == "43/tenant/a,1[1]"

    @pytest.mark.parametrize("make", [Server.namespace, Namespace], ids=["by name", "as a class"])
    async def test_and_those_to_which_it_has_given_a_contract(self, sio, autojump_clock, family, make):
        class ToClient(Protocol):
            async def news(self) -> None: ...

        async with connect(sio, "40/tenant/a,"):
            make(sio, "/tenant/a", contract=ToClient)
        await settle()
        assert names(sio) == {"/tenant/a"}
        with pytest.raises(ValueError, match="'other' is no event of the contract"):
            await sio.namespace("/tenant/a").emit("other")

    async def test_those_go_that_it_has_only_looked_at_or_sent_to(self, sio, autojump_clock, family):
        async with connect(sio, "40/tenant/a,"):
            seen = sio.namespace("/tenant/a")
            assert len(seen.sockets) == len(seen.rooms) == 1
            await seen.emit("x")
            seen.sockets_join("room")
        await settle()
        assert names(sio) == set()
        assert repr(seen) == "<OpenNamespace /tenant/a with 0 sockets>"
        assert (dict(seen.sockets), dict(seen.rooms)) == ({}, {})
        assert names(sio) == set(), "looking at what has gone does not make it"

    async def test_whoever_keeps_what_the_hook_was_told_of_may_look_at_it(self, sio, autojump_clock, family):
        told = []
        sio.on_new_namespace(told.append)
        async with connect(sio, "40/tenant/a,", "40/tenant/b,"):
            assert [len(namespace.sockets) for namespace in told] == [1, 1]
        await settle()
        assert [len(namespace.sockets) for namespace in told] == [0, 0]
        async with connect(sio, "40/tenant/a,"):
            assert [len(namespace.sockets) for namespace in told] == [1, 0, 1]

    async def test_it_may_be_switched_off(self, autojump_clock):
        sio = Server(cleanup_empty_child_namespaces=False)
        family, told = sio.namespace(TENANT), []
        sio.on_new_namespace(told.append)

        @family.middleware
        async def check(socket):
            if socket.auth:
                raise ConnectionRefused("no")

        async with sio.running():
            for _ in range(2):
                async with connect(sio, "40/tenant/a,") as client:
                    await client.put('40/tenant/b,{"x":1}')
                    assert await client.get() == '44/tenant/b,{"message":"no"}'
                await settle()
                assert names(sio) == {"/tenant/a", "/tenant/b"}
        assert len(told) == 2

    async def test_one_that_was_replaced_does_not_take_its_successor_along(self, sio, autojump_clock):
        """Workers of a lost socket tell late that they are gone."""
        sio.namespace(TENANT)
        async with connect(sio, "40") as client:
            await client.join("/tenant/a")
            old = sio._namespaces.get("/tenant/a")
            await client.put("41/tenant/a,")
            await client.join("/tenant/a")
            old.look_whether_empty()
            assert sio._namespaces.get("/tenant/a") is not old
            assert len(sio.namespace("/tenant/a").sockets) == 1

    async def test_an_adapter_that_cannot_be_closed_disturbs_nobody(self, autojump_clock, caplog):
        class Broken(LocalAdapter):
            def close(self):
                raise OSError

        sio = Server(adapter=Broken)
        sio.namespace(TENANT)
        async with sio.running(), connect(sio, "40", "40/tenant/a,") as client:
            await client.put("41/tenant/a,")
            assert names(sio) == set()
            assert records_of(caplog) == [("trio_socketio.namespace", OSError)]
            assert socket_of(sio).connected
            await client.join("/tenant/a")

    async def test_an_adapter_that_cannot_be_made_costs_that_client_its_place(self, autojump_clock, caplog):
        fails = [False, True, False]

        def adapter(sockets):
            if fails.pop(0):
                raise OSError
            return LocalAdapter(sockets)

        sio = Server(adapter=adapter)
        sio.namespace(TENANT)
        async with sio.running(), connect(sio) as client:
            await client.put("40/tenant/a,")
            assert await client.get() == '44/tenant/a,{"message":"Internal server error"}'
            assert names(sio) == set()
            await client.join("/tenant/a")


async def answer_one(socket):
    return 1


class TestHostileClients:
    async def test_very_many_namespaces_leave_nothing(self, autojump_clock):
        sio = Server(CALM, limits=Limits(max_namespaces=10))
        sio.namespace(re.compile(r"/\d+"))
        async with sio.running(), connect(sio, "40") as client:
            session = only_session(sio.engine)
            connection = session._handler
            for number in range(300):
                await client.join(f"/{number}")
                await client.put(f"41/{number},")
            assert names(sio) == set()
            assert (connection._searches, connection._left) == ({}, {})
            assert len(connection._workers) == len(connection._unfinished) == 1
            assert session.timers._deadlines.keys() <= {"ping", "pong"}
        await settle()
        assert not sio.engine.sessions

    async def test_very_many_that_the_server_disconnects_are_not_all_remembered(self, autojump_clock):
        sio = Server(CALM, limits=Limits(max_namespaces=10))
        family = sio.namespace(re.compile(r"/\d+"))

        @family.on_connection
        async def kick(socket):
            socket.disconnect()

        async with sio.running(), connect(sio, "40") as client:
            connection = only_session(sio.engine)._handler
            for number in range(200):
                await client.put(f"40/{number},")
            assert client.get_waiting()[-1] == "41/199,"
            assert names(sio) == set()
            assert list(connection._left) == [f"/{number}" for number in range(180, 200)]
            # What was on its way is passed over; what comes much too late is none of it.
            await client.put('42/199,["x"]', '42/180,["x"]')
            assert only_session(sio.engine).close_reason is None
            await client.put('42/0,["x"]')
            assert await client.get_close() == []

    async def test_a_name_that_was_left_again_is_the_latest(self, autojump_clock):
        sio = Server(CALM, limits=Limits(max_namespaces=1))
        sio.namespace(re.compile(r"/\d"))
        async with sio.running(), connect(sio) as client:
            for number in (1, 2, 1):
                await client.join(f"/{number}")
                socket_of(sio, f"/{number}").disconnect()
                assert await client.get() == f"41/{number},"
            assert list(only_session(sio.engine)._handler._left) == ["/2", "/1"]

    async def test_many_clients_that_all_leave(self, autojump_clock):
        sio = Server(CALM, limits=Limits(max_namespaces=20))
        sio.namespace(anything)
        async with sio.running():
            for round_ in range(10):
                joins = [f"40/{round_}/{number}," for number in range(20)]
                async with connect(sio, *joins), connect(sio, *joins):
                    assert len(names(sio)) == 20
                await settle()
                assert names(sio) == set()

    async def test_names_do_not_forge_log_lines(self, sio, autojump_clock, caplog):
        caplog.set_level(logging.DEBUG, logger="trio_socketio")

        @sio.namespace
        async def rule(name, auth):
            raise LookupError

        async with connect(sio) as client:
            await client.put("40/" + "x" * 250 + "\u2028,")
            await client.get()
        assert "\u2028" not in caplog.text
        assert "x" * 200 not in "".join(record.getMessage() for record in caplog.records if record.exc_info)


@pytest.mark.parametrize("handler", ["restart", "keep"])
class TestWithRecovery:
    async def join(self, client, auth=""):
        await client.put(f"40/tenant/a,{auth}")
        return json.loads((await client.get()).removeprefix("40/tenant/a,"))

    async def test_it_is_kept_for_who_may_come_back(self, autojump_clock, handler):
        sio = Server(CALM, recovery=ConnectionStateRecovery(max_disconnection_duration=60, handler=handler))
        tenants, told = sio.namespace(TENANT), []
        sio.on_new_namespace(told.append)
        async with sio.running():
            async with connect(sio) as client:
                first = await self.join(client)
                await tenants.emit("x")
                offset = json.loads((await client.get()).removeprefix("42/tenant/a,"))[-1]
            await trio.sleep(50)
            assert names(sio) == {"/tenant/a"}
            assert not tenants.sockets
            await tenants.emit("missed")
            async with connect(sio) as client:
                assert await self.join(client, json.dumps({"pid": first["pid"], "offset": offset})) == first
                assert (await client.get()).startswith('42/tenant/a,["missed",')
            await trio.sleep(59)
            assert names(sio) == {"/tenant/a"}
            await trio.sleep(2)
            assert names(sio) == set()
            assert len(told) == 1

    async def test_who_leaves_is_not_lost(self, autojump_clock, handler):
        sio = Server(CALM, recovery=ConnectionStateRecovery(handler=handler))
        sio.namespace(TENANT)
        async with sio.running(), connect(sio) as client:
            await self.join(client)
            await client.put("41/tenant/a,")
            assert names(sio) == set()

    async def test_nothing_is_asked_of_an_adapter_that_is_closed(self, autojump_clock, handler):
        """While ``on_expired`` says its last words another client comes and goes."""
        late = []

        class Watched(LocalAdapter):
            is_closed = False

            def close(self):
                self.is_closed = True

            def remove_all(self, socket_id):
                if self.is_closed:
                    late.append(socket_id)
                super().remove_all(socket_id)

        settings = ConnectionStateRecovery(max_disconnection_duration=10, handler=handler)
        sio = Server(CALM, adapter=Watched, recovery=settings)
        tenants = sio.namespace(TENANT)

        @tenants.on_expired
        async def expired(socket):
            await trio.sleep(3)

        async with sio.running():
            async with connect(sio) as client:
                await self.join(client)
            await trio.sleep(11)
            async with connect(sio) as client:
                await self.join(client)
                await client.put("41/tenant/a,")
            await trio.sleep(5)
            assert names(sio) == set()
        assert late == []

    @pytest.mark.parametrize("lingers", [False, True])
    async def test_the_end_of_the_server_leaves_nothing(self, autojump_clock, handler, lingers):
        sio = Server(CALM, recovery=ConnectionStateRecovery(handler=handler))
        tenants, expired = sio.namespace(TENANT), []

        @tenants.on_disconnect
        async def gone(socket, reason):
            await trio.sleep(lingers)

        @tenants.on_expired
        async def note(socket):
            expired.append(socket.namespace)

        async with sio.running():
            async with connect(sio) as client:
                await self.join(client)
            assert names(sio) == {"/tenant/a"}
        assert names(sio) == set()
        assert expired == ["/tenant/a"]
