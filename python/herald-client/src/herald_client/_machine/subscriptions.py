"""The entities that the application is subscribed to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class _Wanted:
    """The subscribers of one entity."""

    subscribers: int = 0
    # The requests that an acknowledgement resolves.
    waiting: list[int] = field(default_factory=list)
    # True once the server has acknowledged the entity on any connection.
    is_established: bool = False


class Subscriptions:
    def __init__(self) -> None:
        # In the order in which they were first subscribed to.
        self._wanted: dict[str, _Wanted] = {}

    def add(self, entity: str, request: int) -> None:
        """Adds a subscriber, which waits for an acknowledgement."""
        wanted = self._wanted.setdefault(entity, _Wanted())
        wanted.subscribers += 1
        wanted.waiting.append(request)

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

    def acknowledged(self, entity: str) -> list[int]:
        """Marks an entity as acknowledged. Returns the requests that waited for that."""
        wanted = self._wanted.get(entity)
        if wanted is None:
            return []
        wanted.is_established = True
        waiting, wanted.waiting = wanted.waiting, []
        return waiting

    def remove(self, entity: str) -> list[int]:
        """Removes an entity with all its subscribers. Returns the requests that still waited."""
        wanted = self._wanted.pop(entity, None)
        return [] if wanted is None else wanted.waiting

    @property
    def in_order(self) -> list[str]:
        """The entities, in the order in which they were first subscribed to."""
        return list(self._wanted)
