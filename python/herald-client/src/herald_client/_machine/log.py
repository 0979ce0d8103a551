"""The order of the messages of one audience."""

from __future__ import annotations

from dataclasses import dataclass

from ..position import Position
from .back_off import BackOff
from .signals import Audience, Frame


@dataclass(frozen=True)
class HeldPush:
    """A message ahead of the position.

    It has no `frame` if it is the application's own, which only moves the position.
    """

    position: Position
    frame: Frame | None = None


class Log:
    """The log of one audience, during one session: from the first subscriber to the last."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        # The client has every message up to here. `None` if no log is known.
        self.position: Position | None = None
        # True until the first answer of the log.
        self.is_starting = False
        # The number of last messages to ask for at the start.
        self.rewind: int | None = None
        # True once the application reads the audience, for those that need no subscription.
        self.is_followed = False
        # True once the server has said that it keeps no such log.
        self.is_absent = False
        self.has_ended = False
        # True if the position must be compared, although no message after it is held.
        self.is_doubtful = False
        # False once the server has refused to read history.
        self.may_read = True
        # The number of messages that a recovery has delivered so far.
        self.recovering: int | None = None
        # The first offset, if the client adopted it from a push. Messages before it may still be on their way.
        self.adopted_at = 0
        # The last offset that was delivered up to the position. `None` unless a `sync` told the position and it has
        # not moved since: messages up to it may still be on their way.
        self.delivered_before: int | None = None
        self.back_off = BackOff()
        self._top = 0
        self._held: dict[Position, HeldPush] = {}

    @property
    def held(self) -> int:
        """The number of messages held."""
        return len(self._held)

    @property
    def is_behind(self) -> bool:
        """True if messages after the position exist, or may exist."""
        return self.is_doubtful or self.is_missing

    @property
    def is_missing(self) -> bool:
        """True if messages after the position exist."""
        return self.position is not None and (bool(self._held) or self._top > self.position.offset)

    def continues_with(self, position: Position) -> bool:
        """Returns `True` if a position is of the same epoch. Before the first message, any epoch is."""
        return self.position is not None and self.position.epoch in (None, position.epoch)

    def is_before(self, position: Position) -> bool:
        return self.position is None or not self.continues_with(position) or position.offset > self.position.offset

    def hold(self, push: HeldPush) -> None:
        """Holds a message that is after the position."""
        self._held[push.position] = push

    def raise_top(self, offset: int) -> None:
        """Notes an offset that was taken in the epoch of the position."""
        self._top = max(self._top, offset)

    def move_to(self, position: Position) -> None:
        """Moves the position, and drops the held messages up to it."""
        if not self.continues_with(position):
            self._top = self.adopted_at = 0
        self.position = position
        self.delivered_before = None
        if self._held:
            passed = [at for at in self._held if self.continues_with(at) and at.offset <= position.offset]
            for at in passed:
                del self._held[at]

    def confirm(self) -> None:
        """Notes that the server compared the position. What is held of another epoch is out of date."""
        self.is_doubtful = False
        if self._held:
            self._held = {at: push for at, push in self._held.items() if self.continues_with(at)}

    def take_next(self) -> HeldPush | None:
        """Moves the position to the next message if it is held, and returns that."""
        following = self._next()
        if following is not None:
            del self._held[following.position]
            self.position = following.position
            self.delivered_before = None
        return following

    def _next(self) -> HeldPush | None:
        if self.position is None or not self._held:
            return None
        offset = self.position.offset + 1
        if self.position.epoch is not None:
            return self._held.get(Position(offset, self.position.epoch))
        return next((push for at, push in self._held.items() if at.offset == offset), None)

    def position_before(self, position: Position) -> Position | None:
        """Returns the position before the first message held up to a position of the same epoch. `None` if none is."""
        offsets = [at.offset for at in self._held if at.epoch == position.epoch and at.offset <= position.offset]
        return Position(min(offsets) - 1, position.epoch) if offsets else None

    @property
    def resumes_at(self) -> Position | None:
        """The first position from which delivery can go on: before the first message held, or the last offset taken."""
        held = list(self._held)
        if held:
            last = next((at for at in held if self.continues_with(at)), held[-1])
            return Position(min(at.offset for at in held if at.epoch == last.epoch) - 1, last.epoch)
        if self.position is None:
            return None
        return Position(max(self._top, self.position.offset), self.position.epoch)

    def take_all(self) -> list[HeldPush]:
        """Removes all held messages, and returns them in their order."""
        held = sorted(self._held.values(), key=lambda push: push.position.offset)
        self._held.clear()
        return held
