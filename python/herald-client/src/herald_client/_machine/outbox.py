"""The messages that wait to be sent, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .signals import Audience
from .timers import Timers


@dataclass(frozen=True, eq=False)
class QueuedMessage:
    """A request of the application, in the outbox or in flight. `body` is its JSON, without an id."""

    request: int
    body: str
    target: Audience | None
    safe_to_repeat: bool
    expires_at: int
    # True if it cannot go by HTTP.
    needs_web_socket: bool


class Outbox:
    def __init__(self, timers: Timers, expired: Callable[[QueuedMessage], None]) -> None:
        """Makes an empty outbox, which calls `expired` with each message that expired."""
        self._timers = timers
        self._expired = expired
        # In the order of their requests.
        self._waiting: deque[QueuedMessage] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: QueuedMessage) -> None:
        """Inserts a message in its place. A new one is the last."""
        place = len(self._waiting)
        while place > 0 and self._waiting[place - 1].request > message.request:
            place -= 1
        self._waiting.insert(place, message)
        self._timers.set(f"expire {message.request}", message.expires_at, lambda: self._expire(message))

    def take_first(self) -> QueuedMessage:
        """Removes the first message. The outbox must not be empty."""
        return self._taken(self._waiting.popleft())

    def take_last(self) -> QueuedMessage:
        """Removes the last message. The outbox must not be empty."""
        return self._taken(self._waiting.pop())

    def _taken(self, message: QueuedMessage) -> QueuedMessage:
        self._timers.cancel(f"expire {message.request}")
        return message

    def _expire(self, message: QueuedMessage) -> None:
        self._waiting.remove(message)
        self._expired(message)
