"""The presence of an entity, as the server told it last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .errors import HeraldError
from .presence import Presence


class PresenceBoard:
    """The presence that one subscription was told last, for any number of readers."""

    def __init__(self) -> None:
        self.presence: Presence | None = None
        # The error with which the server refused presence.
        self.error: HeraldError | None = None
        # The number of changes so far.
        self.changes = 0
        self._end: Callable[[], Exception] | None = None
        # Set by the next change, or by the end.
        self._changed = asyncio.Event()

    def tell(self, presence: Presence | None, error: HeraldError | None) -> None:
        """Notes what the server told, unless it is known."""
        if self._end is not None or (self.changes > 0 and self.presence == presence):
            return
        self.presence, self.error = presence, error
        self.changes += 1
        self._wake()

    def end(self, make: Callable[[], Exception]) -> None:
        """Ends the readers. Each gets the exception after the change that it has not read yet."""
        if self._end is None:
            self._end = make
            self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changed_since(self, changes: int) -> None:
        """Waits until there were more changes.

        Raises what ended the readers.
        """
        while self.changes == changes:
            if self._end is not None:
                raise self._end()
            await self._changed.wait()
