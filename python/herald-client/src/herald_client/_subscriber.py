"""The receiving end of one subscription."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ._machine.rules import Rules
from ._mailbox import Mailbox
from ._presence_board import PresenceBoard
from ._state_loader import Spawn, StateCallback, StateLoader
from .push import Lost, Push, Recovered

Event = Push | Lost | Recovered


class Subscriber:
    def __init__(
        self, buffer: int, state: StateCallback | None, presence: PresenceBoard | None, rules: Rules, spawn: Spawn
    ) -> None:
        """Makes a subscriber. It asks for presence if it has a board for it."""
        self.presence = presence
        # The acknowledgement, once it was asked for.
        self.acknowledgement: asyncio.Future[Any] | None = None
        self.mailbox: Mailbox[Event] = Mailbox(buffer)
        self.loader = None if state is None else StateLoader(state, self.mailbox.put, rules, spawn)

    @property
    def is_read(self) -> bool:
        """True if the application has read every message that arrived."""
        return self.mailbox.is_read and (self.loader is None or self.loader.is_current)

    def receive(self, push: Push) -> None:
        if self.loader is None:
            self.mailbox.put(push)
        else:
            self.loader.receive(push)

    def lose(self, lost: Lost) -> None:
        if self.loader is not None:
            # The state that is loaded now has what they say.
            self.mailbox.drop_pushes()
            self.loader.reload(lost.position)
        self.mailbox.put(lost)

    def reload(self) -> None:
        """Loads the state anew, if the application has one."""
        if self.loader is not None:
            self.mailbox.drop_pushes()
            self.loader.reload(None)

    def end(self, make: Callable[[], Exception]) -> None:
        """Ends the subscription with an exception for its reader."""
        self.leave()
        self.mailbox.end(make)
        if self.presence is not None:
            self.presence.end(make)

    def leave(self) -> None:
        """Stops the loading of its state."""
        if self.loader is not None:
            self.loader.end()
