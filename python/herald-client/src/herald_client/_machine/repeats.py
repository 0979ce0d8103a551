"""The ids of recent events."""

from __future__ import annotations


class Repeats:
    """The last event ids, up to a number of them."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._seen: dict[str, None] = {}

    def insert(self, event_id: object) -> bool:
        """Inserts an id, and removes the oldest beyond the window.

        Returns `False` if the id was present. A value that is not a string is never present.
        """
        if not isinstance(event_id, str):
            return True
        if event_id in self._seen:
            return False
        self._seen[event_id] = None
        if len(self._seen) > self._window:
            del self._seen[next(iter(self._seen))]
        return True
