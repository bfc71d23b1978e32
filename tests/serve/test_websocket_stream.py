"""A WebSocket on a socket of the kernel: what the poller reads, and what its own task has to go on with."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import settle
from tests.support.engine import message, nothing_is_left, recorder
from tests.support.front import FrontClient, close, fragment, frame, frames_of, ping, running_front
from trio_socketio import CloseReason, Limits
from trio_socketio._serve.poller import Poller
from trio_socketio._wire.websocket_frame import BINARY, CLOSE, CONTINUATION, PONG, TEXT


class Opened:
    """A session on a WebSocket, past its OPEN packet."""

    def __init__(self, front, client: FrontClient) -> None:
        self.front, self.client = front, client
        (self.session,) = front.engine.sessions.values()
        self.recorder = recorder(self.session)


def available(kind: str) -> Poller | None:
    """The poller of a front with it, where there is one."""
    return Poller() if kind == "by the poller" and Poller.is_available() else None


@pytest.fixture(params=["by the poller", "by the task"])
async def opened(request, autojump_clock):
    async with running_front(poller=available(request.param), limits=Limits(max_payload=1000)) as front:
        client = front.connect_socket()
        await client.open_websocket()
        yield Opened(front, client)
        await front.close_clients()
        assert front.is_idle
        await nothing_is_left(front.engine)


async def test_messages(opened, autojump_clock):
    await opened.client.send(frame("4a"), frame("4b") + frame(b"c") + frame("4d")[:2], frame("4d")[2:])
    assert opened.recorder.messages == ["a", "b", b"c", "d"]


async def test_what_came_with_the_request(autojump_clock):
    async with running_front(poller=available("by the poller")) as front:
        client = front.connect_socket()
        await client.open_websocket(frame("4a") + frame("4b")[:3])
        await client.send(frame("4b")[3:])
        (session,) = front.engine.sessions.values()
        assert recorder(session).messages == ["a", "b"]


async def test_the_answers_are_in_order(opened, autojump_clock):
    await opened.client.send(ping(b"x") + frame("4a"))
    opened.session.send([message(b"1")])
    opened.session.send([message("b")])
    assert frames_of(await opened.client.waiting()) == [(PONG, b"x"), (BINARY, b"1"), (TEXT, b"4b")]


async def test_fragments_and_pings(opened, autojump_clock):
    await opened.client.send(fragment("4a", first=True) + ping(b"1"), ping(b"2") + frame("b", CONTINUATION))
    assert opened.recorder.messages == ["ab"]
    assert frames_of(await opened.client.waiting()) == [(PONG, b"1"), (PONG, b"2")]


async def test_a_busy_handler_stops_the_reading(opened, autojump_clock):
    for turn in range(3):
        opened.recorder.busy = trio.Event()
        await opened.client.send(frame("4a") + frame("4b"), frame("4c") + ping())
        assert opened.recorder.messages == ["a", "b", "c"] * turn + ["a"]
        await trio.sleep(5)
        opened.recorder.busy.set()
        await settle()
        assert opened.recorder.messages == ["a", "b", "c"] * (turn + 1)
    assert frames_of(await opened.client.waiting()) == [(PONG, b"")] * 3


async def test_a_busy_handler_whose_client_leaves(opened, autojump_clock):
    opened.recorder.busy = trio.Event()
    await opened.client.send(frame("4a") + frame("4b") + close(1000))
    await opened.client.stream.aclose()
    await trio.sleep(5)
    assert opened.recorder.reasons == []
    opened.recorder.busy.set()
    await settle()
    assert opened.recorder.messages == ["a", "b"]
    assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]


async def test_the_session_ends_while_the_handler_is_busy(opened, autojump_clock):
    opened.recorder.busy = trio.Event()
    await opened.client.send(frame("4a") + frame("4b"))
    opened.session.close(CloseReason.EVENT_QUEUE_FULL)
    assert await opened.client.frames() == [(CLOSE, b"")]
    assert opened.recorder.messages == ["a"]


async def test_the_session_ends_by_what_is_read(opened, autojump_clock):
    await opened.client.send(frame("4a") + frame("1") + frame("4late"), frame("4later"))
    assert opened.recorder.messages == ["a"]
    assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]
    assert await opened.client.frames() == [(CLOSE, b"")]


async def test_the_session_ends_while_nothing_is_read(opened, autojump_clock):
    opened.session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
    await settle()
    await opened.client.send(frame("4late"))
    assert await opened.client.frames() == [(CLOSE, b"")]
    assert opened.recorder.messages == []


@pytest.mark.parametrize(
    ("said", "reason", "answer"),
    [
        (close(1001), CloseReason.TRANSPORT_CLOSE, 1001),
        (b"\xff\xff", CloseReason.TRANSPORT_ERROR, 1002),
        (frame(b"4\xff", TEXT), CloseReason.TRANSPORT_ERROR, 1007),
        (frame("4" + "x" * 1000), CloseReason.TRANSPORT_ERROR, 1009),
        (frame("x"), CloseReason.PARSE_ERROR, None),
        (frame("2"), CloseReason.TRANSPORT_ERROR, None),
        (frame("4refuse me"), CloseReason.FORCED_CLOSE, None),
    ],
)
async def test_ends(opened, autojump_clock, said, reason, answer):
    await opened.client.send(frame("4a") + said + frame("4late"))
    assert opened.recorder.messages in (["a"], ["a", "refuse me"])
    assert opened.recorder.reasons == [reason]
    ((opcode, data),) = await opened.client.frames()
    assert (opcode, data[:2]) == (CLOSE, b"" if answer is None else answer.to_bytes(2))


async def test_the_client_leaves(opened, autojump_clock):
    await opened.client.send(frame("4a"))
    await opened.client.stream.aclose()
    await settle()
    assert (opened.recorder.messages, opened.recorder.reasons) == (["a"], [CloseReason.TRANSPORT_CLOSE])


async def test_an_unfinished_message(opened, autojump_clock):
    await opened.client.send(frame("4a") + frame("4b")[:4])
    await trio.sleep(31)
    assert opened.recorder.closed_at == pytest.approx(30, abs=0.01)
    assert await opened.client.frames() == [(CLOSE, (1008).to_bytes(2))]


async def test_a_fault_of_ours_costs_one_connection(opened, autojump_clock, caplog):
    def fault(message):
        raise RuntimeError("a fault of ours")

    other = opened.front.connect_socket()
    await other.send()
    opened.recorder.receive = fault
    await opened.client.send(frame("4a"))
    assert (await opened.client.frames())[-1:] in ([], [(CLOSE, b"")])
    assert opened.session.close_reason is not None
    assert caplog.text.count("a fault of ours") >= 1
    caplog.clear()
    await other.open_websocket()


async def test_a_server_that_is_cancelled(opened, autojump_clock):
    await opened.client.send(frame("4a"))
    opened.front.cancel()
    # Nobody writes any more; that is waited for a second.
    await trio.sleep(2)
    assert opened.front.is_idle
    assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]
