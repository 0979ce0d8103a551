"""One socket of the machine, from the request for its token to its end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ..position import Position
from .back_off import BackOff
from .log import Log
from .outbox import QueuedMessage


@dataclass(frozen=True)
class Asked:
    """A log that a request names, with the position that it names."""

    log: Log
    position: Position | None
    # Of a `subscribe`: true if it asks for presence, and if the link was subscribed to the entity before.
    presence: bool = False
    is_subscribed: bool = False


# Requests without a reply.


@dataclass(frozen=True)
class SubscribeRequest:
    entities: tuple[str, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class UnsubscribeRequest:
    entity: str


@dataclass(frozen=True)
class MessageRequest:
    message: QueuedMessage


@dataclass(frozen=True)
class SyncRequest:
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class HistoryRequest:
    asked: tuple[Asked]


@dataclass(frozen=True)
class PresenceRequest:
    entity: str


@dataclass(frozen=True)
class AuthenticateRequest:
    pass


@dataclass(frozen=True)
class OpenRequest:
    """The first poll of a link, which shows that HTTP passes."""


LogRequest = (SubscribeRequest, SyncRequest, HistoryRequest)
Request = (
    SubscribeRequest
    | UnsubscribeRequest
    | MessageRequest
    | SyncRequest
    | HistoryRequest
    | PresenceRequest
    | AuthenticateRequest
    | OpenRequest
)

EntityStateName = Literal["subscribing", "subscribed", "unsubscribing", "waitingToRetry", "retrying"]


@dataclass
class EntityState:
    """The state of an entity on a link.

    API Gateway handles the frames of one connection concurrently, so at most one request about an entity is in flight.
    """

    name: EntityStateName
    back_off: BackOff = field(default_factory=BackOff)
    # True if the acknowledgement had a position.
    has_log: bool = False
    # True if the subscription asked for presence.
    presence: bool = False


class Link:
    def __init__(self, socket: int, started_at: int, is_polling: bool) -> None:
        """Makes the link of an attempt. `is_polling` is true if HTTP requests take the place of its socket."""
        self.socket = socket
        # The time at which its attempt started.
        self.started_at = started_at
        self.is_polling = is_polling
        # True once the handshake has begun.
        self.is_opening = False
        self.is_open = False
        # True once it has been open for long enough.
        self.is_stable = False
        self.opened_at = 0
        # The token of the requests of a link that polls.
        self.token: str | None = None
        # The pause between polls.
        self.poll_after = 2000
        self.received_at = 0
        # The time of the last `ping` or `sync`, or at which it opened.
        self.pinged_at = 0
        self.awaits_pong = False
        # The longest times between two keep-alives that acknowledgements demand, by their entities, and the shortest.
        self.keep_alives: dict[str, int] = {}
        self.keep_alive: int | None = None
        # True once it has named the audiences that need no subscription.
        self.has_synced = False
        # The time at which another link is to replace this one.
        self.renew_at = 0
        # The time at which its token is to be renewed.
        self.authenticate_at: int | None = None
        self.authentication = BackOff()
        # Requests without a reply, by their `id`.
        self.in_flight: dict[int, Request] = {}
        self.entities: dict[str, EntityState] = {}
        # Entities whose state may not be the wanted one, in order.
        self.to_check: dict[str, None] = {}
        # Entities to subscribe to again, with the times.
        self.retries: dict[str, int] = {}
        # True once the server has rejected a `subscribe` to several entities.
        self.one_by_one = False

    @property
    def is_established(self) -> bool:
        """True if every wanted entity is subscribed to on it."""
        return (
            self.is_open and not self.to_check and all(state.name == "subscribed" for state in self.entities.values())
        )

    @property
    def oldest_send(self) -> float:
        """The id of the first of the application's messages in flight on it. Infinite if there is none."""
        sends = (number for number, request in self.in_flight.items() if isinstance(request, MessageRequest))
        return next(sends, math.inf)

    def back_off_of(self, entity: str) -> BackOff:
        state = self.entities.get(entity)
        return BackOff() if state is None else state.back_off
