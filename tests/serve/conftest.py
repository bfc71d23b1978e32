"""What tests of the native front share."""

from __future__ import annotations

import socket

import pytest

from tests.support.front import running_front, socket_pair
from tests.support.tls import contexts, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """The paths of a certificate for localhost, and of its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate):
    """A server's TLS context, and a client's."""
    return contexts(*certificate)


@pytest.fixture
async def front(autojump_clock):
    """A site in virtual time; nothing is left of its connections."""
    async with running_front() as front:
        yield front
        await front.close_clients()
        assert front.is_idle


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
