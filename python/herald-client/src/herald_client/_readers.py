"""The readers of the application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ._machine.failure import Failure
from ._machine.signals import Audience, Frame, Route, StopReason
from ._mailbox import Mailbox
from ._subscriber import Subscriber
from .errors import StoppedError, error_of
from .position import Position
from .presence import Presence
from .push import Lost, Push, Recovered, push_of
from .state import State


@dataclass(frozen=True)
class Topic:
    """The pushes that a reader reads. `kind` is that of the topic `type`."""

    name: Literal["notifications", "broadcasts", "type"]
    kind: str = ""


class Readers:
    def __init__(self) -> None:
        self._subscribers: dict[str, dict[Subscriber, None]] = {}
        self._pushes: dict[Topic, dict[Mailbox[Push | Lost], None]] = {}
        self._losses: dict[Mailbox[Lost], None] = {}
        self._states: dict[Mailbox[State], None] = {}

    def subscribe(self, entity: str, subscriber: Subscriber) -> None:
        self._subscribers.setdefault(entity, {})[subscriber] = None

    def unsubscribe(self, entity: str, subscriber: Subscriber) -> bool:
        """Removes a subscriber. Returns `False` if it was removed or its subscription ended before."""
        subscriber.leave()
        subscribers = self._subscribers.get(entity, {})
        if subscriber not in subscribers:
            return False
        del subscribers[subscriber]
        if not subscribers:
            del self._subscribers[entity]
        return True

    def add_pushes(self, topic: Topic, mailbox: Mailbox[Push | Lost]) -> Callable[[], None]:
        """Adds a mailbox for the pushes of a topic. Returns a function that removes it."""
        mailboxes = self._pushes.setdefault(topic, {})
        mailboxes[mailbox] = None

        def remove() -> None:
            mailboxes.pop(mailbox, None)
            if not mailboxes and self._pushes.get(topic) is mailboxes:
                del self._pushes[topic]

        return remove

    def add_losses(self, mailbox: Mailbox[Lost]) -> Callable[[], None]:
        """Adds a mailbox for losses of every audience. Returns a function that removes it."""
        self._losses[mailbox] = None
        return lambda: void(self._losses.pop(mailbox, None))

    def add_states(self, mailbox: Mailbox[State]) -> Callable[[], None]:
        """Adds a mailbox for changes of the state. Returns a function that removes it."""
        self._states[mailbox] = None
        return lambda: void(self._states.pop(mailbox, None))

    def deliver(self, to: Route, frame: Frame) -> None:
        push = push_of(frame)
        if to == "entity":
            for subscriber in self._subscribers_of(push.entity_id or ""):
                subscriber.receive(push)
        elif to != "other":
            self._put(Topic(to), push)
        self._put(Topic("type", push.type), push)

    def _put(self, topic: Topic, event: Push | Lost) -> None:
        for mailbox in self._pushes.get(topic, ()):
            mailbox.put(event)

    def lose(self, audience: Audience, position: Position | None) -> None:
        """Tells that messages are lost."""
        to = audience.to
        if to == "other":
            return
        lost = Lost(to, audience.entity, position)
        if to == "entity":
            for subscriber in self._subscribers_of(audience.entity or ""):
                subscriber.lose(lost)
        else:
            self._put(Topic(to), lost)
        for mailbox in self._losses:
            mailbox.put(lost)

    def recover(self, audience: Audience, messages: int) -> None:
        """Tells that every message was recovered."""
        for subscriber in self._subscribers_of(audience.entity or ""):
            subscriber.mailbox.put(Recovered(messages))

    def tell_presence(self, entity: str, presence: Presence | None, failure: Failure | None) -> None:
        """Tells the presence of an entity to the subscribers that ask for it."""
        error = None if failure is None else error_of(failure, None)
        for subscriber in self._subscribers_of(entity):
            if subscriber.presence is not None:
                subscriber.presence.tell(presence, error)

    def end(self, entity: str, failure: Failure) -> None:
        """Ends the subscriptions to an entity."""
        for subscriber in self._subscribers.pop(entity, {}):
            subscriber.end(lambda: error_of(failure, None))

    def reload(self, has_log: Callable[[str], bool]) -> None:
        """Loads the state of entities without a log anew: what they missed is not known."""
        for entity in list(self._subscribers):
            if not has_log(entity):
                for subscriber in self._subscribers_of(entity):
                    subscriber.reload()

    def enter(self, state: State) -> None:
        for mailbox in self._states:
            mailbox.put(state)

    def stop(self, reason: StopReason) -> None:
        """Ends every reader."""

        def make() -> Exception:
            return StopAsyncIteration() if reason.kind == "closed" else StoppedError(reason)

        for subscribers in self._subscribers.values():
            for subscriber in subscribers:
                subscriber.end(make)
        for mailboxes in self._pushes.values():
            for mailbox in mailboxes:
                mailbox.end(make)
        for losses in self._losses:
            losses.end(make)
        for states in self._states:
            states.end(StopAsyncIteration)

    def _subscribers_of(self, entity: str) -> list[Subscriber]:
        return list(self._subscribers.get(entity, ()))


def void(_: object) -> None:
    """Drops a value."""
