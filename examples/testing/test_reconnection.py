"""Members whose connection is lost, and a server that is restarted."""

from __future__ import annotations

from trio_socketio.testing import ClientFactory, ClientSocket, MemoryServer


async def join(socketio_client: ClientFactory, name: str) -> ClientSocket:
    """Join the chat by a WebSocket."""
    return await socketio_client("/chat", auth={"name": name}, transports=("websocket",))


async def test_nothing_is_missed_in_a_tunnel(socketio_client: ClientFactory) -> None:
    alice, bob = await join(socketio_client, "alice"), await join(socketio_client, "bob")
    before = bob.id

    bob.link.refuse()
    bob.link.abort()
    await bob.wait_disconnected()
    await alice.call("say", "are you there?")
    bob.link.accept()
    await bob.wait_connected()

    assert bob.recovered
    assert bob.id == before
    await bob.expect("said", "alice", "are you there?")
    await alice.expect("came", "bob")
    await alice.expect_nothing()  # that he was away is nobody's business


async def test_a_network_that_dies_without_a_word(socketio_client: ClientFactory) -> None:
    alice, bob = await join(socketio_client, "alice"), await join(socketio_client, "bob")
    bob.link.half_open()
    await alice.call("say", "are you there?")

    assert await bob.wait_disconnected() == "ping timeout"
    await bob.wait_connected()

    assert bob.recovered
    await bob.expect("said", "alice", "are you there?")


async def test_who_stays_away_has_left(socketio_client: ClientFactory) -> None:
    alice, bob = await join(socketio_client, "alice"), await join(socketio_client, "bob")
    await alice.expect("came", "bob")
    bob.link.refuse()
    bob.link.abort()

    await alice.expect_nothing(within=119)
    await alice.expect("left", "bob")


async def test_a_restart_of_the_server(socketio_server: MemoryServer, socketio_client: ClientFactory) -> None:
    alice, bob = await join(socketio_client, "alice"), await join(socketio_client, "bob")
    await socketio_server.drop()
    await alice.wait_disconnected()
    await socketio_server.restart()
    await alice.wait_connected()
    await bob.wait_connected()

    assert not alice.recovered
    assert await alice.call("say", "that was quick") == "said"
    await bob.expect("said", "alice", "that was quick")


async def test_without_websockets(socketio_server: MemoryServer, socketio_client: ClientFactory) -> None:
    socketio_server.refuse_upgrades()  # as a proxy that does not know them
    alice = await socketio_client("/chat", auth={"name": "alice"})
    bob = await socketio_client("/chat", auth={"name": "bob"})
    assert await alice.call("say", "slow, but here") == "said"
    await bob.expect("said", "alice", "slow, but here")
    assert alice.transport == bob.transport == "polling"
