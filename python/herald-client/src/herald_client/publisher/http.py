"""Publishing over HTTP, for backends with an API key of the stack.

It uses the standard library alone: one kind of request to one server needs no more, and a backend in a Lambda function
stays small.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import ssl
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .._http import HttpAnswer, exchange
from .._json import decode
from ..position import position_of_message
from .batches import all_rejected, batches, with_retries
from .event import Event
from .results import Published, Rejected, Result, checked

# The limits of a request: messages, and bytes of its body.
_MOST_MESSAGES = 100
_MOST_BYTES = 1024 * 1024

# The body beside the messages.
_BODY_BEFORE, _BODY_AFTER = '{"messages":[', "]"
_OVER_THE_BUS = ',"bus":true'
_ENVELOPE = len(_BODY_BEFORE + _BODY_AFTER + _OVER_THE_BUS + "}")

# The longest delay that a server may ask for, in seconds.
_LONGEST_PAUSE = 30.0


class HttpPublisher:
    """A publisher with the stack's `publish` URL and an API key, `hk_…`."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        over_the_bus: bool = False,
        timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Makes a publisher. `over_the_bus`: other consumers of the stack's event bus see its events, too.

        `timeout` is that of each step of a request, in seconds.

        Raises `ValueError` if the URL is neither https nor of a loopback address, or the key cannot be sent.
        """
        address = urlsplit(url)
        host = address.hostname or ""
        if address.scheme != "https" and not (address.scheme == "http" and _is_loopback(host)):
            raise ValueError(f"url must be an https URL; http is allowed only for loopback addresses, got {url!r}")
        if not key or not all("!" <= character <= "~" for character in key):
            raise ValueError("key must be a non-empty text of visible ASCII characters, such as hk_…")
        self._path = address.path or "/"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._end_of_body = _BODY_AFTER + (_OVER_THE_BUS if over_the_bus else "") + "}"
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection
        if address.scheme == "https":
            context = ssl_context or ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(host, address.port, timeout=timeout, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, address.port, timeout=timeout)

    def publish(self, *events: Event) -> list[Published]:
        """Publishes events, in requests of up to a hundred, and retries those that fail with a transient error.

        Returns a result for each, in order.

        Raises `PublishError` if an event was not published. The others were.
        """
        results: list[Result] = []
        for batch in batches(events, _MOST_MESSAGES, _MOST_BYTES - _ENVELOPE, _size):
            results += with_retries(batch, self._attempt)
        return checked(results)

    async def publish_in_thread(self, *events: Event) -> list[Published]:
        """Publishes events in a thread, like `publish`."""
        return await asyncio.to_thread(self.publish, *events)

    def close(self) -> None:
        """Closes the connection. A later `publish` opens another."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> HttpPublisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _attempt(self, batch: Sequence[Event]) -> tuple[list[Result], float]:
        body = _BODY_BEFORE + ",".join(event.publish_message for event in batch) + self._end_of_body
        try:
            answer = self._post(body.encode())
        except (OSError, http.client.HTTPException) as error:
            return all_rejected(batch, "unreachable", f"{type(error).__name__}: {error}", True), 0
        return _results_of(batch, answer.status, answer.body), _seconds(answer.headers.get("Retry-After"))

    def _post(self, body: bytes) -> HttpAnswer:
        """Makes one request, on the connection that is kept open."""
        with self._lock:
            is_kept = self._connection.sock is not None
            try:
                return exchange(self._connection, self._path, body, self._headers)
            except ConnectionError:
                if not is_kept:
                    raise
                # The server has closed the connection since the last request. It may get the events twice, but they
                # have idempotency keys.
                return exchange(self._connection, self._path, body, self._headers)


def _size(event: Event) -> int:
    return len(event.publish_message.encode()) + len(",")


def _results_of(batch: Sequence[Event], status: int, text: bytes) -> list[Result]:
    try:
        answer: Any = decode(text)
    except ValueError:
        answer = None
    if status != 200:
        return _refused(batch, status, answer if isinstance(answer, dict) else {})
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list) or len(results) != len(batch):
        message = f"the server answered {len(batch)} messages without a result for each"
        return all_rejected(batch, "bad_answer", message, False)
    return [_result_of(event, result) for event, result in zip(batch, results, strict=True)]


def _refused(batch: Sequence[Event], status: int, error: Mapping[str, Any]) -> list[Result]:
    """Returns the results of a request that was refused as a whole."""
    code, message = error.get("code"), error.get("message")
    return all_rejected(
        batch,
        code if isinstance(code, str) else f"http_{status}",
        message if isinstance(message, str) else f"the server answered with HTTP {status}",
        status == 429 or status >= 500,
    )


def _result_of(event: Event, result: object) -> Result:
    fields: Mapping[str, Any] = result if isinstance(result, dict) else {}
    error, event_id = fields.get("error"), fields.get("eventId")
    if isinstance(error, dict):
        code, message = str(error.get("code")), str(error.get("message"))
        return Rejected(code, message, error.get("retryable") is True)
    if not isinstance(event_id, str):
        return Rejected("bad_answer", f"the server did not say what became of {event.idempotency_key}", False)
    return Published(event_id, position_of_message(fields), fields.get("stale") is True)


def _seconds(retry_after: str | None) -> float:
    """Returns the delay of a header `Retry-After`. Its form with a date counts as absent."""
    is_number = retry_after is not None and retry_after.isascii() and retry_after.isdecimal()
    return min(float(retry_after), _LONGEST_PAUSE) if is_number and retry_after is not None else 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
