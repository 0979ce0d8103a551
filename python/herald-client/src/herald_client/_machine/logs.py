"""The logs of the audiences that the client belongs to."""

from __future__ import annotations

from .log import Log
from .signals import Audience, Route


class Logs:
    def __init__(self) -> None:
        self._entities: dict[str, Log] = {}
        self._user = Log(Audience("notifications"))
        self._everyone = Log(Audience("broadcasts"))

    @property
    def unsubscribed(self) -> list[Log]:
        """The logs of audiences that need no subscription."""
        return [self._user, self._everyone]

    @property
    def known(self) -> list[Log]:
        """The logs with a position."""
        every = [self._user, self._everyone, *self._entities.values()]
        return [log for log in every if log.position is not None]

    def at(self, to: Route, entity: str | None = None) -> Log | None:
        """Returns the log of an audience. `None` if it has none."""
        if to == "entity":
            return None if entity is None else self._entities.get(entity)
        if to == "notifications":
            return self._user
        return self._everyone if to == "broadcasts" else None

    def insert(self, entity: str) -> Log:
        """Inserts the log of an entity, for a new session."""
        log = Log(Audience("entity", entity))
        log.is_starting = True
        self._entities[entity] = log
        return log

    def remove(self, entity: str) -> Log | None:
        """Removes the log of an entity, and ends its session."""
        log = self._entities.pop(entity, None)
        if log is not None:
            log.has_ended = True
        return log
