"""Delivery of pushes, without repeats and without the client's own messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..position import position_of_message
from . import continuity
from .frame import objects_of, route_of
from .log import HeldPush
from .signals import Deliver, Frame

if TYPE_CHECKING:
    from .link import Link
    from .log import Log
    from .machine import Machine


@dataclass(frozen=True)
class HeldMessage:
    """A message that may be the application's own.

    It waits for the replies to the messages that were in flight on other sockets when it arrived. `after` is the last
    request that was sent before it.
    """

    frame: Frame
    after: int


@dataclass(frozen=True)
class HeldAnswer:
    """The answer of a log with messages that may be the application's own.

    It waits for the replies to all messages that were in flight when it arrived.
    """

    log: Log
    apply: Callable[[], None]
    after: int


def pushed(machine: Machine, link: Link, frame: Frame) -> None:
    after = machine.requests
    if frame.get("type") != "message" or _oldest_send_elsewhere(machine, link.socket) > after:
        _deliver(machine, frame)
    else:
        machine.held.setdefault(link.socket, []).append(HeldMessage(frame, after))


def when_own_are_known(machine: Machine, log: Log, answer: Frame, apply: Callable[[], None]) -> None:
    """Applies the answer of a log once it is known which of its messages are the application's own."""
    after = machine.requests
    may_have_own = any(frame.get("type") == "message" for frame in objects_of(answer.get("messages")))
    if not may_have_own or _oldest_send_elsewhere(machine) > after:
        apply()
    else:
        machine.held_answers.append(HeldAnswer(log, apply, after))


def apply_released(machine: Machine) -> None:
    """Applies the held answers whose replies have arrived."""
    if not machine.held_answers:
        return
    oldest = _oldest_send_elsewhere(machine)
    released = [answer for answer in machine.held_answers if answer.after < oldest]
    machine.held_answers = [answer for answer in machine.held_answers if answer.after >= oldest]
    for answer in released:
        answer.apply()


def deliver_released(machine: Machine) -> None:
    """Delivers the held messages whose replies have arrived.

    It checks the first of each socket only: later ones wait for the same replies and more.
    """
    for socket in sorted(machine.held):
        held = machine.held[socket]
        oldest = _oldest_send_elsewhere(machine, socket)
        if held[0].after >= oldest:
            continue
        count = next((place for place, message in enumerate(held) if message.after >= oldest), len(held))
        free = held[:count]
        del held[:count]
        if not held:
            del machine.held[socket]
        for message in free:
            _deliver(machine, message.frame)


def deliver_all_held(machine: Machine) -> None:
    answers, machine.held_answers = machine.held_answers, []
    for answer in answers:
        answer.apply()
    messages = [message for socket in sorted(machine.held) for message in machine.held[socket]]
    machine.held.clear()
    for message in messages:
        _deliver(machine, message.frame)


def _oldest_send_elsewhere(machine: Machine, socket: int | None = None) -> float:
    """Returns the oldest message in flight on other sockets than this one, or on all.

    To the server, the two sockets of a renewal are two clients, so it delivers a message that was sent on one to the
    other, perhaps before the acknowledgement.
    """
    return min((link.oldest_send for link in machine.links if link.socket != socket), default=math.inf)


def _deliver(machine: Machine, frame: Frame) -> None:
    to, entity = route_of(frame), frame.get("entityId")
    if to == "entity" and not machine.subscriptions.wants(frame["entityId"]):
        return
    log = machine.logs.at(to, entity)
    if log is None:
        deliver_unless_repeated(machine, frame)
        return
    position = position_of_message(frame)
    if position is None:
        continuity.arrived_without_position(machine, log, frame)
    else:
        continuity.arrived(machine, log, HeldPush(position, frame))


def deliver_unless_repeated(machine: Machine, frame: Frame) -> bool:
    """Delivers a message. Returns `False` if it is a repeat."""
    is_new = machine.repeats.insert(frame.get("eventId"))
    if is_new:
        machine.perform(Deliver(route_of(frame), frame))
    return is_new
