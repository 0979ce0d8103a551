"""Subscriptions to entities."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from types import TracebackType
from typing import Any

from ._driver import Driver
from ._presence_board import PresenceBoard
from ._state_loader import StateCallback
from ._subscriber import Subscriber
from .position import Position
from .presence import Presence
from .presence_changes import PresenceChanges
from .push import Lost, Push, Recovered
from .reader import call_from_anywhere, next_push


class Subscription(AsyncIterator[Push]):
    """A subscription to an entity, for as long as the client runs, over every reconnect.

    It begins when it is awaited, entered with `async with`, or iterated for the first time. That waits for the server's
    acknowledgement and raises its error. It ends with `unsubscribe`, at the end of `async with`, or when it is garbage.

    The iteration skips losses, which `events` has. It ends if the application closes the client or unsubscribes. It
    raises `StoppedError` if the client stops for another reason, the server's error if that ends the subscription, and
    `LaggedError` if the reader is too slow, after which it goes on.
    """

    def __init__(
        self,
        driver: Driver,
        entity_id: str,
        recover: Position | None,
        rewind: int | None,
        state: StateCallback | None,
        presence: bool,
    ) -> None:
        self._has_begun = False
        self._has_left = False
        self.entity_id = entity_id
        self._driver = driver
        self._recover = recover
        self._rewind = rewind
        self._state = state
        self._presence = PresenceBoard() if presence else None
        self._subscriber = self._new_subscriber()
        self._beginning = asyncio.Lock()

    def _new_subscriber(self) -> Subscriber:
        driver = self._driver
        subscriber = Subscriber(driver.options.buffer, self._state, self._presence, driver.rules, driver.spawn)
        subscriber.mailbox.position = self._recover
        return subscriber

    @property
    def position(self) -> Position | None:
        """The position of the last message that was read.

        Saved, and passed as `recover` later, it makes a client go on from there. `None` if the entity has no log.
        """
        subscriber = self._subscriber
        if self._has_begun and subscriber.is_read and not subscriber.mailbox.has_ended:
            return self._driver.position_of(self.entity_id)
        return subscriber.mailbox.position

    def events(self) -> AsyncIterator[Push | Lost | Recovered]:
        """Returns an iterator over pushes, losses and recoveries. A loss comes before the next push."""
        return _Events(self)

    @property
    def presence(self) -> Presence | None:
        """The users at the entity now. While the client is not connected, those that were known last.

        `None` without `presence=True`, before the subscription is established, and if there is no presence.
        """
        return None if self._presence is None else self._presence.presence

    def presence_changes(self) -> PresenceChanges:
        """Returns an iterator over the changes of the users at the entity. Its first has all users as joined.

        Raises `ValueError` if the subscription does not ask for presence.
        """
        if self._presence is None:
            raise ValueError("the subscription does not ask for presence: pass presence=True to subscribe")
        return PresenceChanges(self._presence, self._begin)

    def unsubscribe(self) -> None:
        """Ends the subscription, and the iteration with it, before the acknowledgement, too."""
        self._has_left = True
        self._subscriber.mailbox.position = self.position
        self._subscriber.end(StopAsyncIteration)
        self._subscriber.mailbox.drop_pushes()
        self._driver.leave(self.entity_id, self._subscriber)

    def __await__(self) -> Generator[Any, None, Subscription]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Subscription:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unsubscribe()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Push:
        return await next_push(self.next_event)

    async def next_event(self) -> Push | Lost | Recovered:
        """Returns the next push, loss or recovery."""
        await self._begin()
        return await self._subscriber.mailbox.next()

    async def _begin(self) -> None:
        if self._has_begun or self._subscriber.mailbox.has_ended:
            return
        async with self._beginning:
            await self._begin_once()

    async def _begin_once(self) -> None:
        if self._has_begun:
            return
        try:
            await self._subscribe(self._subscriber)
        except BaseException:
            if not self._has_left:
                # A further call tries again.
                self._subscriber = self._new_subscriber()
            raise
        self._has_begun = True

    async def _subscribe(self, subscriber: Subscriber) -> None:
        driver, entity = self._driver, self.entity_id
        loader, recover = subscriber.loader, self._recover
        driver.readers.subscribe(entity, subscriber)
        try:
            if loader is not None:
                recover = await loader.load_first(driver.position_of(entity))
            if self._has_left:
                return
            position = await driver.subscribe(entity, subscriber, recover, self._rewind)
        except BaseException:
            driver.readers.unsubscribe(entity, subscriber)
            raise
        subscriber.mailbox.start(position)
        if loader is None:
            return
        try:
            await loader.subscribed()
        except BaseException:
            driver.leave(entity, subscriber)
            raise

    def __del__(self) -> None:
        driver, entity, subscriber = self._driver, self.entity_id, self._subscriber
        if self._has_begun and not subscriber.mailbox.has_ended:
            call_from_anywhere(driver.loop, lambda: driver.leave(entity, subscriber))


class _Events(AsyncIterator[Push | Lost | Recovered]):
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def __anext__(self) -> Push | Lost | Recovered:
        return await self._subscription.next_event()
