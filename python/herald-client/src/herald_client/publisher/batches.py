"""Calls for many events: batches, and retries of what failed with a transient error."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

from .event import Event
from .results import Rejected, Result

# The number of attempts for an event.
ATTEMPTS = 6

# The bounds of the delays between attempts, in seconds.
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0

# One call. It returns a result for each event, and the least delay before the next attempt, in seconds.
Attempt = Callable[[Sequence[Event]], tuple[list[Result], float]]


def batches(events: Sequence[Event], count: int, limit: int, size: Callable[[Event], int]) -> Iterator[list[Event]]:
    """Divides events into calls of at most `count` events and `limit` bytes."""
    batch: list[Event] = []
    total = 0
    for event in events:
        length = size(event)
        if batch and (len(batch) == count or total + length > limit):
            yield batch
            batch, total = [], 0
        batch.append(event)
        total += length
    if batch:
        yield batch


def with_retries(batch: Sequence[Event], attempt: Attempt) -> list[Result]:
    """Makes a call, and further calls for the events that failed with a transient error."""
    results: list[Result] = []
    open_places = list(range(len(batch)))
    for number in range(ATTEMPTS):
        answered, pause = attempt([batch[place] for place in open_places])
        if not results:
            results = answered
        else:
            for place, result in zip(open_places, answered, strict=True):
                results[place] = result
        open_places = [place for place in open_places if _may_succeed(results[place])]
        if not open_places or number == ATTEMPTS - 1:
            break
        bound = min(_LONGEST_DELAY, _FIRST_DELAY * 2**number)
        time.sleep(max(pause, random.random() * bound))
    return results


def _may_succeed(result: Result) -> bool:
    return isinstance(result, Rejected) and result.is_retryable


def all_rejected(batch: Sequence[Event], code: str, message: str, is_retryable: bool) -> list[Result]:
    """Returns the same rejection for each event."""
    return [Rejected(code, message, is_retryable) for _ in batch]
