"""The sockets that a front listens on, and that accepting survives whatever accept(2) says."""

from __future__ import annotations

import errno
import math
import os
import socket

import pytest
import trio
import trio.testing
from hypercorn.config import Config

from tests.support.client import settle
from trio_socketio._serve import listening as listening_module
from trio_socketio._serve.listening import (
    ACCEPTS_PER_CHECKPOINT,
    PAUSE,
    ListeningSockets,
    accept_from,
    accept_streams_from,
    most_connections,
)


def config_of(*binds: str) -> Config:
    config = Config()
    config.bind = list(binds)
    return config


@pytest.fixture
def listening():
    """Makes listening sockets, and closes them."""
    made = []

    def make(*binds: str, **options: object) -> ListeningSockets:
        config = config_of(*binds)
        for name, value in options.items():
            setattr(config, name, value)
        made.append(ListeningSockets(config))
        return made[-1]

    yield make
    for sockets in made:
        for sock in (*sockets.secure, *sockets.insecure):
            sock.close()


class TestSockets:
    def test_tcp(self, listening):
        sockets = listening("127.0.0.1:0", "127.0.0.1:0", "[::1]:0")
        ports = [sock.getsockname()[1] for sock in sockets.insecure]
        assert sockets.urls == [
            f"http://127.0.0.1:{ports[0]}",
            f"http://127.0.0.1:{ports[1]}",
            f"http://[::1]:{ports[2]}",
        ]
        assert (sockets.secure, sockets.ssl_context) == ([], None)
        for sock in sockets.insecure:
            assert not sock.getblocking()
            socket.create_connection(sock.getsockname()[:2]).close()

    def test_tls(self, listening, certificate):
        certfile, keyfile = map(str, certificate)
        sockets = listening("127.0.0.1:0", certfile=certfile, keyfile=keyfile, insecure_bind=["127.0.0.1:0"])
        assert [url.partition(":")[0] for url in sockets.urls] == ["https", "http"]
        assert (len(sockets.secure), len(sockets.insecure)) == (1, 1)
        assert sockets.ssl_context is not None

    def test_unix(self, listening, tmp_path):
        sockets = listening(f"unix:{tmp_path}/sock")
        assert sockets.urls == [f"http://unix:{tmp_path}/sock"]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{tmp_path}/sock")

    def test_one_that_is_open(self, listening):
        opened = socket.create_server(("127.0.0.1", 0))
        port = opened.getsockname()[1]
        assert listening(f"fd://{opened.detach()}").urls == [f"http://127.0.0.1:{port}"]

    async def test_closed_twice_and_never_accepted_from(self, listening):
        sockets = listening("127.0.0.1:0")
        sockets.close()
        sockets.close()
        assert sockets.insecure[0].fileno() == -1

    @pytest.mark.parametrize("fails", [False, True])
    def test_no_other_socket_stays_open(self, certificate, caplog, fails):
        made = []

        class Recording(Config):
            def create_sockets(self):
                sockets = super().create_sockets()
                if fails:
                    # It can't be listened on, and those before and behind it could.
                    sockets.insecure_sockets.insert(1, socket.socket(type=socket.SOCK_DGRAM))
                made.extend((*sockets.secure_sockets, *sockets.insecure_sockets, *sockets.quic_sockets))
                return sockets

        config = Recording()
        config.bind = config.quic_bind = ["127.0.0.1:0"]
        config.insecure_bind = ["127.0.0.1:0", "127.0.0.1:0"]
        config.certfile, config.keyfile = map(str, certificate)
        if fails:
            with pytest.raises(OSError, match="not supported"):
                ListeningSockets(config)
        else:
            sockets = ListeningSockets(config)
            assert made.pop().fileno() == -1, "QUIC's"
            assert all(sock.fileno() != -1 for sock in made)
            for sock in (*sockets.secure, *sockets.insecure):
                sock.close()
        assert all(sock.fileno() == -1 for sock in made)
        assert "quic_bind is left out" in caplog.text


class Accepting:
    """A socket whose ``accept`` says what the test wants; it is always readable."""

    def __init__(self, *said: object, family: int = socket.AF_UNIX) -> None:
        self.said = list(said)
        self.family = family
        self.readable, self._other = socket.socketpair()
        self._other.send(b"x")
        self.accepted: list[tuple[object, str | None]] = []
        self.times: list[float] = []

    def fileno(self) -> int:
        return self.readable.fileno()

    def close(self) -> None:
        if self.readable.fileno() != -1:
            trio.lowlevel.notify_closing(self.readable)
        self.readable.close()
        self._other.close()

    def accept(self) -> tuple[object, object]:
        self.times.append(trio.current_time())
        said = self.said.pop(0) if self.said else self.close
        if callable(said):
            said()
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if isinstance(said, int):
            raise OSError(said, os.strerror(said))
        return Accepted(said), (said, 4711)

    async def run(self) -> list[str]:
        """Accept until it has nothing to say: then it closes itself."""
        with trio.fail_after(1000):
            await accept_from(self, lambda connection, client: self.accepted.append((connection.name, client)))
        return [name for name, _ in self.accepted]


class Accepted:
    """A connection's socket."""

    def __init__(self, name: str) -> None:
        self.name = name

    def setblocking(self, flag: bool) -> None:
        assert flag is False

    def setsockopt(self, *option: int) -> None:
        assert option == (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.name == "gone":
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


class TestAccepting:
    async def test_until_it_is_closed(self, autojump_clock):
        sock = Accepting("a", errno.EAGAIN, "b")
        assert await sock.run() == ["a", "b"]
        assert trio.current_time() == 0

    async def test_the_clients_address(self, autojump_clock):
        unix, tcp = Accepting("a"), Accepting("192.0.2.1", "gone", family=socket.AF_INET)
        await unix.run()
        await tcp.run()
        assert unix.accepted == [("a", None)]
        assert tcp.accepted == [("192.0.2.1", "192.0.2.1"), ("gone", "gone")]

    @pytest.mark.parametrize("error", [errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.EPERM, errno.EINTR])
    async def test_a_client_that_has_gone_already(self, autojump_clock, error):
        assert await Accepting("a", error, "b").run() == ["a", "b"]
        assert trio.current_time() == 0

    @pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
    async def test_no_room(self, autojump_clock, caplog, error):
        sock = Accepting("a", error, error, "b")
        assert await sock.run() == ["a", "b"]
        assert sock.times == pytest.approx([0, 0, PAUSE, 2 * PAUSE, 2 * PAUSE])
        assert caplog.text.count("no room for another connection") == 2

    async def test_closed_in_the_pause(self, autojump_clock, nursery):
        sock = Accepting(errno.EMFILE, "never")
        nursery.start_soon(sock.run)
        await settle()
        sock.close()
        await trio.sleep(1)
        assert sock.accepted == []

    async def test_closed_while_it_waits(self, autojump_clock, nursery):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            sock.setblocking(False)
            nursery.start_soon(accept_from, sock, print)
            await settle()
            trio.lowlevel.notify_closing(sock)

    async def test_closed_when_it_was_about_to_accept(self, autojump_clock, nursery):
        # The kernel wakes the task, and in the same step the socket is closed, before or after it has its turn.
        for _ in range(10):
            with socket.create_server(("127.0.0.1", 0)) as sock:
                sock.setblocking(False)
                nursery.start_soon(accept_from, sock, lambda connection, client: connection.close())
                await settle()
                with socket.create_connection(sock.getsockname()):
                    await trio.lowlevel.checkpoint()
                    trio.lowlevel.notify_closing(sock)
                    sock.close()
                    await settle()

    async def test_another_error_is_raised(self, autojump_clock):
        sock = Accepting()
        sock.readable.close()
        sock.fileno = lambda: 10**6
        with pytest.raises(OSError, match="Bad file"):
            await sock.run()
        sock._other.close()

    async def test_others_have_their_turn(self, autojump_clock, nursery):
        sock = Accepting(*["a"] * (3 * ACCEPTS_PER_CHECKPOINT))
        seen = set()

        async def other():
            while sock.readable.fileno() != -1:
                seen.add(len(sock.accepted))
                await trio.lowlevel.checkpoint()

        nursery.start_soon(other)
        await sock.run()
        assert seen <= {ACCEPTS_PER_CHECKPOINT * number for number in range(4)}
        assert len(seen) > 1

    async def test_real_ones(self, listening):
        sockets = listening("127.0.0.1:0")
        accepted = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept_from, sockets.insecure[0], lambda *connection: accepted.append(connection))
            with trio.fail_after(10), socket.create_connection(sockets.insecure[0].getsockname()):
                while not accepted:
                    await trio.lowlevel.checkpoint()
            sockets.close()
        ((connection, client),) = accepted
        assert client == "127.0.0.1"
        assert not connection.getblocking()
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()


class StreamListener(trio.abc.Listener):
    """Gives what it is told to: streams, and errors; then it is closed."""

    def __init__(self, *results: object) -> None:
        self.results = list(results)
        self.is_closed = False

    async def accept(self):
        await trio.lowlevel.checkpoint()
        if not self.results:
            raise trio.ClosedResourceError
        result = self.results.pop(0)
        if isinstance(result, int):
            raise OSError(result, os.strerror(result))
        return result

    async def aclose(self) -> None:
        self.is_closed = True

    async def run(self) -> list[tuple[object, str | None]]:
        accepted = []

        async def take(stream, client) -> None:
            accepted.append((stream, client))

        await accept_streams_from(self, take)
        return accepted


class TestAcceptingStreams:
    async def test_until_it_is_closed(self, autojump_clock):
        ours, theirs = trio.testing.memory_stream_pair()
        listener = StreamListener(ours, theirs)
        assert await listener.run() == [(ours, None), (theirs, None)]
        assert listener.is_closed

    async def test_no_room(self, autojump_clock, caplog):
        stream, _ = trio.testing.memory_stream_pair()
        assert await StreamListener(errno.EMFILE, errno.ENFILE, stream).run() == [(stream, None)]
        assert trio.current_time() == pytest.approx(2 * PAUSE)
        assert caplog.text.count("no room for another connection") == 2

    async def test_another_error_is_not_hidden(self, autojump_clock):
        listener = StreamListener(errno.EBADF)
        with pytest.raises(OSError, match="Bad file"):
            await listener.run()
        assert listener.is_closed

    async def test_the_clients_address(self, tls):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            async with await trio.testing.open_stream_to_socket_listener(listener):
                plain = await listener.accept()
            gone = await accepted_of_a_client_that_is_gone(listener)
        secure = trio.SSLStream(plain, tls[0], server_side=True)
        pair = [trio.SocketStream(trio.socket.from_stdlib_socket(sock)) for sock in socket.socketpair()]
        clients = [client for _, client in await StreamListener(plain, secure, pair[0], gone).run()]
        assert clients == ["127.0.0.1", "127.0.0.1", None, None]
        for stream in (plain, gone, *pair):
            await stream.aclose()


async def accepted_of_a_client_that_is_gone(listener: trio.SocketListener) -> trio.SocketStream:
    client = await trio.testing.open_stream_to_socket_listener(listener)
    stream = await listener.accept()
    await trio.aclose_forcefully(client)
    stream.socket.shutdown(socket.SHUT_RDWR)
    await trio.sleep(0.01)
    return stream


def test_a_part_of_the_descriptors_is_left_to_others(monkeypatch):
    monkeypatch.setattr(listening_module.resource, "getrlimit", lambda _: (1000, 4000))
    assert most_connections() == 900
    monkeypatch.setattr(listening_module.resource, "getrlimit", lambda _: (listening_module.resource.RLIM_INFINITY, 0))
    assert most_connections() == math.inf
    monkeypatch.setattr(listening_module, "resource", None)
    assert most_connections() == math.inf
