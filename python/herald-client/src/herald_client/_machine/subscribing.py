"""Subscriptions of the application, established on every connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from .._json import encode
from ..position import Position, position_of, position_of_message
from . import connecting, continuity, gaps, keep_alive, polling, presence, pushes, requests
from .batch import ENTITIES_AT_ONCE, Batch
from .continuity import Answered
from .failure import STOPPED, Failure, is_bad_request, is_retryable, is_throttled, is_unknown_connection
from .frame import object_of, objects_of, results_of
from .link import Asked, EntityState, EntityStateName, SubscribeRequest, UnsubscribeRequest
from .signals import End, Frame, Resolve, Subscriber, Unsubscribe

if TYPE_CHECKING:
    from .link import Link
    from .log import Log
    from .machine import Machine


def subscribe(machine: Machine, subscriber: Subscriber) -> None:
    request, entity = subscriber.request, subscriber.entity
    if machine.refuses_requests:
        machine.reject(request, STOPPED)
        return
    machine.subscriptions.add(entity, request, subscriber.presence)
    if subscriber.presence:
        presence.join(machine, entity)
    if machine.logs.at("entity", entity) is None:
        _begin_session(machine, subscriber)
    current = machine.current
    state = None if current is None else current.entities.get(entity)
    if current is not None and state is not None and state.name == "subscribed":
        _resolve_subscribers(machine, current, entity, machine.position_of(entity))
    recheck(machine, entity)


def _begin_session(machine: Machine, subscriber: Subscriber) -> None:
    """Begins the session of an entity's first subscriber.

    If the last session has not unsubscribed yet, its subscription serves this one too, unless there is a log, which
    must tell where this session starts.
    """
    entity = subscriber.entity
    has_start = subscriber.recover is not None or subscriber.rewind is not None
    log = machine.logs.insert(entity)
    log.position = subscriber.recover
    log.rewind = subscriber.rewind
    for link in machine.links_in_use:
        state = link.entities.get(entity)
        if state is None or state.name != "subscribed":
            continue
        if state.has_log or has_start:
            _update_state(machine, link, entity, "retrying")
        else:
            log.is_starting = False


def unsubscribe(machine: Machine, given: Unsubscribe) -> None:
    entity = given.entity
    machine.subscriptions.release(entity)
    if given.presence:
        presence.leave(machine, entity)
    if not machine.subscriptions.wants(entity):
        gaps.end_session(machine, entity)
    recheck(machine, entity)


def recheck(machine: Machine, entity: str) -> None:
    """Marks an entity whose state may not be the wanted one, on every link."""
    for link in machine.links_in_use:
        link.to_check[entity] = None


def send_entity_request(machine: Machine, link: Link) -> None:
    """Sends the next request about entities, if one is needed: a `subscribe` to as many as fit, or an `unsubscribe`."""
    batch = Batch(1 if link.one_by_one else ENTITIES_AT_ONCE)
    asked: list[Asked] = []
    for entity in list(link.to_check):
        change = _change_of(machine, link, entity)
        log = machine.logs.at("entity", entity)
        asks = presence.is_asked_for(machine, link, entity)
        start = {**({} if log is None else _start_of(link, log)), **({"presence": True} if asks else {})}
        is_next = batch.is_empty if change == "unsubscribe" else batch.has_room_for(entity, start)
        if change is not None and not is_next:
            break
        del link.to_check[entity]
        if change == "unsubscribe":
            _send_unsubscribe(machine, link, entity)
            return
        if change is None or log is None:
            continue
        state = link.entities.get(entity)
        is_subscribed = state is not None and state.name == "subscribed"
        link.entities[entity] = EntityState("subscribing", link.back_off_of(entity))
        batch.add(entity, start)
        asked.append(Asked(log, log.position, asks, is_subscribed))
    if not batch.is_empty:
        request = SubscribeRequest(tuple(batch.entities), tuple(asked))
        requests.send_request(machine, link, request, _body_of(link, batch))


def _start_of(link: Link, log: Log) -> dict[str, Any]:
    """Returns the place from which a `subscribe` starts, or a poll."""
    if link.is_polling:
        return {} if log.position is None else log.position.to_dict()
    if log.position is not None:
        return {"recover": log.position.to_dict()}
    return {} if log.rewind is None else {"rewind": log.rewind}


def _body_of(link: Link, batch: Batch) -> str:
    """Returns the JSON of a `subscribe`, or of a poll, without an id. Every server knows the form for one entity."""
    if link.is_polling:
        return encode({"action": "sync", "entities": batch.entities})
    if len(batch.entities) > 1:
        return encode({"action": "subscribe", "entities": batch.entities})
    ((entity, start),) = batch.entities.items()
    return _request_about("subscribe", entity, start)


def _change_of(machine: Machine, link: Link, entity: str) -> Literal["subscribe", "unsubscribe"] | None:
    """Returns the request that an entity needs. `None` if it needs none, or if one about it is in flight."""
    state = link.entities.get(entity)
    name = None if state is None else state.name
    if machine.subscriptions.wants(entity):
        if state is not None and state.name == "subscribed":
            return None if state.presence == presence.is_asked_for(machine, link, entity) else "subscribe"
        return "subscribe" if name in (None, "retrying") else None
    return None if name in (None, "subscribing", "unsubscribing") else "unsubscribe"


def _send_unsubscribe(machine: Machine, link: Link, entity: str) -> None:
    link.retries.pop(entity, None)
    _schedule_retries(machine, link)
    if link.is_polling:
        del link.entities[entity]
        return
    link.entities[entity] = EntityState("unsubscribing", link.back_off_of(entity))
    _end_keep_alive(machine, link, entity)
    requests.send_request(machine, link, UnsubscribeRequest(entity), _request_about("unsubscribe", entity, {}))


def subscribe_answered(machine: Machine, link: Link, request: SubscribeRequest, reply: Frame) -> None:
    entities = request.entities
    errors: Sequence[Failure | None]
    answers: Sequence[Frame]
    if link.is_polling:
        reply = polling.as_acknowledgement(request.asked, entities, reply)
    if len(entities) == 1 and not link.is_polling:
        errors, answers = [None], [reply]
    else:
        errors = results_of(reply, entities)
        results = object_of(reply.get("entities")) or {}
        answers = [object_of(results.get(entity)) or {} for entity in entities]
    if any(error is not None and is_unknown_connection(error) for error in errors):
        connecting.disconnect(machine, link)
        return
    # The same for all, so that entities that failed together are retried together.
    jitter = machine.random()
    demanded = keep_alive.demanded_by(reply)
    for entity, error, asked, answer in zip(entities, errors, request.asked, answers, strict=True):
        if error is None:
            _demand_keep_alive(link, entity, demanded)
            _entity_acknowledged(machine, link, entity, asked, answer, is_shared=len(entities) > 1)
        else:
            _entity_failed(machine, link, entity, asked, error, jitter)
    keep_alive.demands_changed(machine, link)


def _demand_keep_alive(link: Link, entity: str, demanded: int | None) -> None:
    """Notes what the acknowledgement of an entity demands. It replaces what the one before did."""
    if demanded is None:
        link.keep_alives.pop(entity, None)
    else:
        link.keep_alives[entity] = demanded


def subscribe_failed(machine: Machine, link: Link, request: SubscribeRequest, error: Failure) -> None:
    entities = request.entities
    if len(entities) > 1 and is_bad_request(error):
        _subscribe_one_by_one(machine, link, entities)
        return
    jitter = machine.random()
    for entity, asked in zip(entities, request.asked, strict=True):
        _entity_failed(machine, link, entity, asked, error, jitter)


def _subscribe_one_by_one(machine: Machine, link: Link, entities: Sequence[str]) -> None:
    """Subscribes to each entity alone.

    The server does not support a `subscribe` to several, or one of the entities is invalid.
    """
    if link not in machine.links_in_use:
        return
    link.one_by_one = True
    for entity in entities:
        link.entities[entity] = EntityState("retrying", link.back_off_of(entity))
    link.to_check = dict.fromkeys([*entities, *link.to_check])


def _entity_acknowledged(
    machine: Machine, link: Link, entity: str, asked: Asked, answer: Frame, *, is_shared: bool
) -> None:
    """Notes that the server has acknowledged an entity, and applies the answer of its log.

    `is_shared` is true if the request named several entities.
    """
    position = position_of(answer)
    log = machine.logs.at("entity", entity)
    is_of_this_session = log is asked.log
    if log is not None and not is_of_this_session and position is not None and link in machine.links_in_use:
        _update_state(machine, link, entity, "retrying")
        return
    state = _update_state(machine, link, entity, "subscribed")
    state.has_log = position is not None
    state.presence = asked.presence
    if link.is_polling:
        presence.polled(machine, entity)
    elif asked.presence:
        presence.snapshot_arrived(machine, entity, answer.get("presence"), is_acknowledgement=True)
    if log is None:
        return
    start = None if position is None else _starting_point(asked, answer, position)
    _resolve_subscribers(machine, link, entity, start)
    if position is None:
        continuity.end_log(machine, log)
        return
    if not is_of_this_session:
        return
    is_recovery = asked.position is not None and not asked.is_subscribed and link is machine.current
    request = Answered(is_acknowledgement=True, is_recovery=is_recovery, is_shared=is_shared)

    def apply() -> None:
        continuity.log_answered(machine, asked, answer, request)

    pushes.when_own_are_known(machine, log, answer, apply)


def _starting_point(asked: Asked, answer: Frame, position: Position) -> Position:
    """Returns the position before the first message of an answer, whose position is `position`."""
    if asked.position is not None:
        return asked.position
    messages = objects_of(answer.get("messages"))
    first = position_of_message(messages[0]) if messages else None
    return position if first is None else Position(first.offset - 1, first.epoch)


def _entity_failed(machine: Machine, link: Link, entity: str, asked: Asked, error: Failure, jitter: float) -> None:
    """Retries or ends a subscription. `jitter` is the random share of the delay, if there is a retry."""
    # A link that is not in use has a successor with every subscription.
    if link not in machine.links_in_use:
        return
    if asked.presence and presence.may_be_refused_by(error):
        _update_state(machine, link, entity, "retrying")
        presence.refuse(machine, entity, error)
    elif _should_retry(machine, entity, error):
        _retry_later(machine, link, entity, jitter)
    else:
        subscription_failed(machine, link, entity, error)


def _should_retry(machine: Machine, entity: str, error: Failure) -> bool:
    may_retry = is_throttled(error) or (machine.subscriptions.is_established(entity) and is_retryable(error))
    return machine.subscriptions.wants(entity) and may_retry


def _resolve_subscribers(machine: Machine, link: Link, entity: str, position: Position | None) -> None:
    is_complete = link.entities[entity].presence or not presence.is_asked_for(machine, link, entity)
    for request in machine.subscriptions.acknowledged(entity, is_complete):
        machine.perform(Resolve(request, position=position))


def _retry_later(machine: Machine, link: Link, entity: str, jitter: float) -> None:
    state = _update_state(machine, link, entity, "waitingToRetry")
    link.retries[entity] = machine.now + state.back_off.next(machine.rules, jitter)
    _schedule_retries(machine, link)


def _schedule_retries(machine: Machine, link: Link) -> None:
    timer = f"subscribe {link.socket}"
    if not link.retries:
        machine.timers.cancel(timer)
        return
    machine.timers.set(timer, min(link.retries.values()), lambda: _retry_subscriptions(machine, link))


def _retry_subscriptions(machine: Machine, link: Link) -> None:
    due = [entity for entity, at in link.retries.items() if at <= machine.now]
    for entity in due:
        del link.retries[entity]
        _update_state(machine, link, entity, "retrying")
    _schedule_retries(machine, link)


def subscription_failed(machine: Machine, link: Link, entity: str, error: Failure) -> None:
    """Ends a subscription for all its subscribers."""
    # Without a refusal by the server itself, the subscription may have been stored.
    if error.kind == "server":
        _remove_state(machine, link, entity)
    else:
        _update_state(machine, link, entity, "subscribed")
    was_established = machine.subscriptions.is_established(entity)
    for request in machine.subscriptions.remove(entity):
        machine.reject(request, error)
    gaps.end_session(machine, entity)
    presence.end(machine, entity)
    if was_established:
        machine.perform(End(entity, error))
    recheck(machine, entity)


def unsubscribe_answered(machine: Machine, link: Link, entity: str) -> None:
    _remove_state(machine, link, entity)


def _update_state(machine: Machine, link: Link, entity: str, name: EntityStateName) -> EntityState:
    """Sets the state of an entity on a link, and marks the entity."""
    state = EntityState(name, link.back_off_of(entity))
    link.entities[entity] = state
    _mark(machine, link, entity)
    return state


def _remove_state(machine: Machine, link: Link, entity: str) -> None:
    """Removes the state of an entity on a link, and marks the entity."""
    link.entities.pop(entity, None)
    _end_keep_alive(machine, link, entity)
    _mark(machine, link, entity)


def _end_keep_alive(machine: Machine, link: Link, entity: str) -> None:
    if link.keep_alives.pop(entity, None) is not None:
        keep_alive.demands_changed(machine, link)


def _mark(machine: Machine, link: Link, entity: str) -> None:
    if link in machine.links_in_use:
        link.to_check[entity] = None


def _request_about(action: Literal["subscribe", "unsubscribe"], entity: str, start: Mapping[str, Any]) -> str:
    return encode({"action": action, "entityId": entity, **start})
