"""How long a client waits before it tries to connect again: as the official one, but by a random that a test can seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The waits between attempts, in seconds: 1, 2, 4, 5, 5, ..., each shortened or lengthened by up to half of it.

    Args:
        first: the first wait.
        longest: no wait is longer than this.
        factor: each is so many times the one before.
        jitter: the part of it by which it may be shorter or longer, 0 to 1; 0 for none.
        seed: of the random numbers: the same seed, the same waits.

    Raises:
        ValueError: a value out of range; the message says which.
    """

    first: float = 1.0
    longest: float = 5.0
    factor: float = 2.0
    jitter: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("first", 0), ("longest", 0), ("factor", 1), ("jitter", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < 2**31:
                msg = f"Backoff({name}={value!r}) takes a number, {least} or more"
                raise ValueError(msg)
        if self.jitter > 1:
            msg = f"Backoff(jitter={self.jitter!r}) is a part of the wait: give 0 to 1"
            raise ValueError(msg)


@final
class Waits:
    """The waits of one client; they begin anew when it is connected."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._random = random.Random(backoff.seed)  # noqa: S311 - no secret is made of it
        self._attempts = 0

    @property
    def attempts(self) -> int:
        """How many waits there were since it was connected."""
        return self._attempts

    def next(self) -> float:
        """Return the seconds before the next attempt."""
        backoff = self._backoff
        # Beyond some power it is the longest in any case; larger ones are no numbers any more.
        wait = min(backoff.first * backoff.factor ** min(self._attempts, 30), 2.0**31)
        self._attempts += 1
        # As the official client: the jitter is added first, and the bound is applied to the sum.
        wait += (2 * self._random.random() - 1) * backoff.jitter * wait
        return min(wait, backoff.longest)

    def reset(self) -> None:
        """Begin anew; the random numbers go on."""
        self._attempts = 0
