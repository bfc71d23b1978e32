"""What is asked of an application's functions when they are set."""

from __future__ import annotations

import inspect
from collections.abc import Callable


def is_async(function: Callable[..., object]) -> bool:
    """Say whether a function, or an object that can be called, is async."""
    return any(inspect.iscoroutinefunction(called) for called in (function, type(function).__call__))


def check_plain(setting: str, function: Callable[..., object] | None) -> None:
    """Check a hook that is called without waiting.

    Raises:
        TypeError: it is async, or can't be called.
    """
    if function is None:
        return
    if not callable(function):
        msg = f"{setting}={function!r} can't be called: give a function"
        raise TypeError(msg)
    if is_async(function):
        msg = f"{setting}=... takes no async function: nobody waits for it; give a plain one"
        raise TypeError(msg)
