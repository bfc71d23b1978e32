"""A member whose phone takes nothing any more: nobody waits for it."""

from __future__ import annotations

import trio

from trio_socketio.testing import ClientFactory

TEXT = "x" * 200


async def test_nobody_waits_for_a_slow_member(socketio_client: ClientFactory) -> None:
    alice = await socketio_client("/chat", auth={"name": "alice"}, transports=("websocket",))
    slow = await socketio_client("/chat", auth={"name": "slow"}, transports=("websocket",), reconnection=False)
    slow.link.stop_reading()

    started = trio.current_time()
    for _ in range(700):
        assert await alice.call("say", TEXT) == "said"
    assert trio.current_time() - started < 1, "virtual seconds: nobody has waited"

    await alice.expect("left", "slow")
    slow.link.resume_reading()
    await slow.wait_disconnected()


async def test_what_is_worth_nothing_later_is_dropped(socketio_client: ClientFactory) -> None:
    alice = await socketio_client("/chat", auth={"name": "alice"}, transports=("websocket",))
    slow = await socketio_client("/chat", auth={"name": "slow"}, transports=("websocket",))
    slow.link.stop_reading()
    for _ in range(1500):
        await alice.emit("typing")
    await alice.call("say", "done")
    slow.link.resume_reading()

    told = 0
    async for event in slow:
        if event.name == "said":
            break
        told += 1
    assert slow.connected
    assert told < 1500
