"""A place in the log of an audience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# JSON numbers beyond this are not exact in every client.
_LARGEST_NUMBER = 2**53 - 1


@dataclass(frozen=True)
class Position:
    """A place in a log: every message up to `offset` is known. An empty log has no `epoch`."""

    offset: int
    epoch: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the position as JSON has it, to be saved and read with `from_dict`."""
        return {"offset": self.offset} if self.epoch is None else {"epoch": self.epoch, "offset": self.offset}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Position:
        """Reads a position that `to_dict` made.

        Raises `ValueError` if `fields` are not those of a position.
        """
        position = position_of(fields)
        if position is None:
            raise ValueError(f"a position must have an offset that is a whole number from 0, got {dict(fields)!r}")
        return position


def position_of(frame: Mapping[str, Any]) -> Position | None:
    """Returns the position that a frame has. `None` if it has none: its audience has no log."""
    offset, epoch = whole_number(frame.get("offset")), frame.get("epoch")
    return None if offset is None else Position(offset, epoch if isinstance(epoch, str) else None)


def whole_number(field: object) -> int | None:
    """Returns the whole number from 0 that a field of JSON is. `None` if it is none."""
    number = int(field) if isinstance(field, float) and field.is_integer() else field
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return number if 0 <= number <= _LARGEST_NUMBER else None


def position_of_message(frame: Mapping[str, Any]) -> Position | None:
    """Returns the position of a message in its log. `None` if it has none."""
    position = position_of(frame)
    return position if position is not None and position.epoch is not None and position.offset > 0 else None
