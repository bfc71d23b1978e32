"""No wait of the kit lasts for ever."""

from __future__ import annotations

import pytest
import trio

from trio_socketio.testing import ExpectationFailed
from trio_socketio.testing.patience import REAL, VIRTUAL, Patience, is_virtual_time


async def test_it_ends_with_a_sentence(autojump_clock):
    began = trio.current_time()
    with pytest.raises(ExpectationFailed, match=r"^it rains \(waited 7 virtual seconds\)$"):
        await Patience.of(7).wait(trio.sleep_forever, lambda: "it rains")
    assert trio.current_time() - began == 7


async def test_what_comes_in_time_is_returned(autojump_clock):
    async def answer():
        await trio.sleep(6)
        return 42

    assert await Patience.of(7).wait(answer, lambda: "") == 42


async def test_an_outer_deadline_is_not_taken_for_its_own(autojump_clock):
    with trio.move_on_after(1) as scope:
        await Patience.of(7).wait(trio.sleep_forever, lambda: "")
    assert scope.cancelled_caught


async def test_the_default_knows_the_clock(autojump_clock):
    assert is_virtual_time()
    assert Patience.of(None).seconds == VIRTUAL


async def test_the_default_in_real_time():
    assert not is_virtual_time()
    assert Patience.of(None).seconds == REAL
    with pytest.raises(ExpectationFailed, match=r"waited 0.001 seconds"):
        await Patience.of(0.001).wait(trio.sleep_forever, lambda: "")


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_it_is_a_time(seconds):
    with pytest.raises(ValueError, match="give seconds above 0"):
        Patience.of(seconds)
