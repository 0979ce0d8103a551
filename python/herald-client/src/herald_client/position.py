"""A place in the log of an audience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# JSON numbers beyond this are not exact in every client.
_LARGEST_OFFSET = 2**53 - 1


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
    offset, epoch = frame.get("offset"), frame.get("epoch")
    if isinstance(offset, float) and offset.is_integer():
        offset = int(offset)
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset <= _LARGEST_OFFSET:
        return None
    return Position(offset, epoch if isinstance(epoch, str) else None)


def position_of_message(frame: Mapping[str, Any]) -> Position | None:
    """Returns the position of a message in its log. `None` if it has none."""
    position = position_of(frame)
    return position if position is not None and position.epoch is not None and position.offset > 0 else None
