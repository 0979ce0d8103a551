"""The state of an entity, which the application loads beside the subscription.

The position comes first and the data second. So the data has every message up to the position, and those after it are
delivered, which the loader holds until then.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ._callbacks import outcome_of
from ._machine.back_off import BackOff
from ._machine.rules import Rules
from .position import Position
from .push import Push

# Loads the state of an entity: first its position, and then its data. Returns the position, if there is one.
StateCallback = Callable[[], Awaitable[Position | None]]

Spawn = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]


class StateLoader:
    def __init__(self, load: StateCallback, deliver: Callable[[Push], None], rules: Rules, spawn: Spawn) -> None:
        self._callback = load
        self._deliver = deliver
        self._rules = rules
        self._spawn = spawn
        self._back_off = BackOff()
        # The messages that wait for the state. `None` if it is loaded.
        self._waiting: list[Push] | None = []
        # The position of the state, and the one that it must have reached.
        self._loaded: Position | None = None
        self._needed: Position | None = None
        self._is_loading = False
        # True if the state must be loaded once more.
        self._is_stale = False
        self._task: asyncio.Task[None] | None = None
        self._has_ended = False

    @property
    def is_current(self) -> bool:
        """True if no message waits for the state."""
        return self._waiting is None

    async def load_first(self, joined: Position | None) -> Position | None:
        """Loads the state before the subscription. Returns its position, and raises what the callback raises.

        `joined` is the position at which a later subscriber of the entity joins.
        """
        self._needed = joined
        self._loaded = await self._load()
        return self._loaded

    async def subscribed(self) -> None:
        """Notes that the server has acknowledged the subscription. A state without a position is loaded once more."""
        if self._has_ended or self._is_loading or self._is_reloading:
            return
        if self._loaded is None or self._is_stale:
            self._is_stale = False
            self._loaded = await self._load()
        if self._is_stale or _is_behind(self._loaded, self._needed):
            self._reload_in_background()
        else:
            self._release()

    def receive(self, push: Push) -> None:
        if self._waiting is None:
            self._deliver_if_new(push)
            return
        self._waiting.append(push)
        if len(self._waiting) > self._rules.held_while_asking:
            self._waiting = []
            self._needed = push.position
            self._is_stale = True

    def reload(self, needed: Position | None) -> None:
        """Loads the state anew. `needed` is the position that it must have reached, if any."""
        self._needed = needed
        self._waiting = []
        self._is_stale = True
        if not self._is_loading and not self._has_ended:
            self._reload_in_background()

    def end(self) -> None:
        self._has_ended = True
        if self._task is not None:
            self._task.cancel()

    @property
    def _is_reloading(self) -> bool:
        return self._task is not None and not self._task.done()

    def _reload_in_background(self) -> None:
        if self._is_reloading and self._task is not None:
            # It waits before a retry.
            self._task.cancel()
        self._task = self._spawn(self._load_until_current())

    async def _load_until_current(self) -> None:
        while not await self._is_loaded_in_time():
            self._is_stale = True
            delay = self._back_off.next(self._rules, random.random())
            await asyncio.sleep(delay / 1000)
        self._back_off.reset()
        self._release()

    async def _is_loaded_in_time(self) -> bool:
        """Loads until the state is not stale. Returns `False` if that fails, or the state is too old."""
        try:
            while self._is_stale:
                self._is_stale = False
                self._loaded = await outcome_of(self._spawn(self._load()))
        except Exception as error:
            message = "a state callback of a Herald subscription failed, and is called again"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
            return False
        return not _is_behind(self._loaded, self._needed)

    async def _load(self) -> Position | None:
        self._is_loading = True
        try:
            return await self._callback()
        finally:
            self._is_loading = False

    def _release(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for push in waiting:
            self._deliver_if_new(push)

    def _deliver_if_new(self, push: Push) -> None:
        """Delivers a message that the state does not have."""
        loaded, at = self._loaded, push.position
        is_in_state = loaded is not None and at is not None and at.epoch == loaded.epoch and at.offset <= loaded.offset
        if not is_in_state and not self._has_ended:
            self._deliver(push)


def _is_behind(loaded: Position | None, needed: Position | None) -> bool:
    """Returns `True` if a state is known to be older than a position."""
    if loaded is None or needed is None:
        return False
    return loaded.offset < needed.offset if loaded.epoch == needed.epoch else needed.offset > 0
