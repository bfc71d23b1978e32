"""A session on a WebSocket: its reader, and the probe that leads there."""

from __future__ import annotations

import math

import pytest
import trio

from tests.support.client import MemoryStream, open_polling, open_stream, poll, post, request, settle
from tests.support.engine import WEBSOCKET, ask, message, nothing_is_left, recorder
from trio_socketio import CloseReason
from trio_socketio._engine.session import Upgrade
from trio_socketio._engine.transport import StreamFailure


class TestReader:
    async def test_messages_in_order(self, opened, autojump_clock):
        await opened.client.put("4a", b"\1\2", "bAwQ=", "4", "4é")
        assert opened.recorder.messages == ["a", b"\1\2", b"\3\4", "", "é"]

    async def test_a_busy_handler_stops_the_reading(self, opened, autojump_clock):
        opened.recorder.busy = trio.Event()
        await opened.client.put("4a", "4b", "4c")
        await trio.sleep(20)
        assert opened.recorder.messages == ["a"]
        opened.recorder.busy.set()
        await settle()
        assert opened.recorder.messages == ["a", "b", "c"]

    @pytest.mark.parametrize(("frame", "reason"), [
        ("1", CloseReason.TRANSPORT_CLOSE),
        ("2", CloseReason.TRANSPORT_ERROR),
        ("2probe", CloseReason.TRANSPORT_ERROR),
        ("x", CloseReason.PARSE_ERROR),
        ("", CloseReason.PARSE_ERROR),
        ("b?", CloseReason.PARSE_ERROR),
        ("4refuse me", CloseReason.FORCED_CLOSE),
        (StreamFailure(), CloseReason.TRANSPORT_ERROR),
    ])  # fmt: skip
    async def test_frames_that_end_it(self, opened, autojump_clock, frame, reason):
        await opened.client.put("4before", frame, "4after")
        assert opened.recorder.reasons == [reason]
        assert opened.recorder.messages in (["before"], ["before", "refuse me"])
        assert await opened.client.get_close() == []

    @pytest.mark.parametrize("frame", ["0", "3", "5", "6", "3probe"])
    async def test_frames_that_mean_nothing_here(self, opened, autojump_clock, frame):
        await opened.client.put(frame, "4a")
        assert (opened.recorder.messages, opened.recorder.reasons) == (["a"], [])

    async def test_the_connection_is_cut(self, opened, autojump_clock):
        opened.client.cut()
        await settle()
        assert opened.recorder.reasons == [CloseReason.TRANSPORT_CLOSE]

    async def test_a_dead_session_reads_no_more(self, opened, autojump_clock):
        opened.session.close(CloseReason.FORCED_SERVER_CLOSE)
        await opened.client.put("4late")
        assert opened.recorder.messages == []
        assert await opened.client.get_close() == []

    async def test_dying_while_the_handler_is_busy(self, opened, autojump_clock):
        opened.recorder.busy = trio.Event()
        await opened.client.put("4a", "4b")
        opened.session.close(CloseReason.EVENT_QUEUE_FULL)
        await settle()
        assert opened.recorder.reasons == [CloseReason.EVENT_QUEUE_FULL]
        assert opened.recorder.messages == ["a"]


class TestProbe:
    @pytest.fixture
    async def polling(self, engine):
        return await open_polling(engine)

    def upgrade(self, polling) -> str:
        return polling[0].replace("polling", "websocket")

    async def test_whole(self, engine, polling, autojump_clock):
        session = polling[1]
        async with open_stream(engine, self.upgrade(polling)) as client:
            await settle()
            assert session.upgrade is Upgrade.PROBING
            await client.put("2probe")
            assert await client.get() == "3probe"
            assert session.upgrade is Upgrade.PROBED
            session.send([message("a")])
            await settle()
            assert client.get_waiting() == [], "before frame 5 nothing is sent there"
            assert session.transport.name == "polling"
            await client.put("5", "4b")
            assert session.upgrade is Upgrade.DONE
            assert session.transport.name == "websocket"
            assert await client.get() == "4a"
            assert recorder(session).messages == ["b"]
            await client.put("1")
            assert recorder(session).reasons == [CloseReason.TRANSPORT_CLOSE]
        await nothing_is_left(engine)

    async def test_without_a_probe(self, engine, polling, autojump_clock):
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put("5", "4a")
            assert recorder(polling[1]).messages == ["a"]

    @pytest.mark.parametrize(
        "frames",
        [
            ["4a"], ["2"], ["2prob"], ["2probe!"], ["3probe"], ["0"], ["1"], ["6"], ["x"], [""], [b"5"], [b"2probe"],
            ["2probe", "2probe"], ["2probe", "4a"], ["2probe", "6"], ["2probe", "1"], ["2probe", "x"],
            [StreamFailure()], ["2probe", StreamFailure()],
        ],
    )  # fmt: skip
    async def test_another_frame_costs_the_probe_only(self, engine, polling, autojump_clock, frames):
        query, session = polling
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put(*frames)
            assert await client.get_close() in ([], ["3probe"])
        assert (session.upgrade, session.close_reason) == (Upgrade.NONE, None)
        assert recorder(session).messages == []
        # The session lives on with long-polling, and may try again.
        assert (await post(engine, query, b"4a")).status == 200
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put("2probe", "5")
            assert session.transport.name == "websocket"

    @pytest.mark.parametrize("frames", [[], ["2probe"]])
    async def test_its_time_is_bounded(self, engine, polling, autojump_clock, frames):
        query, session = polling
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put(*frames)
            await client.get_close()
            assert trio.current_time() == 10
            assert session.upgrade is Upgrade.NONE
            session.send([message("a")])
            assert (await poll(engine, query)).body == b"4a"

    async def test_frame_5_in_the_last_moment(self, engine, polling, autojump_clock):
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put("2probe")
            await trio.sleep(9.999)
            await client.put("5")
            assert polling[1].transport.name == "websocket"
            await trio.sleep(5)
            assert polling[1].close_reason is None

    async def test_a_probe_that_is_not_read(self, engine, polling, autojump_clock):
        async with open_stream(engine, self.upgrade(polling)) as client:
            client.reading = trio.Event()
            await client.put("2probe")
            await trio.sleep_until(10.5)
            assert (polling[1].upgrade, polling[1].close_reason) == (Upgrade.NONE, None)

    @pytest.mark.parametrize("frames", [[], ["2probe"]])
    async def test_the_probing_connection_is_cut(self, engine, polling, autojump_clock, frames):
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put(*frames)
        await settle()
        assert (polling[1].upgrade, polling[1].close_reason) == (Upgrade.NONE, None)

    async def test_one_at_a_time(self, engine, polling, autojump_clock):
        async with open_stream(engine, self.upgrade(polling)) as first:
            await first.put("2probe")
            async with open_stream(engine, self.upgrade(polling)) as second:
                assert await second.get_close() == []
            assert await first.get() == "3probe"
            await first.put("5", "4a")
            assert recorder(polling[1]).messages == ["a"]
            # And one success for ever.
            async with open_stream(engine, self.upgrade(polling)) as third:
                assert await third.get_close() == []
            assert polling[1].close_reason is None

    async def test_a_websocket_session_cannot_be_upgraded(self, opened, engine, autojump_clock):
        async with open_stream(engine, f"{WEBSOCKET}&sid={opened.session.sid}") as second:
            assert await second.get_close() == []
        assert opened.session.close_reason is None

    async def test_the_session_ends_meanwhile(self, engine, polling, autojump_clock):
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put("2probe")
            polling[1].close(CloseReason.PING_TIMEOUT)
            assert await client.get_close() == ["3probe"]
            assert trio.current_time() == 0
        await nothing_is_left(engine)

    async def test_the_session_ends_in_the_moment_of_frame_5(self, engine, polling, autojump_clock):
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put("2probe")
            client.put_nowait("5")
            polling[1].close(CloseReason.PING_TIMEOUT)
            assert await client.get_close() == ["3probe"]
        await nothing_is_left(engine)

    async def test_the_server_closes_meanwhile_and_the_client_is_told_on_the_websocket(
        self, engine, polling, autojump_clock
    ):
        session = polling[1]
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put("2probe")
            session.send([message("a")])
            session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
            await client.put("5")
            assert await client.get_close() == ["3probe", "4a"]
        assert recorder(session).reasons == [CloseReason.SERVER_SHUTTING_DOWN]

    async def test_a_session_that_is_closing_begins_no_upgrade(self, engine, polling, autojump_clock):
        polling[1].close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        async with open_stream(engine, self.upgrade(polling)) as client:
            assert await client.get_close() == []

    async def test_it_ends_between_admission_and_probe(self, engine, polling, autojump_clock):
        admission = await engine.admit(request(self.upgrade(polling)))
        await post(engine, polling[0], b"1")
        stream = MemoryStream()
        await engine.carry(admission, stream)
        assert await stream.get_close() == []

    @pytest.mark.parametrize("poll_first", [True, False])
    async def test_frame_5_and_a_poll_racing_each_other_on_two_connections(
        self, engine, polling, nursery, autojump_clock, poll_first
    ):
        query, session = polling
        async with open_stream(engine, self.upgrade(polling)) as client:
            await client.put("2probe")
            assert await client.get() == "3probe"
            session.send([message("a")])
            if poll_first:
                asked = await ask(nursery, engine, "GET", query)
                await client.put("5")
                assert asked.result == (200, b"4a")
            else:
                await client.put("5")
                asked = await ask(nursery, engine, "GET", query)
                assert asked.answer.status == 400
                assert await client.get() == "4a"
            # Neither lost nor doubled, and the session lives.
            session.send([message("b")])
            assert await client.get() == "4b"
            assert session.close_reason is None

    async def test_order_is_kept_over_the_change(self, engine, polling, nursery, autojump_clock):
        query, session = polling
        got = []
        async with open_stream(engine, self.upgrade(polling)) as client:
            for number in range(30):
                session.send([message(str(number))])
                if number == 5:
                    await client.put("2probe")
                if number in {9, 15}:
                    got += (await poll(engine, query)).body.decode().split("\x1e")
                if number == 20:
                    await client.put("5")
            await settle()
            got += [frame for frame in client.get_waiting() if frame != "3probe"]
        assert got == [f"4{number}" for number in range(30)]


async def test_polling_on_an_upgrade_is_closed(engine, autojump_clock):
    async with open_stream(engine, "EIO=4&transport=polling") as client:
        assert await client.get_close() == []
    await nothing_is_left(engine)


async def test_a_cancelled_host_ends_the_session(engine, autojump_clock):
    stream = MemoryStream()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.carry, await engine.admit(request(WEBSOCKET)), stream)
            await stream.get()
            (session,) = engine.sessions.values()
            scope.cancel()
    assert recorder(session).reasons == [CloseReason.TRANSPORT_CLOSE]
    # It was given the moment that a close frame takes, shielded.
    assert await stream.get_close() == []
    assert trio.current_time() < 1
    await nothing_is_left(engine)
    assert math.isfinite(recorder(session).closed_at)
