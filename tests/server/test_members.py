"""Who is in a namespace, and what a delivery to each of them does: it never blocks, and never raises."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import trio
from trio.testing import assert_no_checkpoints

from trio_socketio import CloseReason, Disconnected
from trio_socketio._server.adapter import LocalAdapter
from trio_socketio._server.members import Members
from trio_socketio._server.target import Target
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.socket_packet import Event

BATCH = [EnginePacket(PacketType.MESSAGE, "x")]


class Session:
    """Keeps what it is given, or raises ``failure``; tells ``on_close`` when it is closed."""

    def __init__(self) -> None:
        self.sent: list[object] = []
        self.volatile: list[object] = []
        self.reasons: list[CloseReason] = []
        self.failure: Exception | None = None
        self.on_close = lambda: None
        self.outbox = SimpleNamespace(is_crowded=False)

    def send(self, batch):
        if self.failure is not None:
            raise self.failure
        self.sent.append(batch)

    def send_volatile(self, batch):
        self.volatile.append(batch)

    def close(self, reason):
        self.reasons.append(reason)
        self.on_close()


def worker(socket_id: str) -> SimpleNamespace:
    """All that members look at."""
    return SimpleNamespace(session=Session(), socket=SimpleNamespace(id=socket_id, disconnect_reason="ping timeout"))


@pytest.fixture
def members():
    return Members("/chat", JSONParser(), LocalAdapter)


@pytest.fixture
def entered(members):
    """Workers a, b and c, who are in the namespace and in the rooms of their ids."""
    workers = [worker(socket_id) for socket_id in "abc"]
    for each in workers:
        members.enter(each)
        members.adapter.add(each.socket.id, [each.socket.id])
    return workers


class TestMembership:
    def test_enter_and_leave(self, members, entered):
        a, b, c = entered
        assert len(members) == 3
        assert members.sockets() == {"a": a.socket, "b": b.socket, "c": c.socket}
        members.leave(b)
        assert list(members.sockets()) == ["a", "c"]
        assert (members.is_socket_id("a"), members.is_socket_id("b"), members.is_socket_id("/chat")) == (
            True,
            False,
            False,
        )

    def test_who_leaves_without_having_entered_or_again(self, members, entered):
        members.leave(worker("stranger"))
        members.leave(entered[0])
        members.leave(entered[0])
        assert len(members) == 2

    def test_the_sockets_are_a_snapshot_that_nobody_changes(self, members, entered):
        before = members.sockets()
        for each in entered:
            members.leave(each)
        assert list(before) == ["a", "b", "c"]
        assert members.sockets() == {}
        with pytest.raises(TypeError):
            before["d"] = None


class TestTheAdapter:
    def test_it_is_made_with_a_namespace_that_has_its_name_and_parser(self):
        seen = []

        def factory(sockets):
            seen.append((sockets.name, sockets.parser))
            return LocalAdapter(sockets)

        parser = JSONParser()
        members = Members("/chat", parser, factory)
        assert seen == [("/chat", parser)]
        assert isinstance(members.adapter, LocalAdapter)

    def test_it_delivers_to_the_members(self, members, entered):
        a, b, c = entered
        members.leave(b)
        members.adapter.broadcast(Event("/chat", ["x"]), Target())
        assert [len(each.session.sent) for each in entered] == [1, 0, 1]
        assert a.session.sent[0] is c.session.sent[0]


class TestDeliver:
    async def test_a_batch_is_sent(self, members, entered):
        a, b, _ = entered
        with assert_no_checkpoints():
            members.deliver(["a"], BATCH, volatile=False)
            members.deliver(["b"], BATCH, volatile=True)
        assert (a.session.sent, a.session.volatile) == ([BATCH], [])
        assert (b.session.sent, b.session.volatile) == ([], [BATCH])

    @pytest.mark.parametrize("volatile", [True, False])
    def test_nobody_has_the_id(self, members, entered, volatile):
        members.leave(entered[0])
        for socket_id in ("stranger", "a"):
            members.deliver([socket_id], BATCH, volatile=volatile)
        assert not any(each.session.sent or each.session.volatile for each in entered)

    def test_it_says_whether_the_client_is_crowded(self, members, entered):
        entered[0].session.outbox.is_crowded = True
        said = {each: members.deliver([each], BATCH, volatile=False) for each in ("a", "b", "stranger")}
        assert said == {"a": True, "b": False, "stranger": False}
        assert members.deliver(["a"], BATCH, volatile=True) is False, "what is volatile waits for nothing"

    def test_one_that_reads_too_slowly_is_closed_and_named_in_the_log(self, members, entered, caplog):
        caplog.set_level(logging.INFO, "trio_socketio.namespace")
        a, b, _ = entered
        a.session.failure = trio.WouldBlock()
        members.deliver(["a"], BATCH, volatile=False)
        members.deliver(["b"], BATCH, volatile=False)
        assert a.session.reasons == [CloseReason.SLOW_CONSUMER]
        assert (b.session.sent, b.session.reasons) == ([BATCH], [])
        assert [record.getMessage() for record in caplog.records] == ["/chat: 'a' reads too slowly, disconnected"]

    def test_one_that_is_gone_is_passed_over(self, members, entered):
        entered[0].session.failure = Disconnected("transport close")
        members.deliver(["a"], BATCH, volatile=False)
        assert entered[0].session.reasons == []

    def test_the_slow_are_dropped_in_the_midst_of_a_broadcast(self, members, entered):
        a, b, c = entered
        a.session.failure = trio.WouldBlock()

        def leave():
            # One session with two sockets in the namespace can't be, but its end may take others with it.
            for each in (a, b):
                members.leave(each)
                members.adapter.remove_all(each.socket.id)

        a.session.on_close = leave
        members.adapter.broadcast(Event("/chat", ["x"]), Target())
        assert [len(each.session.sent) for each in (a, b, c)] == [0, 0, 1]


class TestTrace:
    def test_silent_by_default(self, members, entered, caplog):
        members.leave(entered[0])
        assert not caplog.records

    def test_who_comes_and_goes(self, caplog):
        caplog.set_level(logging.DEBUG, "trio_socketio.namespace")
        members = Members("/chat", JSONParser(), LocalAdapter)
        one = worker("a")
        members.leave(one)
        members.enter(one)
        members.leave(one)
        members.leave(one)
        assert [record.getMessage() for record in caplog.records] == ["/chat: a joined", "/chat: a left, ping timeout"]
