"""What is async, and what may be a hook."""

from __future__ import annotations

from functools import partial

import pytest

from trio_socketio._engine.hooks import check_plain, is_async


async def waits(*args):
    pass


def plain(*args):
    pass


class Waits:
    async def __call__(self):
        pass

    async def method(self):
        pass


class Plain:
    def __call__(self):
        pass


@pytest.mark.parametrize(("function", "expected"), [
    (waits, True), (plain, False), (partial(waits, 1), True), (partial(plain, 1), False), (Waits(), True), (Plain(), False),
    (Waits().method, True), (Waits, False), (print, False), (lambda: None, False),
])  # fmt: skip
def test_is_async(function, expected):
    assert is_async(function) is expected
    if expected:
        with pytest.raises(TypeError, match="Setting=... takes no async function: nobody waits for it"):
            check_plain("Setting", function)
    else:
        check_plain("Setting", function)


def test_what_is_no_function():
    check_plain("Setting", None)
    with pytest.raises(TypeError, match="Setting='x' can't be called: give a function"):
        check_plain("Setting", "x")
