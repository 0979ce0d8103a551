"""The users at an entity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Member:
    """A user at an entity."""

    user_id: str
    # The number of the user's connections when the server counted them last. A change of it alone is not told.
    connections: int
    # The claim `heraldInfo` of the user's token.
    info: Any = None


@dataclass(frozen=True)
class Presence:
    """The users at an entity, at one time."""

    # The number of users, and of connections without a user.
    count: int
    # The users by their ids, in the order of these. `None` if there are more than the stack lists.
    members: Mapping[str, Member] | None
