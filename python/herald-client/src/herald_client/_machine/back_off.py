"""Delays that grow, with full jitter.

A delay is a random share of an exponential bound, so that clients that failed together do not retry together.
"""

from __future__ import annotations

import math

from .rules import Rules

# The exponent from which the bound exceeds every cap. It keeps the power small.
_LARGEST_EXPONENT = 64


def rounded(time: float) -> int:
    """Returns the nearest whole number; a half is rounded up."""
    return math.floor(time + 0.5)


class BackOff:
    """The number of delays since the last success."""

    __slots__ = ("_delays",)

    def __init__(self) -> None:
        self._delays = 0

    def next(self, rules: Rules, jitter: float) -> int:
        """Returns the next delay, in milliseconds. `jitter` is the random share of the bound, from 0 to below 1."""
        bound = min(rules.backoff_cap, rules.backoff_base * 2 ** min(self._delays, _LARGEST_EXPONENT))
        self._delays += 1
        return rounded(jitter * bound)

    def reset(self) -> None:
        """Starts small again."""
        self._delays = 0
