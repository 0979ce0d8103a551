"""Publishing with EventBridge's PutEvents, for backends with AWS credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .batches import all_rejected, batches, with_retries
from .event import Event
from .results import Published, Rejected, Result, checked

# The most events of a call.
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
_MOST_EVENTS = 10

# The most bytes of a call. Newer documentation says 1 MB; every Region has always accepted this size, and no event of
# Herald's is larger.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
_MOST_BYTES = 256 * 1024

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
_RETRYABLE = frozenset(("ThrottlingException", "InternalFailure", "InternalException"))


class PutEvents(Protocol):
    """The part of boto3's client of EventBridge that a publisher uses."""

    # `Any`, because the entries of boto3's stubs have a type of their own.
    def put_events(self, *, Entries: Any) -> Mapping[str, Any]: ...  # noqa: N803


class EventBridgePublisher:
    """A publisher on an event bus. `client` is that of boto3 for `events`, or another object with `put_events`."""

    def __init__(self, bus: str = "default", *, source: str = "herald-client", client: PutEvents | None = None) -> None:
        """Makes a publisher. Its events have this `source`. Without a client it makes one, which needs boto3.

        Raises `ImportError` if there is neither a client nor boto3: install `herald-client[eventbridge]`.
        """
        self._bus = bus
        self._source = source
        self._client = _client_of_boto3() if client is None else client

    def publish(self, *events: Event) -> list[Published]:
        """Publishes events, in calls of up to ten, and retries those that fail with a transient error.

        Returns a result for each, in order. A call that fails as a whole is not repeated: boto3 has repeated it.

        Raises `PublishError` if an event was not published. The others were.
        """
        results: list[Result] = []
        for batch in batches(events, _MOST_EVENTS, _MOST_BYTES, self._size):
            results += self._publish_batch(batch)
        return checked(results)

    async def publish_in_thread(self, *events: Event) -> list[Published]:
        """Publishes events in a thread, like `publish`."""
        return await asyncio.to_thread(self.publish, *events)

    def _publish_batch(self, batch: Sequence[Event]) -> list[Result]:
        try:
            return with_retries(batch, self._attempt)
        except Exception as error:
            return all_rejected(batch, type(error).__name__, str(error), True)

    def _size(self, event: Event) -> int:
        """Returns the bytes that EventBridge counts for an event.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size
        """
        return len(self._source.encode()) + len(event.detail_type) + len(event.detail.encode())

    def _attempt(self, batch: Sequence[Event]) -> tuple[list[Result], float]:
        entries = [
            {
                "EventBusName": self._bus,
                "Source": self._source,
                "DetailType": event.detail_type,
                "Detail": event.detail,
            }
            for event in batch
        ]
        answered = self._client.put_events(Entries=entries)["Entries"]
        if len(answered) != len(batch):
            raise RuntimeError(f"PutEvents answered {len(batch)} events with {len(answered)} results")
        return [_result_of(event, result) for event, result in zip(batch, answered, strict=True)], 0


def _result_of(event: Event, result: Mapping[str, Any]) -> Result:
    code = result.get("ErrorCode")
    if code is None:
        return Published(event.idempotency_key)
    return Rejected(code, result.get("ErrorMessage") or "EventBridge gave no reason", code in _RETRYABLE)


def _client_of_boto3() -> PutEvents:
    try:
        import boto3
    except ImportError as error:
        raise ImportError("boto3 is missing: install herald-client[eventbridge], or pass a client") from error
    client: PutEvents = boto3.client("events")
    return client
