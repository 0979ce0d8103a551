"""The clock of the machine, and the detection of a sleep of the computer."""

from __future__ import annotations

import time

# The seconds between two looks at the clocks.
LOOK_EVERY = 5.0

# The gain of the wall clock that only a sleep explains. Less is a clock that is being corrected.
_GAIN = 10.0

# The time between two looks that only a sleep explains.
_LATE = 65.0


class Clock:
    """A clock that advances while the computer sleeps, unlike `time.monotonic`, and when the wall clock is set back."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._looks = _Looks()

    def now(self) -> int:
        """Returns the milliseconds since the clock was made."""
        wall, steady = self._looks.next()
        self._elapsed += wall if wall >= 0 else steady
        return int(self._elapsed * 1000)


class SleepWatch:
    """The detection of a sleep of the computer.

    After a sleep, the wall clock has gained on the steady one. Where that advances as well, a timer is late.
    """

    def __init__(self) -> None:
        self._looks = _Looks()

    def has_slept(self) -> bool:
        """Returns `True` if the computer slept since the last call."""
        wall, steady = self._looks.next()
        return wall - steady > _GAIN or steady > _LATE


class _Looks:
    """The time that passed between looks, by both clocks."""

    def __init__(self) -> None:
        self._wall, self._steady = time.time(), time.monotonic()

    def next(self) -> tuple[float, float]:
        wall, steady = time.time(), time.monotonic()
        passed = (wall - self._wall, steady - self._steady)
        self._wall, self._steady = wall, steady
        return passed
