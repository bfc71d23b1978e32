"""A connection on a stream: in memory, or TLS."""

from __future__ import annotations

import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair

from tests.support.client import settle
from trio_socketio._serve.link import LINGER
from trio_socketio._serve.stream_link import StreamLink


class TestStream:
    @pytest.fixture
    def pair(self):
        ours, theirs = memory_stream_pair()
        return StreamLink(ours, None), theirs

    async def test_receive(self, pair):
        link, peer = pair
        assert not link.secure
        assert await link.begin() == ""
        await peer.send_all(b"x")
        received = await link.receive()
        assert (received, type(received)) == (b"x", bytes)
        await peer.aclose()
        assert [await link.receive() for _ in range(2)] == [b"", b""]

    async def test_all_is_sent_by_waiting(self, pair):
        link, peer = pair
        assert link.send_nowait(b"x") == 0
        await link.send_all(b"abc")
        assert await peer.receive_some() == b"abc"

    async def test_a_peer_that_is_gone(self, pair):
        link, peer = pair
        await peer.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await link.send_all(b"x")
        await link.send_eof()

    async def test_closed_meanwhile(self, pair, nursery, autojump_clock):
        link, _ = pair
        received = []

        async def receive():
            received.append(await link.receive())

        nursery.start_soon(receive)
        await settle()
        await link.aclose()
        await link.aclose()
        await settle()
        assert received == [b""]
        assert await link.receive() == b""
        with pytest.raises(trio.BrokenResourceError):
            await link.send_all(b"x")
        await link.send_eof()

    async def test_closed_in_the_middle_of_a_write(self, autojump_clock):
        ours, _ = lockstep_stream_pair()
        link = StreamLink(ours, None)

        async def send():
            with pytest.raises(trio.BrokenResourceError):
                await link.send_all(b"x")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await settle()
            await link.send_eof()  # It is busy: that can't be said now.
            await link.aclose()

    async def test_a_stream_that_fails(self):
        class Broken(trio.abc.Stream):
            async def receive_some(self, max_bytes=None):
                raise trio.BrokenResourceError

            async def send_all(self, data):
                raise trio.BrokenResourceError

            async def wait_send_all_might_not_block(self):
                raise AssertionError

            async def aclose(self):
                await trio.lowlevel.checkpoint()

        link = StreamLink(Broken(), None)
        assert await link.receive() == b""
        with pytest.raises(trio.BrokenResourceError):
            await link.send_all(b"x")
        await link.aclose_after_last_word()

    async def test_end_is_said(self, pair):
        link, peer = pair
        await link.send_eof()
        assert await peer.receive_some() == b""
        await peer.send_all(b"x")
        assert await link.receive() == b"x"

    async def test_as_a_stream(self):
        stream, _ = memory_stream_pair()
        assert StreamLink(stream, None).as_stream() is stream


class TestTLS:
    async def shake_hands(self, tls, client_protocols):
        ours, theirs = memory_stream_pair()
        server, client = tls
        client.set_alpn_protocols(client_protocols)
        link = StreamLink(trio.SSLStream(ours, server, server_side=True), "192.0.2.1")
        peer = trio.SSLStream(theirs, client, server_hostname="localhost")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.do_handshake)
            protocol = await link.begin()
        return link, peer, protocol

    @pytest.mark.parametrize(
        ("offered", "chosen"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["x"], "")]
    )
    async def test_begin(self, tls, offered, chosen):
        link, peer, protocol = await self.shake_hands(tls, offered)
        assert (protocol, link.secure) == (chosen, True)
        await link.send_all(b"to you")
        assert await peer.receive_some() == b"to you"
        await peer.send_all(b"to me")
        assert await link.receive() == b"to me"

    async def test_cut_off(self, tls):
        link, peer, _ = await self.shake_hands(tls, ["x"])
        await peer.transport_stream.aclose()
        assert await link.receive() == b""
        with pytest.raises(trio.BrokenResourceError):
            await link.send_all(b"x")
        await link.aclose()

    async def test_the_last_word(self, tls, autojump_clock):
        link, peer, _ = await self.shake_hands(tls, ["x"])
        await link.send_all(b"the answer")
        await peer.send_all(b"unread")
        await link.aclose_after_last_word()
        assert trio.current_time() == LINGER
        assert await peer.receive_some() == b"the answer"

    async def test_no_tls_at_all(self, tls):
        ours, theirs = memory_stream_pair()
        link = StreamLink(trio.SSLStream(ours, tls[0], server_side=True), None)
        await theirs.send_all(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await link.begin()
        await link.aclose()
