"""The bytes of one connection: sockets of the kernel, streams in memory, TLS."""

from __future__ import annotations

import socket
import struct

import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair

from tests.support.client import settle
from tests.support.front import socket_pair
from trio_socketio._serve.link import CHUNK, LINGER, LINGER_BYTES, SocketLink, StreamLink


@pytest.fixture
def sockets():
    """The link's end, and the peer's."""
    ours, theirs = socket_pair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def tcp():
    """The same, over TCP: there are resets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def read_all(sock: socket.socket) -> bytes:
    """All that comes until the end; an error is one."""
    received = bytearray()
    while True:
        await trio.lowlevel.wait_readable(sock)
        data = sock.recv(2**20)
        if not data:
            return bytes(received)
        received += data


class TestSocket:
    async def test_what_it_knows(self, sockets):
        link = SocketLink(sockets[0], "192.0.2.1")
        assert (link.client, link.secure) == ("192.0.2.1", False)
        assert await link.begin() == ""

    async def test_receive(self, sockets, nursery, autojump_clock):
        link = SocketLink(sockets[0], None)
        received = []

        async def receive():
            received.append(await link.receive())

        nursery.start_soon(receive)
        await settle()
        assert not received
        sockets[1].send(b"one")
        await settle()
        assert received == [b"one"]

    async def test_at_most_a_chunk(self, sockets, autojump_clock):
        link = SocketLink(sockets[0], None)
        sent = sockets[1].send(bytes(CHUNK + 10))
        assert sent > CHUNK
        assert len(await link.receive()) == CHUNK
        assert len(await link.receive()) == sent - CHUNK

    async def test_end(self, sockets, autojump_clock):
        link = SocketLink(sockets[0], None)
        sockets[1].send(b"last")
        sockets[1].close()
        assert [await link.receive() for _ in range(3)] == [b"last", b"", b""]

    async def test_reset(self, tcp):
        link = SocketLink(tcp[0], None)
        reset(tcp[1])
        with trio.fail_after(10):
            assert await link.receive() == b""
            with pytest.raises(trio.BrokenResourceError):
                await link.send_all(b"x")

    async def test_closed_meanwhile(self, sockets, nursery, autojump_clock):
        link = SocketLink(sockets[0], None)
        received = []

        async def receive():
            received.append(await link.receive())

        nursery.start_soon(receive)
        await settle()
        await link.aclose()
        await settle()
        assert received == [b""]
        assert await link.receive() == b""
        with pytest.raises(trio.BrokenResourceError):
            link.send_nowait(b"x")
        with pytest.raises(trio.BrokenResourceError):
            await link.send_rest(memoryview(b"x"))

    async def test_cancelled_it_has_lost_nothing(self, sockets, autojump_clock):
        link = SocketLink(sockets[0], None)
        sockets[1].send(b"kept")
        with trio.CancelScope() as scope:
            scope.cancel()
            await link.receive()
        assert scope.cancelled_caught
        assert await link.receive() == b"kept"

    async def test_what_the_kernel_does_not_take(self, autojump_clock):
        ours, theirs = socket_pair(size=4096)
        link, data = SocketLink(ours, None), bytes(range(256)) * 1000
        sent = link.send_nowait(data)
        assert 0 < sent < len(data)
        assert link.send_nowait(data) == 0
        received = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.send_rest, memoryview(data)[sent:])
            while len(received) < len(data):
                await settle()
                received += theirs.recv(10_000)
        assert received == data
        await link.aclose()
        theirs.close()

    async def test_send_all_without_a_checkpoint(self, sockets):
        link = SocketLink(sockets[0], None)
        with trio.CancelScope() as scope:
            scope.cancel()
            await link.send_all(b"at once")
        assert not scope.cancelled_caught
        assert sockets[1].recv(100) == b"at once"

    @pytest.mark.parametrize("by", ["the peer", "us"])
    async def test_closed_in_the_middle_of_a_write(self, autojump_clock, by):
        ours, theirs = socket_pair(size=4096)
        link = SocketLink(ours, None)

        async def send():
            with pytest.raises(trio.BrokenResourceError):
                await link.send_all(bytes(10**6))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await settle()
            if by == "us":
                await link.aclose()
            else:
                theirs.close()
        await link.aclose()
        theirs.close()

    async def test_closed_twice(self, sockets):
        link = SocketLink(sockets[0], None)
        await link.aclose()
        await link.aclose()
        await link.send_eof()
        assert sockets[1].recv(1) == b""

    async def test_as_a_stream(self, tcp):
        stream = SocketLink(tcp[0], None).as_stream()
        assert isinstance(stream, trio.SocketStream)
        tcp[1].send(b"x")
        assert await stream.receive_some() == b"x"
        await stream.aclose()


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
