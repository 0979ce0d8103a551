"""The meaning of a text from the server.

A field of an unexpected type counts as absent: a newer server may send more than this client knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._json import decode
from .failure import OUTCOME_UNKNOWN, Failure
from .signals import Frame, Route

# The most digits of a request's number.
_MOST_DIGITS = 15

_GATEWAY_CODES = {
    "Internal server error": "internal",
    "Endpoint request timed out": "timeout",
    "Too Many Requests": "throttled",
    "Forbidden": "forbidden",
    "Bad request body": "badRequest",
}


@dataclass(frozen=True)
class Reply:
    id: int
    reply: Frame


@dataclass(frozen=True)
class ErrorFrame:
    """An error, with the number of its request if the frame names it."""

    id: int | None
    error: Failure


@dataclass(frozen=True)
class Push:
    frame: Frame


@dataclass(frozen=True)
class Disconnect:
    reconnect: bool
    code: str | None
    reason: str | None


# `None` is nothing to act on, such as a `pong`.
Meaning = Reply | ErrorFrame | Push | Disconnect | None


def read(text: str) -> Meaning:
    frame = _parse(text)
    number = _request_number(frame)
    kind = text_of(frame.get("type"))
    if kind is None:
        error = _gateway_error(frame)
        return None if error is None else ErrorFrame(None, error)
    if kind == "pong":
        return None
    if kind == "ack":
        return None if number is None else Reply(number, frame)
    if kind == "error":
        return ErrorFrame(number, server_error(frame))
    if kind == "disconnect":
        return Disconnect(frame.get("reconnect") is not False, text_of(frame.get("code")), text_of(frame.get("reason")))
    if kind == "message" and number is not None:
        return Reply(number, frame)
    return Push(frame)


def event_ids_of(reply: Frame) -> list[Any]:
    """Returns the `eventId`s that a reply names."""
    return [reply.get("eventId"), *_list_of(reply.get("eventIds"))]


def results_of(reply: Frame, entities: Sequence[str]) -> list[Failure | None]:
    """Returns the results of a `subscribe` to several entities.

    Each is the reason that the entity is not subscribed to, or `None` if it is. An entity that the reply does not have
    has no reply.
    """
    results = object_of(reply.get("entities")) or {}
    return [_result_of(object_of(results.get(entity))) for entity in entities]


def _result_of(result: Frame | None) -> Failure | None:
    if result is not None and "error" not in result:
        return None
    error = object_of(result.get("error")) if result is not None else None
    return OUTCOME_UNKNOWN if error is None else server_error(error)


def route_of(push: Frame) -> Route:
    if isinstance(push.get("entityId"), str):
        return "entity"
    kind = push.get("type")
    if kind == "User Push Notification":
        return "notifications"
    return "broadcasts" if kind in ("Broadcast", "message") else "other"


def server_error(frame: Frame) -> Failure:
    return Failure(
        "server",
        text_of(frame.get("code")) or "",
        text_of(frame.get("message")) or "",
        frame.get("retryable") is True,
        tuple(text_of(event_id) for event_id in _list_of(frame.get("eventIds"))),
    )


def _gateway_error(frame: Frame) -> Failure | None:
    """Returns the error of API Gateway, whose own frames have no `type`."""
    message = text_of(frame.get("message"))
    is_of_the_gateway = isinstance(frame.get("connectionId"), str) or isinstance(frame.get("requestId"), str)
    if message is None or not is_of_the_gateway:
        return None
    return Failure("gateway", _GATEWAY_CODES.get(message, "other"), message)


def _parse(text: str) -> Frame:
    """Returns the object that a text is. It is empty if the text is no JSON, or another value."""
    try:
        return object_of(decode(text)) or {}
    except ValueError:
        return {}


def _request_number(frame: Frame) -> int | None:
    """Returns the number of a request. `None` if the `id` is not written as this client writes it."""
    text = frame.get("id")
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal() or len(text) > _MOST_DIGITS:
        return None
    return int(text) if text == "0" or text[0] != "0" else None


def text_of(field: object) -> str | None:
    return field if isinstance(field, str) else None


def _list_of(field: object) -> list[Any]:
    return field if isinstance(field, list) else []


def objects_of(field: object) -> list[Frame]:
    """Returns the objects of a list."""
    return [item for item in _list_of(field) if isinstance(item, dict)]


def object_of(field: object) -> Frame | None:
    return field if isinstance(field, dict) else None
