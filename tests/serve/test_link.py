"""The last word of a connection."""

from __future__ import annotations

import pytest
import trio
from trio.testing import memory_stream_pair

from tests.support.front import read_all
from trio_socketio._serve.link import CHUNK, LINGER, LINGER_BYTES
from trio_socketio._serve.socket_link import SocketLink
from trio_socketio._serve.stream_link import StreamLink


class TestLastWord:
    async def test_the_peer_reads_it_although_it_is_still_sending(self, tcp, autojump_clock):
        ours, theirs = tcp
        theirs.sendall(bytes(200_000))
        theirs.setblocking(False)
        autojump_clock.autojump_threshold = float("inf")
        link = SocketLink(ours, None)
        async with trio.open_nursery() as nursery:
            await link.send_all(b"the answer")
            nursery.start_soon(link.aclose_after_last_word)
            assert await read_all(theirs) == b"the answer"
            # The end that it saw was said, not a reset: it can go on sending, until it closes.
            assert theirs.send(b"more") == 4
            theirs.close()
        assert ours.fileno() == -1
        assert trio.current_time() == 0

    async def test_a_peer_that_says_nothing(self, sockets, autojump_clock):
        await SocketLink(sockets[0], None).aclose_after_last_word()
        assert trio.current_time() == LINGER
        assert sockets[0].fileno() == -1

    async def test_a_peer_that_goes_on_for_ever(self, autojump_clock):
        ours, theirs = memory_stream_pair()
        closed_at = []

        async def close():
            await StreamLink(ours, None).aclose_after_last_word()
            closed_at.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(close)
            with pytest.raises(trio.BrokenResourceError):
                while True:
                    await theirs.send_all(b"x")
                    await trio.sleep(0.3)
        assert closed_at == [LINGER]

    async def test_a_peer_that_sends_very_much(self, autojump_clock):
        ours, theirs = memory_stream_pair()
        await theirs.send_all(bytes(LINGER_BYTES + 2 * CHUNK))
        await StreamLink(ours, None).aclose_after_last_word()
        assert trio.current_time() == 0
        with pytest.raises(trio.BrokenResourceError):
            await theirs.send_all(b"x")

    async def test_cancelled_it_is_not_closed_yet(self, sockets, autojump_clock):
        link = SocketLink(sockets[0], None)
        with trio.move_on_after(0.1):
            await link.aclose_after_last_word()
        await link.aclose()
        assert sockets[0].fileno() == -1

    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_a_peer_that_is_gone(self, sockets, autojump_clock, when):
        link = SocketLink(sockets[0], None)
        if when == "before":
            sockets[1].close()
        else:
            await link.aclose()
        await link.aclose_after_last_word()
        assert trio.current_time() == 0
