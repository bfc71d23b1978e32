"""Namespaces of patterns come into being when they are joined; and who is told of new ones."""

from __future__ import annotations

import re

import pytest

from tests.support.application import CALM, forever, records_of, socket_of
from tests.support.client import connect, settle
from tests.support.families import TENANT, anything, names
from trio_socketio import LocalAdapter, Namespace, Server

REFUSED = '44/tenant/a,{"message":"Invalid namespace"}'


class TestPatterns:
    async def test_named_groups_are_the_sockets_parameters(self, sio, autojump_clock):
        tenants = sio.namespace(TENANT)
        async with connect(sio, "40/tenant/a,", "40/tenant/b/12,"):
            assert [(each.namespace, dict(each.parameters)) for each in tenants.sockets.values()] == [
                ("/tenant/a", {"tenant": "a"}),
                ("/tenant/b/12", {"tenant": "b", "part": "12"}),
            ]
            with pytest.raises(TypeError):
                socket_of(sio, "/tenant/a").parameters["tenant"] = "b"

    async def test_others_have_none(self, sio, autojump_clock):
        sio.namespace(anything)
        async with connect(sio, "40", "40/x,"):
            assert socket_of(sio).parameters == socket_of(sio, "/x").parameters == {}

    @pytest.mark.parametrize("name", ["/tenant/A", "/tenant/", "/tenant/a/", "/tenant/ab1", "/x/tenant/a", "/tenant"])
    async def test_the_whole_name_must_match(self, sio, autojump_clock, name):
        sio.namespace(TENANT)
        async with connect(sio) as client:
            await client.put(f"40{name},")
            assert await client.get() == f'44{name},{{"message":"Invalid namespace"}}'
            assert names(sio) == set()
            # A packet for it is one for a namespace that was not joined.
            await client.put(f'42{name},["x"]')
            assert await client.get_close() == []

    async def test_of_several_the_first_counts(self, sio, autojump_clock):
        first, second, third = (sio.namespace(re.compile(text)) for text in ("/a.", "/.b", "/a.*"))
        async with connect(sio, "40/ab,", "40/bb,", "40/abc,"):
            found = [[each.namespace for each in family.sockets.values()] for family in (first, second, third)]
            assert found == [["/ab"], ["/bb"], ["/abc"]]

    async def test_one_that_is_made_while_clients_are_here_counts_for_who_joins_then(self, sio, autojump_clock):
        async with connect(sio) as client:
            await client.put("40/tenant/a,")
            assert await client.get() == REFUSED
            sio.namespace(TENANT)
            await client.join("/tenant/a")

    def test_a_pattern_is_of_text(self):
        with pytest.raises(TypeError, match="pattern of bytes: names of namespaces are text"):
            Server().namespace(re.compile(rb"/a"))

    def test_one_that_is_there_already_would_never_be_asked(self):
        sio = Server()
        sio.namespace(re.compile("/a"))
        sio.namespace(anything)
        for again in (re.compile("/a"), anything):
            with pytest.raises(ValueError, match="is there already: the first one would get all clients"):
                sio.namespace(again)
        sio.namespace(re.compile("/a", re.IGNORECASE))
        Server().namespace(re.compile("/a"))

    @pytest.mark.parametrize("parser_takes", ["/tenant/a,b", "tenant", "", "/" + "x" * 255, "/a\nb"])
    async def test_what_the_application_could_not_name_comes_not_into_being(self, sio, autojump_clock, parser_takes):
        """The JSON parser lets none of these through; another one might."""
        asked = []

        @sio.namespace
        async def note(name, auth):
            asked.append(name)
            return True

        assert await sio._namespaces.find(parser_takes, {}) is None
        assert asked == []
        assert names(sio) == set()


class TestHook:
    async def test_it_is_told_of_each_new_namespace_before_anybody_is_in_it(self, sio, autojump_clock):
        told = []

        @sio.on_new_namespace
        def note(namespace):
            told.append((namespace.name, len(namespace.sockets), namespace is sio.namespace(namespace.name)))

        sio.namespace(TENANT)
        sio.namespace("/")
        sio.namespace("/a")
        sio.namespace("a")
        async with connect(sio, "40", "40/a,", "40/tenant/b,"), connect(sio, "40/tenant/b,"):
            assert told == [("/a", 0, True), ("/tenant/b", 0, True)]
            Namespace(sio, "/c")
            assert told[2:] == [("/c", 0, True)]

    def test_the_namespace_is_what_the_caller_gets(self):
        sio, told = Server(), []
        sio.on_new_namespace(told.append)
        assert [sio.namespace("/a")] == told

    async def test_it_may_register_handlers(self, sio, autojump_clock):
        seen = []

        @sio.on_new_namespace
        def equip(namespace):
            @namespace.middleware
            async def check(socket):
                seen.append("middleware")

            @namespace.on("x")
            async def x(socket):
                return namespace.name

            @namespace.on_connection
            async def joined(socket):
                seen.append("connection")

        sio.namespace(TENANT)
        for _ in range(2):
            # The second time it is made anew.
            async with connect(sio, "40/tenant/b,") as client:
                await client.put('42/tenant/b,1["x"]')
                assert await client.get() == '43/tenant/b,1["/tenant/b"]'
            await settle()
            assert names(sio) == set(), "what the hook registers keeps nothing"
        assert seen == ["middleware", "connection"] * 2

    async def test_it_may_make_an_instance_of_a_class(self, sio, autojump_clock):
        class Tenant(Namespace):
            async def on_x(self, socket):
                return self.name

        @sio.on_new_namespace
        def equip(namespace):
            Tenant(sio, namespace.name)

        sio.namespace(TENANT)
        for name in "aba":
            async with connect(sio, f"40/tenant/{name},") as client:
                await client.put(f'42/tenant/{name},1["x"]')
                assert await client.get() == f'43/tenant/{name},1["/tenant/{name}"]'
            await settle()
        assert names(sio) == set()

    async def test_it_may_make_other_namespaces(self, sio, autojump_clock):
        told = []

        @sio.on_new_namespace
        def note(namespace):
            told.append(namespace.name)
            sio.namespace("/log")

        sio.namespace(TENANT)
        async with connect(sio, "40/tenant/a,"):
            assert told == ["/tenant/a", "/log"]
        await settle()
        assert names(sio) == {"/log"}

    async def test_several_are_told_in_their_order(self):
        sio, told = Server(), []
        sio.on_new_namespace(lambda namespace: told.append((1, namespace.name)))
        sio.on_new_namespace(lambda namespace: told.append((2, namespace.name)))
        sio.namespace("/a")
        assert told == [(1, "/a"), (2, "/a")]

    async def test_if_it_raises_the_client_is_refused_and_nobody_joins_what_is_half_made(
        self, sio, autojump_clock, caplog
    ):
        checked, fails = [], [True, True, False]

        @sio.on_new_namespace
        def equip(namespace):
            if fails.pop(0):
                raise LookupError
            namespace.middleware(check)

        async def check(socket):
            checked.append(socket)

        sio.namespace(TENANT)
        async with connect(sio) as client:
            for _ in range(2):
                await client.put("40/tenant/a,")
                assert await client.get() == '44/tenant/a,{"message":"Internal server error"}'
                assert names(sio) == set()
            await client.join("/tenant/a")
        assert records_of(caplog) == [("trio_socketio.socket", LookupError)] * 2
        assert len(checked) == 1

    @pytest.mark.parametrize("name", ["/tenant/a", "/other"])
    @pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
    async def test_if_it_raises_the_application_is_told_and_nothing_was_made(self, name, error):
        closed, fails = [], [True, False]

        class Watched(LocalAdapter):
            def close(self):
                closed.append(self)

        sio = Server(adapter=Watched)
        sio.namespace(TENANT)

        @sio.on_new_namespace
        def equip(namespace):
            namespace.on("x")(forever)
            if fails.pop(0):
                raise error

        with pytest.raises(error):
            sio.namespace(name)
        assert names(sio) == set()
        assert len(closed) == 1
        sio.namespace(name)
        assert names(sio) == {name}

    def test_it_is_a_plain_function(self):
        async def hook(namespace): ...

        for wrong in (hook, None, 5):
            with pytest.raises(TypeError, match=r"is not a plain function: write 'def hook\(namespace\)'"):
                Server().on_new_namespace(wrong)


async def test_two_servers_know_nothing_of_each_others_families(autojump_clock):
    one, two, told = Server(CALM), Server(CALM), []
    tenants = one.namespace(TENANT)
    two.on_new_namespace(told.append)
    async with one.running(), two.running(), connect(one, "40/tenant/a,"), connect(two) as client:
        await client.put("40/tenant/a,")
        assert await client.get() == REFUSED
        other = two.namespace(TENANT)
        await client.join("/tenant/a")
        await tenants.emit("x")
        await settle()
        assert client.get_waiting() == []
        assert len(tenants.sockets) == len(other.sockets) == 1
        assert len(told) == 1
