"""The entities of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._json import encode
from .signals import bytes_of

# The most entities of one frame, and its most bytes: the server's limits.
ENTITIES_AT_ONCE = 100
_FRAME_LIMIT = 32 * 1024

# The most bytes of a frame beside its entities and the positions of other logs.
_FRAME_WITHOUT_ENTITIES = 64


class Batch:
    """The entities of one frame, each with its value, in order."""

    def __init__(self, limit: int = ENTITIES_AT_ONCE, beside: Mapping[str, Any] | None = None) -> None:
        """Makes an empty batch for `limit` entities. `beside` are the further fields of the frame."""
        self._limit = limit
        self._bytes = _FRAME_WITHOUT_ENTITIES + bytes_of(encode(beside or {}))
        self.entities: dict[str, Mapping[str, Any]] = {}

    @property
    def is_empty(self) -> bool:
        return not self.entities

    def has_room_for(self, entity: str, value: Mapping[str, Any]) -> bool:
        fits = len(self.entities) < self._limit and self._bytes + _bytes_of_member(entity, value) <= _FRAME_LIMIT
        return self.is_empty or fits

    def add(self, entity: str, value: Mapping[str, Any]) -> None:
        self._bytes += _bytes_of_member(entity, value)
        self.entities[entity] = value


def _bytes_of_member(entity: str, value: Mapping[str, Any]) -> int:
    """Returns the bytes of `"entity":{},` in a frame."""
    return bytes_of(encode(entity)) + bytes_of(encode(value)) + len(":,")
