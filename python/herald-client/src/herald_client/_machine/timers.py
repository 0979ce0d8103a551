"""Callbacks that are due at a time. The machine fires them."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

# The least number of entries from which dead ones are worth removing.
_SMALL = 64


class Timers:
    """Named timers in a heap. An entry of the heap is dead if its timer was cancelled or set anew."""

    def __init__(self) -> None:
        self._numbers = count()
        # Each with its number, and the order among timers of one time.
        self._timers: dict[str, tuple[int, int, Callable[[], None]]] = {}
        self._heap: list[tuple[int, int, int, str]] = []

    def set(self, name: str, at: int, run: Callable[[], None]) -> None:
        """Sets a timer, in place of another of the same name."""
        number = next(self._numbers)
        present = self._timers.get(name)
        order = number if present is None else present[1]
        self._timers[name] = (number, order, run)
        heapq.heappush(self._heap, (at, order, number, name))
        if len(self._heap) > _SMALL + 2 * len(self._timers):
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapq.heapify(self._heap)

    def cancel(self, name: str) -> None:
        self._timers.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._timers

    def clear(self) -> None:
        self._timers.clear()
        self._heap.clear()

    @property
    def next(self) -> int | None:
        """The time of the earliest timer. `None` if there is no timer."""
        while self._heap:
            if self._is_live(self._heap[0]):
                return self._heap[0][0]
            heapq.heappop(self._heap)
        return None

    def take_due(self, now: int) -> Callable[[], None] | None:
        """Removes the earliest timer that is due and returns its callback. `None` if none is due."""
        at = self.next
        if at is None or at > now:
            return None
        name = heapq.heappop(self._heap)[3]
        return self._timers.pop(name)[2]

    def _is_live(self, entry: tuple[int, int, int, str]) -> bool:
        timer = self._timers.get(entry[3])
        return timer is not None and timer[0] == entry[2]
