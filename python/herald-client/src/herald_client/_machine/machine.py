"""The state of a client."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..position import Position
from . import connecting, polling, pushes, requests, subscribing, syncing, transports
from .back_off import BackOff
from .failure import EXPIRED, Failure
from .link import Link
from .log import Log
from .logs import Logs
from .outbox import Outbox
from .presence import PresenceOfEntity
from .pushes import HeldAnswer, HeldMessage
from .repeats import Repeats
from .rules import Rules
from .signals import (
    Close,
    Closed,
    Connect,
    Effect,
    Failed,
    Follow,
    Hinted,
    Input,
    Invalid,
    Opened,
    PostAnswered,
    Received,
    Refused,
    Reject,
    Send,
    SocketInput,
    StateChanged,
    Subscribe,
    TokenFailed,
    TokenSupplied,
    Transport,
    Unsubscribe,
)
from .subscriptions import Subscriptions
from .timers import Timers
from .transports import Obstacles


class Machine:
    """The state of a client. Its fields are for the modules beside this one."""

    def __init__(self, rules: Rules, random: Callable[[], float]) -> None:
        """Makes a machine that is not connected. `random` returns at least 0 and less than 1."""
        self.rules = rules
        self.random = random
        self.now = 0
        self.timers = Timers()
        self.state = "connecting"
        # The time at which a closing client stops.
        self.closes_at = math.inf
        self.network_is_down = False
        # The numbers of the last socket and of the last request.
        self.sockets = 0
        self.requests = 0
        # The link that requests are sent on, or the attempt to open one.
        self.current: Link | None = None
        # The link that will become the current one.
        self.next: Link | None = None
        # Former current links, kept for late replies and pushes.
        self.lingering: list[Link] = []
        self.back_off = BackOff()
        # The number of attempts since a connection was open, or since the start. Omits the very first one.
        self.retries = 0
        self.refusals = 0
        # The time of the last refusal without a status that counted.
        self.last_guess = -math.inf
        # The transport that was announced.
        self.transport: Transport = "websocket"
        self.obstacles = Obstacles()
        self.subscriptions = Subscriptions()
        self.outbox = Outbox(self.timers, lambda message: self.reject(message.request, EXPIRED))
        # True while messages wait because the server throttled one, or the answer to one that was posted is missing.
        self.outbox_is_paused = False
        self.throttling = BackOff()
        self.repeats = Repeats(rules.repeat_window)
        # The messages held back, by the socket that they arrived on.
        self.held: dict[int, list[HeldMessage]] = {}
        self.held_answers: list[HeldAnswer] = []
        self.logs = Logs()
        # The presence of the entities for which a subscriber asks for it.
        self.presences: dict[str, PresenceOfEntity] = {}
        # The logs to ask for missing messages, with the times.
        self.gaps: dict[Log, int] = {}
        # The logs whose position is to be compared at once, and those that are to be read on at once, in order.
        self.to_sync: dict[Log, None] = {}
        self.to_read: dict[Log, None] = {}
        self._effects: list[Effect] = []

    @property
    def wake_at(self) -> int | None:
        """The latest time for the next input. `None` if the machine waits for nothing."""
        return self.timers.next

    def handle(self, now: int, given: Input) -> list[Effect]:
        """Fires the timers that are due, and then handles the input. Returns the effects, in order.

        `now` is in milliseconds from any start, and never less than before.
        """
        self.now = now
        self._fire_due()
        self._apply(given)
        self._settle()
        # A delay may be 0.
        self._fire_due()
        effects, self._effects = self._effects, []
        return effects

    def _fire_due(self) -> None:
        run = self.timers.take_due(self.now)
        while run is not None:
            run()
            self._settle()
            run = self.timers.take_due(self.now)

    def _apply(self, given: Input) -> None:
        match given:
            case (
                Received()
                | Opened()
                | Closed()
                | TokenSupplied()
                | TokenFailed()
                | Refused()
                | Failed()
                | Invalid()
                | PostAnswered()
            ):
                link = next((link for link in self.links if link.socket == given.socket), None)
                if link is not None:
                    self._apply_to(link, given)
            case Connect():
                connecting.connect(self)
            case Subscribe():
                for subscriber in given.subscribers:
                    subscribing.subscribe(self, subscriber)
            case Unsubscribe():
                subscribing.unsubscribe(self, given)
            case Follow():
                syncing.follow(self, given.to)
            case Send():
                requests.send(self, given)
            case Hinted(hint="networkUp"):
                connecting.network_up(self)
            case Hinted(hint="networkDown"):
                connecting.network_down(self)
            case Hinted():
                connecting.foreground(self)
            case Close():
                connecting.close(self, given.within)

    def _apply_to(self, link: Link, given: SocketInput) -> None:
        match given:
            case TokenSupplied():
                connecting.token_supplied(self, link, given.token, given.expires_in)
            case TokenFailed():
                connecting.token_failed(self, link)
            case Opened():
                connecting.opened(self, link)
            case Refused():
                connecting.refused(self, link, given.status)
            case Failed():
                connecting.failed(self, link)
            case Closed():
                connecting.closed(self, link, given.close_frame)
            case Invalid():
                connecting.invalid(self, link, given.reason)
            case Received():
                requests.received(self, link, given.text)
            case PostAnswered():
                polling.post_answered(self, link, given)

    def _settle(self) -> None:
        """Performs what follows from the last input or timer."""
        if self.has_stopped:
            return
        pushes.apply_released(self)
        requests.send_pending(self)
        connecting.hand_over_if_established(self)
        connecting.close_lingering(self)
        transports.announce_transport(self)
        connecting.announce_open_if_established(self)
        pushes.deliver_released(self)
        connecting.stop_if_closed(self)

    def position_of(self, entity: str) -> Position | None:
        """Returns the position in the log of an entity. `None` if it has none."""
        log = self.logs.at("entity", entity)
        return None if log is None else log.position

    @property
    def is_closing(self) -> bool:
        return self.closes_at < math.inf

    @property
    def has_stopped(self) -> bool:
        return self.state == "stopped"

    @property
    def refuses_requests(self) -> bool:
        """True if the client accepts no new requests."""
        return self.is_closing or self.has_stopped

    @property
    def links(self) -> list[Link]:
        """All links, in the order of their sockets."""
        return [link for link in (*self.lingering, self.current, self.next) if link is not None]

    @property
    def links_in_use(self) -> list[Link]:
        """The links that requests go to."""
        return [link for link in (self.current, self.next) if link is not None and link.is_open]

    @property
    def has_unanswered_messages(self) -> bool:
        """True if messages of the application wait to be sent, or for their replies."""
        return len(self.outbox) > 0 or any(link.oldest_send < math.inf for link in self.links)

    def perform(self, effect: Effect) -> None:
        self._effects.append(effect)

    def reject(self, request: int, error: Failure) -> None:
        self.perform(Reject(request, error))

    def announce(self, state: StateChanged) -> None:
        self.state = state.name
        self.perform(state)
