"""The reason that a request failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FailureKind = Literal["server", "gateway", "outcomeUnknown", "expired", "outboxFull", "tooLarge", "stopped"]


@dataclass(frozen=True)
class Failure:
    kind: FailureKind
    code: str = ""
    message: str = ""
    retryable: bool = False
    event_ids: tuple[str | None, ...] = ()


OUTCOME_UNKNOWN = Failure("outcomeUnknown")
EXPIRED = Failure("expired")
OUTBOX_FULL = Failure("outboxFull")
TOO_LARGE = Failure("tooLarge")
STOPPED = Failure("stopped")


def is_retryable(failure: Failure) -> bool:
    """Returns `True` if the same request may succeed later."""
    return failure.retryable if failure.kind == "server" else failure.kind not in ("tooLarge", "stopped")


def is_throttled(failure: Failure) -> bool:
    """Returns `True` if the request exceeded a rate limit, and was not carried out."""
    return failure.kind in ("server", "gateway") and failure.code == "throttled"


def is_unknown_connection(failure: Failure) -> bool:
    """Returns `True` if the server does not know the connection any more."""
    return failure.kind == "server" and failure.code == "unknown_connection"


def is_bad_request(failure: Failure) -> bool:
    """Returns `True` if the frame does not have the form that the server demands."""
    return (failure.kind, failure.code) in (("server", "bad_request"), ("gateway", "badRequest"))


def is_unknown_action(failure: Failure) -> bool:
    """Returns `True` if the server is older than the request."""
    return failure.kind == "server" and failure.code == "unknown_action"
