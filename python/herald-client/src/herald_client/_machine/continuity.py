"""Continuity: every message of a log once and in order, or the news that some are lost.

The module `gaps` decides when to ask, and `subscribing` and `syncing` make the requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..position import Position, position_of, position_of_message, whole_number
from . import gaps, pushes
from .frame import objects_of
from .log import HeldPush
from .signals import Audience, Frame, Lose, Recover

if TYPE_CHECKING:
    from .link import Asked
    from .log import Log
    from .machine import Machine


@dataclass(frozen=True)
class Answered:
    """The kind of a request that a log answered."""

    is_acknowledgement: bool = False
    # True for a subscription on a connection that replaces a broken one.
    is_recovery: bool = False
    # True for `history`.
    is_read: bool = False
    # True if it was about several audiences, which share the room for messages.
    is_shared: bool = False


def arrived(machine: Machine, log: Log, push: HeldPush) -> None:
    """Puts a message in its place: it is delivered, held, or dropped as a repeat."""
    position, frame = push.position, push.frame
    if log.position is None and not log.is_starting:
        if frame is not None:
            _adopt(machine, log, position, frame)
        return
    if frame is not None and _was_overtaken(log, position):
        pushes.deliver_unless_repeated(machine, frame)
        return
    if frame is not None and _is_on_its_way(log, position):
        log.delivered_before = position.offset
        pushes.deliver_unless_repeated(machine, frame)
        return
    if log.is_before(position):
        log.hold(push)
    _deliver_held(machine, log)
    if log.held > machine.rules.held_while_asking:
        give_up(machine, log)
    elif log.held > machine.rules.held_limit and not gaps.is_asked(machine, log):
        gaps.ask_now(machine, log)
    else:
        gaps.watch(machine, log)


def _adopt(machine: Machine, log: Log, position: Position, frame: Frame) -> None:
    """Adopts the position of a message, since the client has none: the log was switched on."""
    log.is_absent = False
    log.move_to(position)
    log.adopted_at = position.offset
    pushes.deliver_unless_repeated(machine, frame)


def _was_overtaken(log: Log, position: Position) -> bool:
    """Returns `True` if a message was overtaken by the one whose position the client adopted.

    It was not delivered yet.
    """
    return log.position is not None and position.epoch == log.position.epoch and position.offset < log.adopted_at


def _is_on_its_way(log: Log, position: Position) -> bool:
    """Returns `True` if a message was on its way when a `sync` told the first position."""
    if log.delivered_before is None or log.position is None or position.epoch != log.position.epoch:
        return False
    return log.delivered_before < position.offset <= log.position.offset


def _deliver_held(machine: Machine, log: Log) -> None:
    """Delivers the held messages that come next."""
    if log.is_starting:
        return
    following = log.take_next()
    while following is not None:
        if following.frame is not None:
            pushes.deliver_unless_repeated(machine, following.frame)
        following = log.take_next()


def arrived_without_position(machine: Machine, log: Log, frame: Frame) -> None:
    """Delivers a message without a position: the audience has no log, or none any more."""
    if log.position is not None and not log.is_starting:
        end_log(machine, log)
    pushes.deliver_unless_repeated(machine, frame)


def own_acknowledged(machine: Machine, target: Audience, reply: Frame) -> None:
    """Moves the position over messages of the application itself."""
    log = machine.logs.at(target.to, target.entity)
    if log is None:
        return
    for sent in (reply, *objects_of(reply.get("positions"))):
        position = position_of_message(sent)
        if position is not None:
            arrived(machine, log, HeldPush(position))


def log_answered(machine: Machine, asked: Asked, answer: Frame, request: Answered) -> None:
    """Applies the answer of a log to a `subscribe`, a `sync` or a `history`.

    The connection belonged to an audience without a subscription before its log was asked for the first position. So
    what arrived before the answer, or was on its way, is delivered.
    """
    log = asked.log
    if log.has_ended:
        return
    position = position_of(answer)
    if position is None:
        end_log(machine, log)
        return
    was_known = log.position is not None
    recovered = answer.get("recovered")
    log.is_starting = False
    log.rewind = None
    log.back_off.reset()
    if was_known and recovered is False:
        _lose(machine, log, position, asked.position)
    elif not was_known or (recovered is True and log.continues_with(position)):
        if request.is_recovery and recovered is True:
            log.recovering = 0
        is_first = not was_known and log.audience.to != "entity"
        before = log.position_before(position) if is_first else None
        _advance(machine, log, before or position, answer)
        if is_first and before is None:
            log.delivered_before = 0
    elif not log.continues_with(position):
        log.is_doubtful = True
    if log.continues_with(position):
        log.raise_top(max(position.offset, whole_number(answer.get("top")) or 0))
    _deliver_held(machine, log)
    if answer.get("more") is True and log.is_missing and log.continues_with(position):
        _read_on(machine, log, asked.position, request)
        return
    _announce_recovery(machine, log)
    gaps.watch(machine, log, machine.rules.gap_after if request.is_acknowledgement else None)


def _advance(machine: Machine, log: Log, position: Position, answer: Frame) -> None:
    """Delivers the messages of an answer, and moves to its position."""
    for frame in objects_of(answer.get("messages")):
        following = position_of_message(frame)
        if following is None or not log.is_before(following):
            continue
        log.move_to(following)
        if pushes.deliver_unless_repeated(machine, frame) and log.recovering is not None:
            log.recovering += 1
    if log.is_before(position):
        log.move_to(position)
    log.confirm()


def _read_on(machine: Machine, log: Log, asked: Position | None, request: Answered) -> None:
    """Reads on after an answer that had no room for every message.

    If it had room for none, another request may get one: a `history`, whose reply always has room for a message, or one
    about this audience alone.
    """
    is_polling = machine.current is not None and machine.current.is_polling
    may_read = log.may_read and not is_polling
    may_lack_room = not request.is_read and (may_read or request.is_shared)
    if log.position == asked and not may_lack_room:
        give_up(machine, log)
    else:
        machine.to_read[log] = None


def _announce_recovery(machine: Machine, log: Log) -> None:
    if log.recovering is None:
        return
    machine.perform(Recover(log.audience, log.recovering))
    log.recovering = None


def _lose(machine: Machine, log: Log, position: Position, asked: Position | None) -> None:
    """Tells the application that messages are lost, unless they arrived in the meantime.

    `position` is the one from which the client is live.
    """
    if log.position is not None and log.position.epoch == position.epoch and not log.is_before(position):
        log.confirm()
    elif log.position != asked:
        log.is_doubtful = True
    else:
        _tell_lost(machine, log, position)
        log.move_to(position)
        log.confirm()


def _tell_lost(machine: Machine, log: Log, position: Position | None) -> None:
    log.recovering = None
    machine.perform(Lose(log.audience, position))


def give_up(machine: Machine, log: Log) -> None:
    """Goes on without the missing messages, since the server refuses them or too many others wait for them."""
    position = log.resumes_at
    was_known = log.position is not None
    log.is_starting = log.is_doubtful = False
    if position is None or (was_known and not log.is_missing):
        return
    if was_known:
        _tell_lost(machine, log, position)
    log.move_to(position)
    _deliver_held(machine, log)
    gaps.watch(machine, log)


def is_current(machine: Machine, log: Log) -> None:
    """Notes that the server found the client current."""
    log.back_off.reset()
    log.confirm()
    gaps.watch(machine, log)


def end_log(machine: Machine, log: Log) -> None:
    """Goes on without a log, since the server does not keep one."""
    held = log.take_all()
    if log.position is not None or log.rewind is not None:
        _tell_lost(machine, log, None)
    log.position = log.rewind = None
    log.is_starting = log.is_doubtful = False
    log.is_absent = True
    gaps.watch(machine, log)
    for push in held:
        if push.frame is not None:
            pushes.deliver_unless_repeated(machine, push.frame)
