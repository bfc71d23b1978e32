"""Functions that say which namespaces exist: asked, refusing, failing, hanging, cancelled, overtaken."""

from __future__ import annotations

import re

import pytest
import trio

from tests.support.application import CALM, forever, records_of, socket_of
from tests.support.client import connect, only_session, open_polling, post, settle
from tests.support.families import TENANT, anything, names
from trio_socketio import CloseReason, Limits, Server


async def hang(name, auth):
    await trio.sleep_forever()


async def refuse_to_say(name, auth):
    raise AssertionError("is not asked")


class TestFunctions:
    async def test_it_is_asked_with_what_the_client_has_said(self, sio, autojump_clock):
        asked = []

        async def rule(name, auth):
            await trio.lowlevel.checkpoint()
            asked.append((name, dict(auth)))
            return auth.get("token") == "good"

        family = sio.namespace(rule)
        async with connect(sio, '40/a,{"token":"good"}') as client:
            await client.put("40/b,", '40/c,{"token":"bad"}')
            assert await client.get_all(2) == [f'44/{name},{{"message":"Invalid namespace"}}' for name in "bc"]
            assert asked == [("/a", {"token": "good"}), ("/b", {}), ("/c", {"token": "bad"})]
            assert [each.namespace for each in family.sockets.values()] == ["/a"]
            assert names(sio) == {"/a"}

    async def test_who_comes_first_lets_in_nobody_else(self, sio, autojump_clock):
        async def rule(name, auth):
            return auth.get("token") == "good"

        sio.namespace(rule)
        async with connect(sio, '40/a,{"token":"good"}'), connect(sio) as bad, connect(sio) as good:
            await bad.put("40/a,")
            assert await bad.get() == '44/a,{"message":"Invalid namespace"}'
            await good.join("/a", {"token": "good"})
            assert len(sio.namespace("/a").sockets) == 2
            # Nor does the application, by looking at it, or by registering something there.
            sio.namespace("/a").on("x")(forever)
            await bad.put("40/a,")
            assert await bad.get() == '44/a,{"message":"Invalid namespace"}'

    async def test_if_it_is_there_other_families_are_not_asked(self, sio, autojump_clock):
        async def rule(name, auth):
            return bool(auth)

        sio.namespace(rule)
        others = sio.namespace(re.compile("/a"))
        async with connect(sio, '40/a,{"x":1}'), connect(sio) as client:
            await client.put("40/a,")
            assert await client.get() == '44/a,{"message":"Invalid namespace"}'
            assert not others.sockets

    async def test_names_that_the_application_has_made_are_not_asked_about(self, sio, autojump_clock):
        sio.namespace(refuse_to_say)
        sio.namespace("/static")
        async with connect(sio, "40", "40/static,"):
            pass

    async def test_functions_and_patterns_are_asked_in_their_order(self, sio, autojump_clock):
        asked = []

        def note(number, answer):
            async def rule(name, auth):
                asked.append(number)
                return answer

            return rule

        families = [sio.namespace(rule) for rule in (note(1, False), TENANT, note(2, None), note(3, 1), note(4, True))]
        async with connect(sio, "40/tenant/a,", "40/x,"):
            assert [len(family.sockets) for family in families] == [0, 1, 0, 1, 0]
            assert asked == [1, 1, 2, 3]

    @pytest.mark.parametrize("others", [[], [TENANT]])
    async def test_one_that_raises_is_logged_and_the_client_refused(self, sio, autojump_clock, caplog, others):
        @sio.namespace
        async def rule(name, auth):
            raise LookupError("secret")

        for each in others:
            sio.namespace(each)
        async with connect(sio) as client:
            await client.put("40/tenant/a,")
            assert await client.get() == '44/tenant/a,{"message":"Internal server error"}'
            assert records_of(caplog) == [("trio_socketio.socket", LookupError)]
            assert "'/tenant/a': whether it exists could not be found out" in caplog.text
            await client.join()
            # It is no reason not to try again.
            await client.put("40/tenant/a,")
            assert await client.get() == '44/tenant/a,{"message":"Internal server error"}'
        assert names(sio) == set()

    async def test_errors_in_a_group_with_its_cancellation_are_contained_too(self, autojump_clock, caplog):
        sio = Server(CALM, limits=Limits(connect_timeout=45))

        @sio.namespace
        async def rule(name, auth):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail_when_cancelled)
                await trio.sleep_forever()

        async def fail_when_cancelled():
            try:
                await trio.sleep_forever()
            finally:
                raise LookupError

        async with sio.running(), connect(sio, "40") as client:
            await client.put("40/a,")
            await trio.sleep(46)
            assert '44/a,{"message":"Internal server error"}' in client.get_waiting()
            assert records_of(caplog) == [("trio_socketio.socket", ExceptionGroup)]
            await client.put("40/a,")
        await settle()
        assert [kind for _, kind in records_of(caplog)] == [ExceptionGroup] * 2

    async def test_one_that_hangs_is_ended_by_the_connect_timeout(self, autojump_clock):
        sio, ended = Server(CALM, limits=Limits(connect_timeout=45)), []

        @sio.namespace
        async def rule(name, auth):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

        async with sio.running(), connect(sio, "40") as client:
            await trio.sleep(10)
            await client.put("40/a,")
            assert await client.get() == '44/a,{"message":"Connection timed out"}'
            await settle()
            assert ended == [pytest.approx(55)]
            assert socket_of(sio).connected
            await client.put("40/a,")
            await client.put("40/b,")
            assert {await client.get(), await client.get()} == {
                f'44/{name},{{"message":"Connection timed out"}}' for name in "ab"
            }
        assert names(sio) == set()

    async def test_a_client_that_has_joined_nothing_else_is_closed_by_it(self, autojump_clock):
        sio = Server(CALM, limits=Limits(connect_timeout=45))
        sio.namespace(hang)
        async with sio.running(), connect(sio) as client:
            session = only_session(sio.engine)
            await client.put("40/a,")
            assert await client.get_close() == []
            assert trio.current_time() == pytest.approx(45)
            assert session.close_reason is CloseReason.FORCED_SERVER_CLOSE

    async def test_the_middlewares_get_the_connect_timeout_for_themselves(self, autojump_clock):
        sio = Server(CALM, limits=Limits(connect_timeout=45))

        async def slow(*args):
            await trio.sleep(40)
            return True

        sio.namespace(slow).middleware(slow)
        async with sio.running(), connect(sio, "40") as client:
            began = trio.current_time()
            await client.join("/a")
            assert trio.current_time() - began == pytest.approx(80)

    @pytest.mark.parametrize("leave", ["cut", "1", "drain", "protocol error"])
    async def test_it_is_cancelled_when_the_client_leaves(self, autojump_clock, leave):
        sio, ended = Server(CALM), []

        @sio.namespace
        async def rule(name, auth):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(name)

        async with sio.running(), connect(sio, "40") as client:
            await client.put("40/a,", "40/b,")
            match leave:
                case "cut":
                    client.cut()
                case "drain":
                    await sio.drain()
                case "protocol error":
                    await client.put("nonsense")
                case _:
                    await client.put(leave)
            await settle()
            assert sorted(ended) == ["/a", "/b"]
            assert not sio.engine.sessions
        assert names(sio) == set()

    async def test_it_is_cancelled_with_the_server(self, autojump_clock):
        sio, ended = Server(CALM), []

        @sio.namespace
        async def rule(name, auth):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(name)

        async with sio.running():
            query, _ = await open_polling(sio.engine)
            await post(sio.engine, query, b"40/a,")
            await settle()
        assert ended == ["/a"]
        assert names(sio) == set()

    async def test_a_client_that_leaves_in_the_last_moment_leaves_no_namespace(self, autojump_clock):
        sio, let_in = Server(CALM), trio.Event()

        @sio.namespace
        async def rule(name, auth):
            with trio.CancelScope(shield=True):
                await let_in.wait()
            return True

        async with sio.running(), connect(sio) as client:
            await client.put("40/a,")
            client.cut()
            await settle()
            let_in.set()
            await settle()
            assert names(sio) == set()
            assert not sio.engine.sessions

    @pytest.mark.parametrize("rule", [TENANT, anything])
    async def test_a_client_that_has_left_already_brings_nothing_into_being(self, sio, autojump_clock, rule):
        told = []
        sio.on_new_namespace(told.append)
        sio.namespace(rule)
        query, _ = await open_polling(sio.engine)
        # Both are read in one turn: the search has not begun when the session ends.
        await post(sio.engine, query, b"40/tenant/a,\x1e4nonsense")
        assert not sio.engine.sessions
        await settle()
        assert told == []
        assert names(sio) == set()

    async def test_two_clients_at_once_bring_the_same_into_being(self, sio, autojump_clock):
        asked, let_in, told = [], trio.Event(), []
        sio.on_new_namespace(told.append)

        @sio.namespace
        async def rule(name, auth):
            asked.append(name)
            await let_in.wait()
            return True

        async with connect(sio) as one, connect(sio) as two:
            await one.put("40/a,")
            await two.put("40/a,")
            assert asked == ["/a", "/a"]
            assert names(sio) == set()
            let_in.set()
            await settle()
            assert {await client.get() for client in (one, two)} == {
                f'40/a,{{"sid":"{socket_id}"}}' for socket_id in sio.namespace("/a").sockets
            }
            assert [namespace.name for namespace in told] == ["/a"]
            await sio.namespace("/a").emit("x")
            await settle()
            assert one.get_waiting() == two.get_waiting() == ['42/a,["x"]']
        await settle()
        assert names(sio) == set()

    async def test_what_another_family_has_made_meanwhile_is_its_own_to_open(self, sio, autojump_clock):
        """The client is let in by the second family, and would be refused by the first, whose namespace it is by then."""
        first_is_back = trio.Event()

        async def first(name, auth):
            return bool(auth)

        async def second(name, auth):
            await first_is_back.wait()
            return True

        families = [sio.namespace(first), sio.namespace(second)]
        async with connect(sio) as stranger:
            await stranger.put("40/a,")
            async with connect(sio, '40/a,{"x":1}'):
                first_is_back.set()
                await settle()
                assert stranger.get_waiting() == ['44/a,{"message":"Invalid namespace"}']
                assert [len(family.sockets) for family in families] == [1, 0]

    async def test_what_the_application_has_made_meanwhile_is_joined(self, sio, autojump_clock):
        let_in = trio.Event()

        async def rule(name, auth):
            await let_in.wait()
            return True

        family = sio.namespace(rule)
        async with connect(sio) as client:
            await client.put("40/a,")
            made = sio.namespace("/a")
            let_in.set()
            await settle()
            assert client.get_waiting() == [f'40/a,{{"sid":"{socket_of(sio, "/a").id}"}}']
            assert len(made.sockets) == 1
            assert not family.sockets, "it is not one of its namespaces"

    async def test_a_second_connect_meanwhile_closes(self, sio, autojump_clock):
        sio.namespace(hang)
        async with connect(sio, "40") as client:
            session = only_session(sio.engine)
            await client.put("40/a,", "40/a,")
            assert await client.get_close() == []
            assert session.close_reason is CloseReason.FORCED_CLOSE

    @pytest.mark.parametrize(
        "packet", ['42/a,["x"]', "41/a,", "43/a,0[]", '451-/a,["x",{"_placeholder":true,"num":0}]']
    )
    async def test_packets_before_it_has_answered_close(self, sio, autojump_clock, packet):
        sio.namespace(hang)
        async with connect(sio, "40") as client:
            await client.put("40/a,", packet)
            assert await client.get_close() == []

    async def test_others_go_on_meanwhile(self, sio, autojump_clock):
        sio.namespace(hang)

        @sio.on("x")
        async def x(socket):
            return 1

        async with connect(sio, "40") as client:
            await client.put("40/a,", '421["x"]')
            assert await client.get() == "431[1]"

    async def test_those_that_are_being_looked_for_count_as_namespaces_of_the_client(self, sio, autojump_clock):
        let_in = trio.Event()

        @sio.namespace
        async def rule(name, auth):
            await let_in.wait()
            return name != "/b"

        assert sio.limits.max_namespaces == 3
        async with connect(sio, "40") as client:
            await client.put("40/a,", "40/b,", "40/c,")
            assert await client.get() == '44/c,{"message":"Too many namespaces"}'
            let_in.set()
            await settle()
            assert {frame[:5] for frame in client.get_waiting()} == {"40/a,", "44/b,"}
            await client.join("/c")
            await client.put("40/d,")
            assert await client.get() == '44/d,{"message":"Too many namespaces"}'

    def test_what_is_no_rule(self):
        sio = Server()

        def sync(name, auth): ...
        async def too_few(name): ...
        async def too_many(name, auth, more): ...
        async def keyword(name, auth, *, more): ...

        for wrong, why in [
            (sync, "is not an async function: write 'async def rule"),
            (lambda name, auth: True, "is not an async function"),
            (Server, "is not an async function"),
            (too_few, "can't be called with 2 arguments"),
            (too_many, "can't be called with 2 arguments"),
            (keyword, "keyword-only"),
            (5, "a namespace's name is text"),
            (None, "a namespace's name is text"),
            (sio, "a namespace's name is text"),
        ]:
            with pytest.raises(TypeError, match=why):
                sio.namespace(wrong)
        assert not sio._namespaces.has_families


async def test_ctrl_c_reaches_the_application_while_it_is_asked(sio, autojump_clock):
    """So that an endless loop there can be ended: the same as in handlers."""
    protected = []

    @sio.namespace
    async def rule(name, auth):
        protected.append(trio.lowlevel.currently_ki_protected())
        return True

    @sio.on_new_namespace
    def hook(namespace):
        protected.append(trio.lowlevel.currently_ki_protected())

    async with connect(sio, "40/a,"):
        assert protected == [False, False]
