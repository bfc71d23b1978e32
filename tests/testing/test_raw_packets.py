"""What a raw client expects: matches, failures, ends."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import RemoteProtocolError
from trio_socketio.testing import ExpectationFailed
from trio_socketio.testing.patience import Patience
from trio_socketio.testing.raw_packets import RawPackets


def packets(*batches, end=trio.EndOfChannel):
    """What comes, batch by batch; then ``end`` is raised, or nothing comes any more."""
    batches = list(batches)

    async def fetch():
        await trio.lowlevel.checkpoint()
        if batches:
            return batches.pop(0)
        if end is None:
            await trio.sleep_forever()
        raise end

    return RawPackets(fetch, Patience.of(10))


async def test_they_are_taken_in_order(autojump_clock):
    source = packets(["40", "41"], [], [b"x"])
    assert await source.expect("4...", "41") == "41"
    assert await source.expect(b"x") == b"x"
    assert await source.expect() == ""


async def test_another_packet(autojump_clock):
    with pytest.raises(ExpectationFailed, match=r"^expected the packet '40', but '41' came, and behind it \['42'\]$"):
        await packets(["41", "42"]).expect("40")
    with pytest.raises(ExpectationFailed, match="^expected the packet '40', but b'x' came$"):
        await packets([b"x"]).expect("40")


async def test_nothing_comes(autojump_clock):
    began = trio.current_time()
    with pytest.raises(ExpectationFailed, match="'40' did not come, and nothing else .waited 10 virtual"):
        await packets(end=None).expect("40")
    assert trio.current_time() - began == 10


@pytest.mark.parametrize("end", [trio.EndOfChannel, trio.ClosedResourceError, trio.BrokenResourceError("it was cut")])
async def test_nothing_can_come(autojump_clock, end):
    with pytest.raises(ExpectationFailed, match="'40' can't come any more: (the server has closed|it was cut)"):
        await packets(end=end).expect("40")


@pytest.mark.parametrize("failure", [ConnectionRefusedError("nobody"), RemoteProtocolError("nonsense")])
async def test_nothing_could_be_fetched(autojump_clock, failure):
    with pytest.raises(ExpectationFailed, match=f"'40' can't come: {failure}"):
        await packets(end=failure).expect("40")


async def test_what_is_no_pattern_takes_nothing(autojump_clock):
    source = packets(["40"])
    with pytest.raises(TypeError):
        await source.expect("40", 3)
    await source.expect("40")


async def test_silence(autojump_clock):
    await packets(end=None).expect_nothing(5)
    await packets().expect_nothing(5)
    with pytest.raises(ExpectationFailed, match="'2' came, and nothing should"):
        await packets(["2"]).expect_nothing(0)


async def test_the_end(autojump_clock):
    await packets().expect_end()
    with pytest.raises(ExpectationFailed, match="expected the end of the connection, but '1' came"):
        await packets(["1"]).expect_end()
    with pytest.raises(ExpectationFailed, match="the server has not closed the connection"):
        await packets(end=None).expect_end()
