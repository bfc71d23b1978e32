"""A connection on a socket of the kernel."""

from __future__ import annotations

import socket
import struct

import pytest
import trio

from tests.support.client import settle
from tests.support.front import socket_pair
from trio_socketio._serve.link import CHUNK
from trio_socketio._serve.socket_link import SocketLink


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def receiving(nursery: trio.Nursery, link: SocketLink) -> list[bytes]:
    """Wait for something in a task of its own; it is then in the list."""
    received = []

    async def receive() -> None:
        received.append(await link.receive())

    nursery.start_soon(receive)
    await settle()
    return received


class TestSocket:
    async def test_what_it_knows(self, sockets):
        link = SocketLink(sockets[0], "192.0.2.1")
        assert (link.client, link.secure) == ("192.0.2.1", False)
        assert await link.begin() == ""

    async def test_receive(self, sockets, nursery, autojump_clock):
        link = SocketLink(sockets[0], None)
        received = await receiving(nursery, link)
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
        received = await receiving(nursery, link)
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
