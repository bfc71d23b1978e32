"""Whatever members do, in any order: hypothesis looks for the worst.

A fixture is made once for a test, and hypothesis runs a test many times. So each run makes a server of its own, and runs Trio by
itself: no plugin has to know of hypothesis.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from lobby import make_server
from trio.testing import MockClock

from trio_socketio.testing import ClientSocket, open_memory_server

STEPS = st.one_of(
    st.tuples(st.just("say"), st.text(max_size=20)),
    st.tuples(st.sampled_from(["cut", "abort", "half_open", "tunnel"]), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 7.0, 60.0])),
)


async def do(step: tuple[str, str | float], alice: ClientSocket, bob: ClientSocket) -> None:
    """Let Alice say something, or something happen to Bob's connection."""
    match step:
        case ("say", text):
            await alice.call("say", text)
        case ("wait", float(seconds)):
            await trio.sleep(seconds)
        case ("tunnel", _):
            bob.link.refuse()
            bob.link.abort()
            await trio.sleep(20)
            bob.link.accept()
        case (fault, _):
            getattr(bob.link, str(fault))()


async def scenario(steps: Sequence[tuple[str, str | float]]) -> None:
    """Bob hears all that Alice says, in order and once, whatever happens to his connection."""
    async with open_memory_server(make_server()) as server:
        async with (
            server.open_client("/chat", auth={"name": "alice"}) as alice,
            server.open_client("/chat", auth={"name": "bob"}) as bob,
        ):
            for step in steps:
                await do(step, alice, bob)
            await bob.wait_connected()
            await alice.call("say", "the end")

            heard: list[str] = []
            while "the end" not in heard:
                heard.append((await bob.expect("said")).args[1])
            assert heard == [text for name, text in steps if name == "say"] + ["the end"]
        assert not server.errors
        assert not await server.leftovers()


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, max_size=8))
def test_nothing_is_lost_and_nothing_comes_twice(steps: list[tuple[str, str | float]]) -> None:
    trio.run(scenario, steps, clock=MockClock(autojump_threshold=0))
