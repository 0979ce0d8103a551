"""The results of publishing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..position import Position


@dataclass(frozen=True)
class Published:
    """An event that Herald accepted.

    `position` is its place in the log of its audience, if the publisher learns it. `is_stale` is true if the log
    dropped it, because an event whose version is as high came before.
    """

    event_id: str
    position: Position | None = None
    is_stale: bool = False


@dataclass(frozen=True)
class Rejected:
    """An event that was not published, with the error of the last attempt.

    If `is_retryable` is true, the same event may be published again later. Its idempotency key is the same then, so
    that clients get it once, even if an attempt before did succeed.
    """

    code: str
    message: str
    is_retryable: bool


Result = Published | Rejected


class PublishError(Exception):
    """Events that were not published. `results` has a result for each event, in order: others were published."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = list(results)
        rejected = [result for result in self.results if isinstance(result, Rejected)]
        first = f"{rejected[0].message} ({rejected[0].code})" if rejected else "none"
        super().__init__(f"{len(rejected)} of {len(self.results)} events were not published; the first error: {first}")


def checked(results: Sequence[Result]) -> list[Published]:
    """Returns the results if every event was published.

    Raises `PublishError` if one was not.
    """
    published = [result for result in results if isinstance(result, Published)]
    if len(published) < len(results):
        raise PublishError(results)
    return published
