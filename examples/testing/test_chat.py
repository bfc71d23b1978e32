"""What members of the chat see of each other."""

from __future__ import annotations

import lobby
import pytest
import trio
from lobby import MAX_TEXT

from trio_socketio import ConnectionRefused
from trio_socketio.testing import ClientFactory, MemoryServer


async def test_everybody_else_hears_what_one_says(socketio_client: ClientFactory) -> None:
    alice = await socketio_client("/chat", auth={"name": "alice"})
    bob = await socketio_client("/chat", auth={"name": "bob"})
    await alice.expect("came", "bob")

    assert await alice.call("say", "hello") == "said"

    await bob.expect("said", "alice", "hello")
    await alice.expect_nothing("said")


@pytest.mark.parametrize("auth", [None, {}, {"name": ""}, {"name": 5}])
async def test_nobody_comes_in_without_a_name(socketio_client: ClientFactory, auth: dict[str, object] | None) -> None:
    with pytest.raises(ConnectionRefused, match="say who you are") as refused:
        await socketio_client("/chat", auth=auth)
    assert refused.value.data == {"missing": "name"}


async def test_long_texts_are_not_sent_on(socketio_client: ClientFactory) -> None:
    alice = await socketio_client("/chat", auth={"name": "alice"})
    bob = await socketio_client("/chat", auth={"name": "bob"})
    assert await alice.call("say", "x" * (MAX_TEXT + 1)) == f"no more than {MAX_TEXT} characters, please"
    await bob.expect_nothing("said")


async def test_who_leaves_is_told_at_once(socketio_server: MemoryServer, socketio_client: ClientFactory) -> None:
    alice = await socketio_client("/chat", auth={"name": "alice"})
    async with socketio_server.open_client("/chat", auth={"name": "bob"}):
        await alice.expect("came", "bob")
    await alice.expect("left", "bob")


async def test_what_could_not_be_archived_is_not_said(
    socketio_server: MemoryServer, socketio_client: ClientFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(name: str, text: str) -> None:
        raise OSError(f"no room for what {name} says")

    monkeypatch.setattr(lobby, "archive", fail)
    alice = await socketio_client("/chat", auth={"name": "alice"})
    bob = await socketio_client("/chat", auth={"name": "bob"})

    await alice.emit("say", "hello")

    await bob.expect_nothing("said", within=1)
    error = socketio_server.errors.pop()  # else the test fails by it
    assert error.event == "say"
    assert str(error.exception) == "no room for what alice says"


async def test_an_hour_of_silence(socketio_client: ClientFactory) -> None:
    alice = await socketio_client("/chat", auth={"name": "alice"})
    await trio.sleep(60 * 60)
    assert await alice.call("say", "still there") == "said"
