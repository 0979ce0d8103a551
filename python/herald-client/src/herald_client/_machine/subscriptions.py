"""The entities that the application is subscribed to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class _Wanted:
    """The subscribers of one entity."""

    subscribers: int = 0
    # The requests that an acknowledgement resolves. True for those that ask for presence.
    waiting: dict[int, bool] = field(default_factory=dict)
    # True once the server has acknowledged the entity on any connection.
    is_established: bool = False


class Subscriptions:
    def __init__(self) -> None:
        # In the order in which they were first subscribed to.
        self._wanted: dict[str, _Wanted] = {}

    def add(self, entity: str, request: int, presence: bool) -> None:
        """Adds a subscriber, which waits for an acknowledgement. `presence` is true if it asks for presence."""
        wanted = self._wanted.setdefault(entity, _Wanted())
        wanted.subscribers += 1
        wanted.waiting[request] = presence

    def release(self, entity: str) -> None:
        """Removes a subscriber."""
        wanted = self._wanted.get(entity)
        if wanted is None:
            return
        wanted.subscribers -= 1
        if wanted.subscribers == 0:
            del self._wanted[entity]

    def wants(self, entity: str) -> bool:
        return entity in self._wanted

    def is_established(self, entity: str) -> bool:
        """Returns `True` if the entity is wanted and the server has acknowledged it before."""
        wanted = self._wanted.get(entity)
        return wanted is not None and wanted.is_established

    def acknowledged(self, entity: str, is_complete: bool) -> list[int]:
        """Marks an entity as acknowledged. Returns the requests that waited for that.

        `is_complete` is false if those that ask for presence wait for another acknowledgement.
        """
        wanted = self._wanted.get(entity)
        if wanted is None:
            return []
        wanted.is_established = True
        resolved = [request for request, presence in wanted.waiting.items() if is_complete or not presence]
        for request in resolved:
            del wanted.waiting[request]
        return resolved

    def remove(self, entity: str) -> list[int]:
        """Removes an entity with all its subscribers. Returns the requests that still waited."""
        wanted = self._wanted.pop(entity, None)
        return [] if wanted is None else list(wanted.waiting)

    @property
    def in_order(self) -> list[str]:
        """The entities, in the order in which they were first subscribed to."""
        return list(self._wanted)
