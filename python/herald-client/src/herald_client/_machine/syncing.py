"""Requests about logs: `sync` compares positions, and `history` reads on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._json import encode
from ..position import Position
from . import continuity, gaps, polling, pushes, requests, subscribing
from .batch import Batch
from .continuity import Answered
from .failure import Failure, is_retryable, is_unknown_action
from .frame import object_of, server_error
from .link import Asked, HistoryRequest, SyncRequest
from .signals import Audience, Frame, Route

if TYPE_CHECKING:
    from .link import Link
    from .log import Log
    from .machine import Machine


def follow(machine: Machine, to: Route) -> None:
    """Notes that the application reads an audience that needs no subscription."""
    log = machine.logs.at(to)
    if log is None or log.is_followed:
        return
    log.is_followed = True
    if machine.current is not None and machine.current.has_synced and _is_to_be_named(log):
        gaps.ask_now(machine, log)


def _is_to_be_named(log: Log) -> bool:
    return log.position is not None or (log.is_followed and not log.is_absent)


def send_first_sync(machine: Machine, link: Link) -> None:
    """Names the audiences that need no subscription, on a connection that is new."""
    if link.has_synced:
        return
    link.has_synced = True
    _send_sync(machine, link, [log for log in machine.logs.unsubscribed if _is_to_be_named(log)])


def send_syncs(machine: Machine, link: Link) -> None:
    """Compares the positions that are to be compared at once.

    A log that is read on without `history` has a `sync` of its own.
    """
    for log in [log for log in machine.to_read if link.is_polling or not log.may_read]:
        del machine.to_read[log]
        _send_sync(machine, link, [log])
    left = list(machine.to_sync)
    while left:
        left = _send_sync(machine, link, left)


def read_on(machine: Machine, link: Link, log: Log) -> None:
    """Sends a `history` that goes on from the position of a log."""
    del machine.to_read[log]
    since = _fields_of(log.position)
    body = encode({"action": "history", **_name_of(log.audience), "since": since})
    requests.send_request(machine, link, HistoryRequest((Asked(log, log.position),)), body)


def _name_of(audience: Audience) -> dict[str, Any]:
    if audience.to == "entity":
        return {"entityId": audience.entity}
    return {"user": True} if audience.to == "notifications" else {"everyone": True}


def _fields_of(position: Position | None) -> dict[str, Any]:
    return {} if position is None else position.to_dict()


def sync_all(machine: Machine, link: Link) -> bool:
    """Compares every position, in the place of a ping. It does not wait for room among the requests in flight.

    Returns `False` if there is none to compare, or a `sync` is in flight already.
    """
    left = machine.logs.known
    is_syncing = any(isinstance(request, SyncRequest) for request in link.in_flight.values())
    if not left or link is not machine.current or is_syncing:
        return False
    while left:
        left = _send_sync(machine, link, left)
    return True


def _send_sync(machine: Machine, link: Link, logs: Sequence[Log]) -> list[Log]:
    """Sends one `sync` of as many logs as fit. Returns the others."""
    unsubscribed = [log for log in logs if log.audience.to != "entity"]
    beside: dict[str, Any] = {"pollAfter": link.poll_after} if link.is_polling else {}
    beside |= {_field_of(log.audience): _fields_of(log.position) for log in unsubscribed}
    asked, batch = unsubscribed, Batch(beside=beside)
    # Python compares texts by their code points, which is the order of their UTF-8.
    by_entity = {log.audience.entity: log for log in logs if log.audience.entity is not None}
    for entity in sorted(by_entity):
        log = by_entity[entity]
        if not batch.has_room_for(entity, _fields_of(log.position)):
            break
        batch.add(entity, _fields_of(log.position))
        asked.append(log)
    if asked:
        fields = beside if batch.is_empty else {"entities": batch.entities, **beside}
        _send(machine, link, asked, fields)
    named = set(asked)
    return [log for log in logs if log not in named]


def _field_of(audience: Audience) -> str:
    return "user" if audience.to == "notifications" else "everyone"


def _send(machine: Machine, link: Link, logs: Sequence[Log], fields: dict[str, Any]) -> None:
    link.pinged_at = machine.now
    for log in logs:
        machine.to_sync.pop(log, None)
        if log.position is None:
            log.is_starting = True
    asked = tuple(Asked(log, log.position) for log in logs)
    requests.send_request(machine, link, SyncRequest(asked), encode({"action": "sync", **fields}))


def sync_answered(machine: Machine, link: Link, asked: Sequence[Asked], reply: Frame) -> None:
    jitter = machine.random()
    request = Answered(is_shared=len(asked) > 1)
    # A link that lingers has a successor with every subscription.
    may_end = link.is_polling and link not in machine.lingering
    for one in asked:
        result = _result_of(reply, one.log.audience)
        if one.log.has_ended:
            continue
        if result is None:
            continuity.is_current(machine, one.log)
        elif may_end and _is_unreadable(result):
            _end_unreadable(machine, link, one.log, result)
        elif "error" in result:
            _ask_failed(machine, one.log, server_error(object_of(result["error"]) or {}), jitter)
        else:
            _apply_when_own_are_known(machine, one, result, request)


def _is_unreadable(result: Frame) -> bool:
    """Returns `True` if no later poll can read the log: it is gone, or the server refuses it."""
    error = result.get("error")
    if error:
        return not is_retryable(server_error(object_of(error) or {}))
    return "offset" not in result


def _end_unreadable(machine: Machine, link: Link, log: Log, result: Frame) -> None:
    """Ends what reads a log that cannot be polled."""
    if log.audience.entity is None:
        continuity.end_log(machine, log)
        return
    error = object_of(result.get("error"))
    failure = polling.UNSUPPORTED if error is None else server_error(error)
    subscribing.subscription_failed(machine, link, log.audience.entity, failure)


def _apply_when_own_are_known(machine: Machine, asked: Asked, answer: Frame, request: Answered) -> None:
    def apply() -> None:
        continuity.log_answered(machine, asked, answer, request)

    pushes.when_own_are_known(machine, asked.log, answer, apply)


def _result_of(reply: Frame, audience: Audience) -> Frame | None:
    if audience.entity is None:
        return object_of(reply.get(_field_of(audience)))
    results = object_of(reply.get("entities")) or {}
    return object_of(results.get(audience.entity))


def sync_failed(machine: Machine, asked: Sequence[Asked], error: Failure) -> None:
    jitter = machine.random()
    for one in asked:
        _ask_failed(machine, one.log, error, jitter)


def _ask_failed(machine: Machine, log: Log, error: Failure, jitter: float) -> None:
    if log.has_ended:
        return
    if is_retryable(error):
        gaps.ask_later(machine, log, jitter)
    elif log.position is None or is_unknown_action(error):
        continuity.end_log(machine, log)
    else:
        continuity.give_up(machine, log)
        while log.is_missing:
            continuity.give_up(machine, log)


def history_answered(machine: Machine, asked: Asked, reply: Frame) -> None:
    _apply_when_own_are_known(machine, asked, reply, Answered(is_read=True))


def history_failed(machine: Machine, asked: Asked, error: Failure) -> None:
    log = asked.log
    if log.has_ended:
        return
    if is_retryable(error):
        gaps.ask_later(machine, log, machine.random())
        return
    log.may_read = False
    machine.to_read[log] = None
