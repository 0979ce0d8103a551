"""The changes of the users at an entity."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from ._presence_board import PresenceBoard
from .errors import HeraldError
from .presence import Member, Presence


@dataclass(frozen=True)
class PresenceChange:
    """A change of the users at an entity. While the members are unknown, `joined` and `left` are empty."""

    # The users that are new, or of whom something else is known than before.
    joined: list[Member]
    # The users that left, as they were known.
    left: list[Member]
    # The users now. `None` if there is no presence: the stack has no policy for the entity or refused it, or the client
    # polls.
    presence: Presence | None
    # The error with which the server refused presence. The subscription goes on without.
    error: HeraldError | None = None


class PresenceChanges(AsyncIterator[PresenceChange]):
    """An asynchronous iterator over the changes of the users at an entity. The first has all users as joined.

    It ends, and raises, as the iteration over the pushes of its subscription does. A slow reader gets several changes
    as one: the difference between what it read last and what is known now.
    """

    def __init__(self, board: PresenceBoard, begin: Callable[[], Awaitable[None]]) -> None:
        self._board = board
        self._begin = begin
        self._previous: Presence | None = None
        self._read = 0

    def __aiter__(self) -> PresenceChanges:
        return self

    async def __anext__(self) -> PresenceChange:
        await self._begin()
        board = self._board
        await board.changed_since(self._read)
        change = change_between(self._previous, board.presence, board.error)
        self._previous, self._read = board.presence, board.changes
        return change


def change_between(
    previous: Presence | None, presence: Presence | None, error: HeraldError | None = None
) -> PresenceChange:
    """Returns what differs between a set and its successor. Unknown members neither join nor leave."""
    before = {} if previous is None or previous.members is None else previous.members
    members = None if presence is None else presence.members
    if members is None:
        return PresenceChange([], [], presence, error)
    joined = [member for user, member in members.items() if before.get(user) != member]
    left = [member for user, member in before.items() if user not in members]
    return PresenceChange(joined, left, presence, error)
