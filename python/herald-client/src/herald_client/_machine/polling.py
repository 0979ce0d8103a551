"""Polling: HTTP requests that read the logs and send messages, in the place of a WebSocket.

A link that polls is a link like any other. Its requests are POSTs, `sync` takes the place of `subscribe`, and in the
place of pushes there is a `sync` of every position from time to time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..position import whole_number
from . import connecting, requests, syncing
from .back_off import rounded
from .failure import Failure
from .frame import ErrorFrame, Reply, object_of, read
from .link import Asked, MessageRequest, OpenRequest, Request
from .signals import CloseSocket, Frame, Post, PostAnswered, with_id

if TYPE_CHECKING:
    from .link import Link
    from .machine import Machine

# The longest pause between polls that the server demands.
_LONGEST_PAUSE = 15_000

# The error of what a client that polls cannot do.
UNSUPPORTED = Failure(
    "server",
    "unsupported",
    "the client polls, and can only read logs from a position: use a WebSocket, or the parameter History",
)

_THROTTLED = Failure("gateway", "throttled", "Too Many Requests")


def post(machine: Machine, link: Link, number: int, request: Request, body: str) -> None:
    path: Literal["poll", "messages"] = "messages" if isinstance(request, MessageRequest) else "poll"
    machine.perform(Post(link.socket, number, path, link.token, with_id(body, number)))


def post_answered(machine: Machine, link: Link, given: PostAnswered) -> None:
    """Handles the answer to a request.

    Without an answer the link is broken, except for a message: its outcome is unknown.
    """
    number, status = given.request, given.status
    request = link.in_flight.get(number)
    if request is None:
        return
    is_message = isinstance(request, MessageRequest)
    if status == 401 or (status == 403 and not is_message):
        _unauthorized(machine, link, number, status)
        return
    meaning = read(given.text)
    if isinstance(meaning, Reply):
        if not is_message:
            _poll_later(machine, link, whole_number(meaning.reply.get("pollAfter")) or 0)
        if isinstance(request, OpenRequest):
            requests.take_request(machine, link, number)
            connecting.opened(machine, link)
        else:
            requests.answered(machine, link, number, meaning.reply)
        return
    error = meaning.error if isinstance(meaning, ErrorFrame) else _THROTTLED if status == 429 else None
    if error is None or isinstance(request, OpenRequest):
        _unanswered(machine, link, number)
        return
    if not is_message:
        _poll_later(machine, link, min(2 * link.poll_after, _LONGEST_PAUSE))
    requests.failed(machine, link, number, error)


def _unanswered(machine: Machine, link: Link, number: int) -> None:
    request = link.in_flight[number]
    if isinstance(request, MessageRequest) and request.message.safe_to_repeat:
        requests.take_request(machine, link, number)
        requests.requeue_later(machine, request.message)
    else:
        requests.time_out(machine, link, number)


def _unauthorized(machine: Machine, link: Link, number: int, status: int) -> None:
    """Counts a refused authorisation.

    The server did not carry out the request, so a message goes back to the outbox.
    """
    request = link.in_flight[number]
    if isinstance(request, MessageRequest):
        requests.take_request(machine, link, number)
        machine.outbox.put(request.message)
    machine.perform(CloseSocket(link.socket))
    connecting.refused(machine, link, status)


def _poll_later(machine: Machine, link: Link, pause: int) -> None:
    """Polls after a pause. The random addition keeps clients that started together apart.

    `pause` is the one that the server demands. 0 repeats the last one: what waits on the server is asked for by its own
    request.
    """
    if pause > 0:
        link.poll_after = pause
    delay = rounded(link.poll_after * (1 + 0.1 * machine.random()))
    machine.timers.set(f"poll {link.socket}", machine.now + delay, lambda: poll(machine, link))


def poll(machine: Machine, link: Link) -> None:
    """Compares every position, unless that is in progress."""
    if not syncing.sync_all(machine, link):
        _poll_later(machine, link, link.poll_after)


def as_acknowledgement(asked: Sequence[Asked], entities: Sequence[str], reply: Frame) -> Frame:
    """Returns the reply to a `sync` in the form of one to a `subscribe` to several entities."""
    results = object_of(reply.get("entities")) or {}
    acknowledged = {
        entity: _as_result(one, object_of(results.get(entity))) for one, entity in zip(asked, entities, strict=True)
    }
    return {"entities": acknowledged}


def _as_result(asked: Asked, result: Frame | None) -> Frame | None:
    """Returns the result of an entity. Without one in the reply, the client is current."""
    if result is None:
        at = asked.position
        return None if at is None else {**at.to_dict(), "top": at.offset, "recovered": True}
    if result.get("error") or ("offset" in result and asked.log.rewind is None):
        return result
    error: dict[str, Any] = {"code": UNSUPPORTED.code, "message": UNSUPPORTED.message, "retryable": False}
    return {"error": error}
