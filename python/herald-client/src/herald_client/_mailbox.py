"""The queue of events from the connection to one reader.

It is bounded, drops the oldest and counts what it dropped, because a slow reader must not fill the memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from .errors import LaggedError
from .position import Position
from .push import Lost, Push

Event = TypeVar("Event")


class Mailbox(Generic[Event]):
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[Event] = deque()
        self._changed = asyncio.Event()
        self._dropped = 0
        self._end: Callable[[], Exception] | None = None
        # The position after what the reader has read.
        self.position: Position | None = None

    def put(self, event: Event) -> None:
        """Adds an event. Drops the oldest if the mailbox is full."""
        if self._end is not None:
            return
        if len(self._queue) == self._limit:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append(event)
        self._changed.set()

    def start(self, position: Position | None) -> None:
        """Tells the reader its position. If pushes wait for the reader, its position is before them."""
        first = self._queue[0] if self._queue else None
        at = first.position if isinstance(first, Push) else None
        self.position = position if at is None else Position(at.offset - 1, at.epoch)

    def drop_pushes(self) -> None:
        """Drops the pushes that the reader has not read."""
        self._queue = deque(event for event in self._queue if not isinstance(event, Push))

    def end(self, make: Callable[[], Exception]) -> None:
        """Ends the mailbox. The reader gets the exception after the events that it has not read yet."""
        if self._end is None:
            self._end = make
            self._changed.set()

    @property
    def is_read(self) -> bool:
        """True if the reader has read every event."""
        return not self._queue and self._dropped == 0

    @property
    def has_ended(self) -> bool:
        return self._end is not None

    async def next(self) -> Event:
        """Waits for the next event. A cancelled call takes none.

        Raises `LaggedError` if events were dropped before the next one, and what ended the mailbox.
        """
        while True:
            if self._dropped > 0:
                missed, self._dropped = self._dropped, 0
                raise LaggedError(missed)
            if self._queue:
                event = self._queue.popleft()
                self._follow(event)
                return event
            if self._end is not None:
                raise self._end()
            self._changed.clear()
            await self._changed.wait()

    def _follow(self, event: Event) -> None:
        if isinstance(event, Lost) or (isinstance(event, Push) and event.position is not None):
            self.position = event.position
