"""The errors of requests and readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ._machine.failure import Failure, FailureKind, is_retryable
from ._machine.signals import StopReason

GatewayCode = Literal["internal", "timeout", "throttled", "forbidden", "badRequest", "other"]


class HeraldError(Exception):
    """A request that failed.

    `kind` has the names of docs/clients.md. `is_retryable` is true if the same request, made again, may succeed. It may
    have been carried out the first time.
    """

    kind: FailureKind
    is_retryable: bool = True


class ServerError(HeraldError):
    """Herald refused the request.

    With the code `partly_sent`, `event_ids` has the event id of each message in their order, or `None` for one that was
    not sent and may be sent again.
    """

    kind = "server"

    def __init__(
        self, code: str, message: str, is_retryable: bool = False, event_ids: Sequence[str | None] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.is_retryable = is_retryable
        self.event_ids = list(event_ids)

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class GatewayError(HeraldError):
    """API Gateway answered in Herald's place."""

    kind = "gateway"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class OutcomeUnknownError(HeraldError):
    """The connection broke, or the reply timed out: the server may have carried out the request or not."""

    kind = "outcomeUnknown"

    def __init__(self) -> None:
        super().__init__("no reply arrived, and the request may have been carried out or not")


class ExpiredError(HeraldError):
    """The message outlived its time to live in the outbox, and was not sent."""

    kind = "expired"

    def __init__(self) -> None:
        super().__init__("the message expired before it could be sent")


class OutboxFullError(HeraldError):
    """The outbox was full, and the message was not sent."""

    kind = "outboxFull"

    def __init__(self) -> None:
        super().__init__("the outbox is full, and the message was not sent")


class TooLargeError(HeraldError):
    """The message is larger than the gateway accepts, and was not sent."""

    kind = "tooLarge"
    is_retryable = False

    def __init__(self) -> None:
        super().__init__("the message is too large for the gateway")


class StoppedError(HeraldError):
    """The client was closed, or stopped. A request was not sent. `reason` is `None` while the client closes."""

    kind = "stopped"
    is_retryable = False

    def __init__(self, reason: StopReason | None = None) -> None:
        super().__init__("the client has stopped" if reason is None else f"the client has stopped: {_words(reason)}")
        self.reason = reason


class LaggedError(Exception):
    """A reader was too slow: its buffer was full, and `missed` events were dropped. The reader goes on after them."""

    def __init__(self, missed: int) -> None:
        super().__init__(f"the reader was too slow, and missed {missed} events")
        self.missed = missed


def error_of(failure: Failure, reason: StopReason | None) -> HeraldError:
    """Returns the exception of a failure. `reason` is that of the client's stop, if it has stopped."""
    match failure.kind:
        case "server":
            return ServerError(failure.code, failure.message, is_retryable(failure), failure.event_ids)
        case "gateway":
            return GatewayError(failure.code, failure.message)
        case "outcomeUnknown":
            return OutcomeUnknownError()
        case "expired":
            return ExpiredError()
        case "outboxFull":
            return OutboxFullError()
        case "tooLarge":
            return TooLargeError()
        case "stopped":
            return StoppedError(reason)


def _words(reason: StopReason) -> str:
    match reason.kind:
        case "closed":
            return "the application closed it"
        case "refused":
            return f"the server refused its authorisation with HTTP {reason.status}"
        case "disconnected":
            return f"the server disconnected it: {reason.reason or 'no reason given'} ({reason.code or 'no code'})"
        case "invalid" | "failed":
            return reason.reason or reason.kind
