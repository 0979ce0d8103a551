"""The callbacks of the application."""

from __future__ import annotations

import asyncio
from typing import TypeVar

Outcome = TypeVar("Outcome")


async def outcome_of(call: asyncio.Future[Outcome]) -> Outcome:
    """Returns the outcome of a callback, which runs in a task of its own and ends with this one.

    Raises what the callback raises, and `RuntimeError` in the place of a `CancelledError`: nothing cancelled this task.
    """
    try:
        await asyncio.wait((call,))
    except asyncio.CancelledError:
        # Nothing waits for it but `close`, which it may have called itself.
        call.cancel()
        raise
    if call.cancelled():
        raise RuntimeError("the callback was cancelled")
    return call.result()
