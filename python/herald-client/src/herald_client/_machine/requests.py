"""Requests: from the outbox to a socket, and from a reply to the application."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import connecting, continuity, gaps, keep_alive, polling, presence, pushes, subscribing, syncing
from .failure import (
    OUTBOX_FULL,
    OUTCOME_UNKNOWN,
    STOPPED,
    TOO_LARGE,
    Failure,
    is_retryable,
    is_throttled,
    is_unknown_connection,
)
from .frame import Disconnect, ErrorFrame, Push, Reply, event_ids_of, read
from .link import (
    AuthenticateRequest,
    HistoryRequest,
    LogRequest,
    MessageRequest,
    PresenceRequest,
    Request,
    SubscribeRequest,
    SyncRequest,
    UnsubscribeRequest,
)
from .outbox import QueuedMessage
from .signals import Frame, Resolve, Send, SendText, StopReason, bytes_of, with_id

if TYPE_CHECKING:
    from .link import Link
    from .log import Log
    from .machine import Machine


def send(machine: Machine, given: Send) -> None:
    if machine.refuses_requests:
        machine.reject(given.request, STOPPED)
        return
    # The id is not known yet, but no later one is shorter.
    if bytes_of(with_id(given.body, machine.requests + 1)) > machine.rules.message_limit:
        machine.reject(given.request, TOO_LARGE)
        return
    time_to_live = machine.rules.time_to_live if given.time_to_live is None else given.time_to_live
    expires_at = machine.now + time_to_live
    machine.outbox.put(
        QueuedMessage(given.request, given.body, given.target, given.safe_to_repeat, expires_at, given.needs_web_socket)
    )
    send_pending(machine)
    _enforce_outbox_limit(machine)


def _enforce_outbox_limit(machine: Machine) -> None:
    """Refuses a message if the outbox is over its limit.

    It runs after sending, since a message that is sent at once needs no place.
    """
    outbox, rules = machine.outbox, machine.rules
    if len(outbox) <= rules.outbox_limit:
        return
    refused = outbox.take_first() if rules.outbox_full == "dropOldest" else outbox.take_last()
    machine.reject(refused.request, OUTBOX_FULL)


def send_pending(machine: Machine) -> None:
    """Sends subscriptions, what logs need, and the outbox, up to the limit of requests in flight."""
    limit = machine.rules.in_flight_limit
    for link in machine.links_in_use:
        syncing.send_first_sync(machine, link)
        while link.to_check and len(link.in_flight) < limit:
            subscribing.send_entity_request(machine, link)
        if link is not machine.current:
            continue
        syncing.send_syncs(machine, link)
        while machine.to_read and len(link.in_flight) < limit:
            syncing.read_on(machine, link, next(iter(machine.to_read)))
        if machine.outbox_is_paused:
            continue
        while machine.outbox and len(link.in_flight) < limit and _may_send(link):
            _send_message(machine, link, machine.outbox.take_first())


def _may_send(link: Link) -> bool:
    """Returns `True` if a link may send a message.

    HTTP requests may overtake each other, so a link that polls sends one message after the other.
    """
    return not link.is_polling or link.oldest_send == math.inf


def _send_message(machine: Machine, link: Link, message: QueuedMessage) -> None:
    if link.is_polling and message.needs_web_socket:
        machine.reject(message.request, polling.UNSUPPORTED)
    else:
        send_request(machine, link, MessageRequest(message), message.body)


def send_request(machine: Machine, link: Link, request: Request, body: str) -> None:
    machine.requests += 1
    number = machine.requests
    link.in_flight[number] = request
    times_out_at = machine.now + machine.rules.reply_timeout
    machine.timers.set(f"reply {number}", times_out_at, lambda: time_out(machine, link, number))
    if link.is_polling:
        polling.post(machine, link, number, request, body)
        return
    keep_alive.ping_unless_answered(machine, link)
    machine.perform(SendText(link.socket, with_id(body, number)))


def received(machine: Machine, link: Link, text: str) -> None:
    awaited_pong = link.awaits_pong
    keep_alive.note_received(machine, link)
    match read(text):
        case Reply(number, reply):
            answered(machine, link, number, reply)
        case ErrorFrame(None, error):
            failed(machine, link, None if awaited_pong else _only_request(link), error)
        case ErrorFrame(number, error):
            failed(machine, link, number, error)
        case Push(frame) if frame.get("type") == "presence":
            presence.arrived(machine, frame)
        case Push(frame):
            pushes.pushed(machine, link, frame)
        case Disconnect(True):
            connecting.disconnect(machine, link)
        case Disconnect(False, code, reason):
            connecting.stop(machine, StopReason("disconnected", code=code, reason=reason))


def _only_request(link: Link) -> int | None:
    """Returns the only request in flight, to which an error without an `id` belongs."""
    return next(iter(link.in_flight)) if len(link.in_flight) == 1 else None


def answered(machine: Machine, link: Link, number: int, reply: Frame) -> None:
    for event_id in event_ids_of(reply):
        machine.repeats.insert(event_id)
    request = take_request(machine, link, number)
    match request:
        case SubscribeRequest():
            subscribing.subscribe_answered(machine, link, request, reply)
        case UnsubscribeRequest(entity):
            subscribing.unsubscribe_answered(machine, link, entity)
        case SyncRequest(asked):
            syncing.sync_answered(machine, link, asked, reply)
        case HistoryRequest((asked,)):
            syncing.history_answered(machine, asked, reply)
        case PresenceRequest(entity):
            presence.snapshot_arrived(machine, entity, reply.get("presence"))
        case AuthenticateRequest():
            link.authentication.reset()
        case MessageRequest(message):
            machine.throttling.reset()
            machine.perform(Resolve(message.request, reply))
            if message.target is not None:
                continuity.own_acknowledged(machine, message.target, reply)


def failed(machine: Machine, link: Link, number: int | None, error: Failure) -> None:
    """Handles the error of a request, or of one that the frame does not name."""
    for event_id in error.event_ids:
        machine.repeats.insert(event_id)
    request = take_request(machine, link, number)
    if is_unknown_connection(error):
        _connection_unknown(machine, link, request)
    elif request is not None:
        _request_failed(machine, link, request, error)


def _connection_unknown(machine: Machine, link: Link, request: Request | None) -> None:
    """Replaces a connection that the server does not know any more. The server did not carry out the request."""
    if isinstance(request, MessageRequest):
        machine.outbox.put(request.message)
    connecting.disconnect(machine, link)


def _request_failed(machine: Machine, link: Link, request: Request, error: Failure) -> None:
    match request:
        case SubscribeRequest():
            subscribing.subscribe_failed(machine, link, request, error)
        case UnsubscribeRequest(entity):
            subscribing.unsubscribe_answered(machine, link, entity)
        case SyncRequest(asked):
            syncing.sync_failed(machine, asked, error)
        case HistoryRequest((asked,)):
            syncing.history_failed(machine, asked, error)
        case PresenceRequest(entity):
            presence.failed(machine, entity, error)
        case AuthenticateRequest() if is_retryable(error):
            connecting.authenticate_later(machine, link)
        case AuthenticateRequest():
            if link is machine.current:
                connecting.renew(machine)
        case MessageRequest(message) if is_throttled(error):
            requeue_later(machine, message)
        case MessageRequest(message):
            machine.reject(message.request, error)


def requeue_later(machine: Machine, message: QueuedMessage) -> None:
    """Requeues a message that was not carried out, or may be repeated, and pauses the outbox."""
    machine.outbox.put(message)
    if machine.outbox_is_paused:
        return
    machine.outbox_is_paused = True

    def resume() -> None:
        machine.outbox_is_paused = False

    machine.timers.set("outbox", machine.now + machine.throttling.next(machine.rules, machine.random()), resume)


def time_out(machine: Machine, link: Link, number: int) -> None:
    """Ends a request without a reply, on a link that stays open.

    One that polls ends, unless the request is a message, or the link lingers.
    """
    is_message = isinstance(link.in_flight.get(number), MessageRequest)
    if link.is_polling and not is_message and link not in machine.lingering:
        connecting.disconnect(machine, link)
        return
    request = take_request(machine, link, number)
    if isinstance(request, MessageRequest):
        _requeue_or_reject(machine, request.message)
    elif request is not None:
        _request_failed(machine, link, request, OUTCOME_UNKNOWN)


def end_requests(machine: Machine, links: Iterable[Link]) -> None:
    """Ends the requests of links that ended. The next link subscribes and authenticates again."""
    for message in take_messages(machine, links):
        _requeue_or_reject(machine, message)


def take_messages(machine: Machine, links: Iterable[Link]) -> list[QueuedMessage]:
    """Removes all requests of links. Returns the messages among them, in the order in which they were sent."""
    messages = []
    jitter = machine.random()
    numbers = {number: link for link in links for number in link.in_flight}
    for number in sorted(numbers):
        request = take_request(machine, numbers[number], number)
        if isinstance(request, LogRequest):
            for asked in request.asked:
                _ask_on_next_link(machine, asked.log, jitter)
        elif isinstance(request, MessageRequest):
            messages.append(request.message)
    return messages


def _ask_on_next_link(machine: Machine, log: Log, jitter: float) -> None:
    """Plans anew what a link that ended was asked for.

    The next one recovers every position, so that only what is known to be missing is asked for, and a first position
    that no subscription tells.
    """
    if log.is_starting and log.audience.to != "entity":
        gaps.ask_later(machine, log, jitter)
    else:
        gaps.watch(machine, log)


def _requeue_or_reject(machine: Machine, message: QueuedMessage) -> None:
    """Requeues a message whose outcome is unknown if that is safe, and rejects it otherwise."""
    if message.safe_to_repeat:
        machine.outbox.put(message)
    else:
        machine.reject(message.request, OUTCOME_UNKNOWN)


def take_request(machine: Machine, link: Link, number: int | None) -> Request | None:
    if number is None or number not in link.in_flight:
        return None
    machine.timers.cancel(f"reply {number}")
    return link.in_flight.pop(number)
