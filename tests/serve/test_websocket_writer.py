"""WebSocket on a link of our own: what is read; what is written, and that no frame is ever cut by another."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import lockstep_stream_pair

from tests.support.client import only_session, request, settle
from tests.support.echo_engine import Echo
from tests.support.engine import WEBSOCKET, message, nothing_is_left, recorder, running_engine
from tests.support.front import (
    MeteredLink,
    close,
    fragment,
    frame,
    frames_of,
    ping,
    running_front,
    upgrade,
)
from trio_socketio import CloseReason, Limits
from trio_socketio._engine.statistics import Counters
from trio_socketio._engine.transport import FAREWELL
from trio_socketio._serve.flusher import Flusher
from trio_socketio._serve.link import LINGER
from trio_socketio._serve.websocket_stream import NativeStream
from trio_socketio._serve.websocket_writer import MAX_PONGS, SLICE, FlushedWriter
from trio_socketio._wire.websocket_frame import BINARY, CLOSE, CONTINUATION, PONG, TEXT

GOODBYE = (CLOSE, b"")


def closed_by(code: int) -> tuple[int, bytes]:
    return CLOSE, code.to_bytes(2)


class Opened:
    """A session on a WebSocket, past its OPEN packet."""

    def __init__(self, front, link: MeteredLink) -> None:
        self.front, self.link = front, link
        (self.session,) = front.engine.sessions.values()
        self.recorder = recorder(self.session)

    def send(self, *data: str | bytes) -> None:
        for each in data:
            self.session.send([message(each)])


async def open_on(front) -> Opened:
    link = MeteredLink()
    front.serve(link)
    await link.say(upgrade())
    answer, _, rest = link.written.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 ")
    link.written = rest
    ((opcode, data),) = link.frames()
    assert (opcode, data[:6]) == (TEXT, b'0{"sid')
    return Opened(front, link)


@pytest.fixture
async def opened(front):
    opened = await open_on(front)
    yield opened
    await opened.link.leave()
    await trio.sleep(2)
    await nothing_is_left(front.engine)
    assert opened.link.is_closed


class TestReading:
    async def test_messages(self, opened, autojump_clock):
        await opened.link.say(frame("4a") + frame("4é") + frame(b"\1\2"), frame("4b")[:1], frame("4b")[1:], frame("4"))
        assert opened.recorder.messages == ["a", "é", b"\1\2", "b", ""]

    async def test_fragments_with_pings_between(self, opened, autojump_clock):
        pieces = fragment("4a", first=True) + ping(b"x") + fragment("b") + frame("c", CONTINUATION)
        await opened.link.say(pieces + frame("4d"))
        assert opened.recorder.messages == ["abc", "d"]
        assert opened.link.frames() == [(PONG, b"x")]

    async def test_messages_in_front_of_a_close(self, opened, autojump_clock):
        await opened.link.say(frame("4a") + frame("4b") + close(1000) + frame("4c"))
        assert opened.recorder.messages == ["a", "b"]
        assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]
        assert opened.link.frames() == [closed_by(1000)]

    @pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
    async def test_its_close_is_echoed(self, opened, autojump_clock, code):
        await opened.link.say(close(code))
        assert opened.link.frames() == [closed_by(code)]
        assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]
        assert opened.front.ended_at == [0], "it has said its last: nothing is waited for"

    async def test_a_close_without_a_code(self, opened, autojump_clock):
        await opened.link.say(close())
        assert opened.link.frames() == [GOODBYE]

    @pytest.mark.parametrize("said", [b"", frame("4a")[:3], fragment("4a", first=True)])
    async def test_the_client_leaves(self, opened, autojump_clock, said):
        await opened.link.say(said or ping())
        opened.link.frames()
        await opened.link.leave()
        assert opened.link.frames() == []
        assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]
        assert opened.front.ended_at == [0]

    @pytest.mark.parametrize(
        ("said", "code", "reason"),
        [
            (b"\x81\x024a", 1002, CloseReason.TRANSPORT_ERROR),
            (b"\xc1\x80\0\0\0\0", 1002, CloseReason.TRANSPORT_ERROR),
            (close(1005), 1002, CloseReason.TRANSPORT_ERROR),
            (frame(b"4\xff", TEXT), 1007, CloseReason.TRANSPORT_ERROR),
            (frame("4" + "x" * 1000), 1009, CloseReason.TRANSPORT_ERROR),
            (fragment("4", first=True) + fragment("x") * 5, 1008, CloseReason.TRANSPORT_ERROR),
        ],
    )
    async def test_failures(self, autojump_clock, said, code, reason):
        async with running_front(limits=Limits(max_payload=1000, max_message_parts=5)) as front:
            opened = await open_on(front)
            await opened.link.say(frame("4before") + ping(b"x") + said, frame("4after") + ping(b"y"))
            assert opened.recorder.messages == ["before"]
            assert opened.recorder.reasons == [reason]
            pong, (opcode, data) = opened.link.frames()
            assert (pong, opcode, data[:2]) == ((PONG, b"x"), CLOSE, code.to_bytes(2))
            await trio.sleep(2 * LINGER)
            assert opened.link.writes == []
            assert opened.link.is_closed

    async def test_what_waits_is_not_sent_behind_a_failure(self, opened, autojump_clock):
        opened.link.room = 0
        opened.send("a" * 100, "b")
        await opened.link.take(10)
        opened.send("c")
        await opened.link.say(b"\xff\xff")
        await opened.link.take()
        frames = opened.link.frames()
        assert [opcode for opcode, _ in frames] == [TEXT, TEXT, CLOSE]
        assert frames[2][1][:2] == (1002).to_bytes(2)

    async def test_a_busy_handler_stops_the_reading(self, opened, autojump_clock):
        opened.recorder.busy = trio.Event()
        await opened.link.say(frame("4a") + frame("4b"), frame("4c"))
        assert opened.recorder.messages == ["a"]
        opened.recorder.busy.set()
        await settle()
        assert opened.recorder.messages == ["a", "b", "c"]


class TestUnfinishedMessages:
    @pytest.mark.parametrize("said", [frame("4a")[:3], fragment("4a", first=True), b"\x81"])
    async def test_their_time_is_bounded(self, opened, autojump_clock, said):
        await trio.sleep(5)
        await opened.link.say(frame("4whole") + said)
        await trio.sleep(40)
        assert opened.recorder.closed_at == 35
        assert opened.link.frames() == [closed_by(1008)]
        assert opened.front.ended_at == [35]

    async def test_more_of_it_does_not_extend_it(self, opened, autojump_clock):
        await opened.link.say(fragment("4a", first=True))
        for _ in range(2):
            await trio.sleep(10)
            await opened.link.say(fragment("a"))
        await trio.sleep(20)
        assert opened.recorder.closed_at == 30

    async def test_each_has_its_own(self, opened, autojump_clock):
        await opened.link.say(frame("4a")[:3])
        for _ in range(5):
            await trio.sleep(29)
            await opened.link.say(frame("4a")[3:] + frame("4a")[:3])
        await opened.link.say(frame("4a")[3:])
        await trio.sleep(100)
        assert opened.recorder.messages == ["a"] * 6
        assert opened.recorder.reasons == []

    async def test_pings_between_its_parts_do_not_extend_it(self, opened, autojump_clock):
        await opened.link.say(fragment("4a", first=True))
        for _ in range(2):
            await trio.sleep(10)
            await opened.link.say(ping())
        await trio.sleep(20)
        assert opened.recorder.closed_at == 30


class TestWriting:
    async def test_what_comes_in_one_turn_is_one_write(self, opened, autojump_clock):
        opened.send("a", b"\1", "é")
        assert opened.link.writes == []
        await settle()
        assert len(opened.link.writes) == 1
        assert opened.link.frames() == [(TEXT, b"4a"), (BINARY, b"\1"), (TEXT, "4é".encode())]
        opened.send("b")
        await settle()
        assert opened.link.frames() == [(TEXT, b"4b")]

    async def test_at_once_if_that_is_asked_for(self, opened, autojump_clock):
        opened.send("a")
        opened.session.transport.flush()
        assert opened.link.frames() == [(TEXT, b"4a")]
        await settle()
        assert opened.link.writes == []

    async def test_much_is_written_in_slices(self, opened, autojump_clock):
        opened.send(*[bytes(SLICE // 2 + 1)] * 5, bytes(3 * SLICE))
        await settle()
        sizes = [len(write) // SLICE for write in opened.link.writes]
        assert sizes == [1, 1, 3]
        assert len(opened.link.frames()) == 6

    async def test_pongs(self, opened, autojump_clock):
        await opened.link.say(ping(b"a"), ping(), ping(b"x" * 125))
        assert opened.link.frames() == [(PONG, b"a"), (PONG, b""), (PONG, b"x" * 125)]

    async def test_pongs_to_pings_that_came_together(self, opened, autojump_clock):
        await opened.link.say(ping(b"a") + ping() + frame("4x") + ping(b"x" * 125))
        assert opened.link.frames() == [(PONG, b"a"), (PONG, b""), (PONG, b"x" * 125)]
        assert opened.recorder.messages == ["x"]

    async def test_of_many_pings_at_once_the_last_are_answered(self, opened, autojump_clock):
        await opened.link.say(b"".join(ping(str(number).encode()) for number in range(5000)))
        assert len(opened.link.written) <= MAX_PONGS + 2 + 125
        answered = [int(payload) for opcode, payload in opened.link.frames() if opcode == PONG]
        assert answered == list(range(answered[0], 5000))

    @pytest.mark.parametrize("end", [b"\xc1\x80\0\0\0\0", close(1000)], ids=["failure", "close"])
    async def test_an_answer_goes_out_before_the_answer_to_an_end(self, autojump_clock, end):
        async with running_front(handler=Echo) as front:
            link = MeteredLink()
            front.serve(link)
            await link.say(upgrade())
            link.written = b""
            await link.say(frame("4a") + end)
            first, (opcode, _) = link.frames()
            assert (first, opcode) == ((TEXT, b"4a"), CLOSE)
            await link.leave()

    async def test_our_close(self, opened, autojump_clock):
        opened.send("a")
        opened.session.close_gracefully(CloseReason.SERVER_NAMESPACE_DISCONNECT)
        await settle()
        assert opened.link.frames() == [(TEXT, b"4a"), GOODBYE]
        assert opened.recorder.reasons == [CloseReason.SERVER_NAMESPACE_DISCONNECT]
        await opened.link.say(frame("4late") + ping(), close())
        await trio.sleep(5)
        assert opened.link.writes == []
        assert opened.recorder.messages == []
        assert opened.front.ended_at == [LINGER]

    async def test_our_close_and_the_client_answers(self, opened, autojump_clock):
        opened.session.close(CloseReason.FORCED_SERVER_CLOSE)
        await settle()
        assert opened.link.frames() == [GOODBYE]
        await opened.link.say(close())
        await opened.link.leave()
        assert opened.front.ended_at == [0]
        assert opened.link.writes == []

    @pytest.mark.parametrize("error", [trio.BrokenResourceError(), RuntimeError("a fault")])
    @pytest.mark.parametrize("is_blocked", [False, True])
    async def test_a_link_that_fails(self, opened, autojump_clock, caplog, error, is_blocked):
        if is_blocked:
            opened.link.room = 0
        opened.send("a")
        if is_blocked:
            await settle()
        await opened.link.fail(error)
        is_gone = isinstance(error, trio.BrokenResourceError)
        assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE if is_gone else CloseReason.TRANSPORT_ERROR]
        assert ("a fault" in caplog.text) == (not is_gone)
        opened.link.fault = None
        await trio.sleep(5)
        assert opened.link.written == b"", "nothing is written behind a write that failed"
        assert opened.front.ended_at == [LINGER]


class TestBlocked:
    """The kernel has taken a part of a frame, and no more for now."""

    @pytest.fixture
    async def blocked(self, opened):
        opened.link.room = 0
        opened.send("a" * 100)
        await opened.link.take(10)
        assert len(opened.link.written) == 10
        return opened

    WHOLE = (TEXT, b"4" + b"a" * 100)

    async def test_what_comes_meanwhile_is_behind_it(self, blocked, autojump_clock):
        blocked.send("b", "c")
        await blocked.link.say(ping(b"1"), ping(b"2"))
        assert (len(blocked.link.written), len(blocked.session.outbox)) == (10, 2)
        await blocked.link.take()
        assert blocked.link.frames() == [self.WHOLE, (PONG, b"1"), (PONG, b"2"), (TEXT, b"4b"), (TEXT, b"4c")]
        blocked.send("d")
        await settle()
        assert blocked.link.frames() == [(TEXT, b"4d")]

    async def test_writable(self, blocked, autojump_clock):
        transport = blocked.session.transport
        assert not transport.writable
        blocked.session.send_volatile([message("dropped")])
        await blocked.link.take()
        assert transport.writable
        blocked.session.send_volatile([message("b")])
        await settle()
        assert blocked.link.frames() == [self.WHOLE, (TEXT, b"4b")]

    async def test_a_flood_of_pings(self, blocked, autojump_clock):
        for number in range(500):
            await blocked.link.say(ping(str(number).encode()))
        tasks = blocked.front.engine._registry._nursery.child_tasks
        assert len(tasks) == 2, "the session's, and the one that writes the rest"
        await blocked.link.take()
        whole, *pongs = blocked.link.frames()
        assert whole == self.WHOLE
        assert pongs[-1] == (PONG, b"499")
        assert sum(2 + len(payload) for _, payload in pongs) <= MAX_PONGS + 2 + 125

    async def test_the_client_closes(self, blocked, autojump_clock):
        blocked.send("dropped")
        await blocked.link.say(ping(b"x") + close(1001))
        await blocked.link.take()
        assert blocked.link.frames() == [self.WHOLE, (PONG, b"x"), closed_by(1001)]

    async def test_we_close_gracefully(self, blocked, autojump_clock):
        blocked.send("b")
        blocked.session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        await trio.sleep(5)
        assert blocked.recorder.reasons == []
        await blocked.link.take()
        assert blocked.link.frames() == [self.WHOLE, (TEXT, b"4b"), GOODBYE]

    async def test_a_closed_session_has_its_farewell(self, blocked, autojump_clock):
        await trio.sleep(3)
        blocked.session.close(CloseReason.FORCED_SERVER_CLOSE)
        await trio.sleep(FAREWELL / 2)
        await blocked.link.take()
        assert blocked.link.frames() == [self.WHOLE, GOODBYE]

    async def test_and_no_more(self, blocked, autojump_clock):
        await trio.sleep(3)
        blocked.session.close(CloseReason.FORCED_SERVER_CLOSE)
        await trio.sleep(FAREWELL + 0.5)
        await blocked.link.take()
        assert len(blocked.link.written) == 10
        await trio.sleep(10)
        assert blocked.front.ended_at == [3 + FAREWELL + LINGER]
        assert blocked.recorder.reasons == [CloseReason.FORCED_SERVER_CLOSE]

    async def test_the_write_deadline(self, blocked, autojump_clock):
        blocked.send("b")
        await trio.sleep(9.999)
        assert blocked.recorder.reasons == []
        await trio.sleep(10)
        assert (blocked.recorder.reasons, blocked.recorder.closed_at) == ([CloseReason.SLOW_CONSUMER], 10)
        await blocked.link.take()
        assert len(blocked.link.written) == 10

    async def test_it_is_of_one_write(self, blocked, autojump_clock):
        for number in range(5):
            blocked.send(str(number))
            await trio.sleep(9)
            await blocked.link.take(1000)
            blocked.link.room = 0
            blocked.send("a" * 200)
        assert blocked.recorder.reasons == []
        await blocked.link.take()
        assert len(blocked.link.frames()) == 11

    async def test_a_late_message_does_not_close_twice(self, blocked, autojump_clock):
        await blocked.link.take()
        blocked.link.frames()
        await blocked.link.say(frame("4a")[:3])
        await trio.sleep(29.5)
        blocked.link.room = 1
        blocked.session.close(CloseReason.FORCED_SERVER_CLOSE)
        await trio.sleep(0.7)
        await blocked.link.take()
        assert blocked.link.frames() == [GOODBYE]


class TestGivenUp:
    async def test_a_server_that_ends_in_the_middle_of_a_write(self, autojump_clock):
        async with running_engine() as engine:
            link, flusher = MeteredLink(), Flusher()
            stream = NativeStream(
                link, b"", timers=engine.new_timers(print), limits=Limits(), counters=Counters(), abort=lambda: None
            )
            session = await engine._registry.open(request(WEBSOCKET))
            link.room = 3
            async with trio.open_nursery() as nursery:
                writer = FlushedWriter(stream, flusher, session, nursery.start_soon)
                session.send([message("abc")])
                writer.flush()
                await settle()
                nursery.cancel_scope.cancel()
            link.room = 1000
            session.close(CloseReason.SERVER_SHUTTING_DOWN)
            writer.flush()
            assert link.written == b"\x81\x044"
            assert writer.finished.is_set()


class TestStreams:
    """A link that takes nothing at once: each write is awaited."""

    async def test_in_order_while_the_client_reads_slowly(self, autojump_clock):
        async with running_front() as front:
            client = front.connect(lockstep_stream_pair)
            await client.open_websocket()
            session = only_session(front.engine)
            session.send([message(str(number)) for number in range(3)])
            await settle()
            session.send([message("b")])
            await client.send(ping(b"x"))
            session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
            received = b""
            while not received.endswith(b"\x88\0"):
                await trio.sleep(1)
                received += await client.stream.receive_some(2)
            assert frames_of(received) == [
                *[(TEXT, f"4{number}".encode()) for number in range(3)], (PONG, b"x"), (TEXT, b"4b"), GOODBYE
            ]  # fmt: skip

    async def test_a_small_buffer_of_the_kernel(self, front, autojump_clock):
        client = front.connect_socket(4096)
        await client.open_websocket()
        session = only_session(front.engine)
        messages = [bytes([number]) * 20_000 for number in range(20)]
        session.send([message(data) for data in messages])
        session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        assert await client.frames() == [*[(BINARY, data) for data in messages], GOODBYE]


@pytest.mark.parametrize("seed", range(30))
async def test_no_frame_is_ever_cut(front, autojump_clock, seed):
    choice = random.Random(seed)
    opened = await open_on(front)
    opened.link.room = 0
    sent, pinged = [], 0
    for _ in range(choice.randrange(40)):
        match choice.randrange(5):
            case 0:
                opened.send(data := bytes(choice.randrange(300)))
                sent.append((BINARY, data))
            case 1:
                await opened.link.say(ping(b"p" * choice.randrange(100)))
                pinged += 1
            case 2:
                await opened.link.take(choice.randrange(200))
            case 3:
                opened.session.transport.flush()
            case 4:
                await trio.sleep(choice.random() / 10)
    end = choice.choice(["we", "the client", "gracefully"])
    if end == "we":
        opened.session.close(CloseReason.FORCED_SERVER_CLOSE)
    elif end == "gracefully":
        opened.session.close_gracefully(CloseReason.FORCED_SERVER_CLOSE)
    else:
        await opened.link.say(close(1000))
    await opened.link.take(choice.randrange(100))
    await opened.link.take()
    *frames, last = opened.link.frames()
    assert last == (closed_by(1000) if end == "the client" else GOODBYE)
    messages = [each for each in frames if each[0] != PONG]
    assert messages == (sent if end == "gracefully" else sent[: len(messages)])
    assert len(frames) - len(messages) <= pinged
    await opened.link.leave()
