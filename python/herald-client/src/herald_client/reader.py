"""Readers: asynchronous iterators over what arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Generic, TypeVar

from ._mailbox import Mailbox
from .push import Lost, Push

Event = TypeVar("Event")


class Reader(Generic[Event]):
    """An asynchronous iterator over events.

    It reads from the moment it is made until it is closed, is garbage, or the client stops. It ends if the application
    closes the client, and raises `StoppedError` if the client stops for another reason. If it is too slow, it raises
    `LaggedError`, and goes on.
    """

    def __init__(self, mailbox: Mailbox[Event], remove: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        self._mailbox = mailbox
        self._remove = remove
        self._loop = loop

    def __aiter__(self) -> Reader[Event]:
        return self

    async def __anext__(self) -> Event:
        return await self._mailbox.next()

    def close(self) -> None:
        """Ends the reader, after the events that it has not read yet."""
        self._remove()
        self._mailbox.end(StopAsyncIteration)

    async def __aenter__(self) -> Reader[Event]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        call_from_anywhere(self._loop, self._remove)


class PushReader(AsyncIterator[Push]):
    """An asynchronous iterator over pushes. It skips losses, which `events` has."""

    def __init__(self, reader: Reader[Push | Lost]) -> None:
        self._reader = reader

    def __aiter__(self) -> PushReader:
        return self

    async def __anext__(self) -> Push:
        return await next_push(self._reader.__anext__)

    def events(self) -> Reader[Push | Lost]:
        """Returns the iterator over pushes and losses. A loss comes before the next push."""
        return self._reader

    def close(self) -> None:
        """Ends the reader, after the events that it has not read yet."""
        self._reader.close()

    async def __aenter__(self) -> PushReader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def next_push(next_event: Callable[[], Awaitable[object]]) -> Push:
    """Returns the next event that is a push."""
    while True:
        event = await next_event()
        if isinstance(event, Push):
            return event


def call_from_anywhere(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Calls a function in the event loop, from any thread. Does nothing if the loop is closed."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        pass
