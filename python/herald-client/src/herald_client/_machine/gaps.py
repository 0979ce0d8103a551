"""The times at which the client asks for missing messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .back_off import rounded
from .link import LogRequest

if TYPE_CHECKING:
    from .log import Log
    from .machine import Machine


def watch(machine: Machine, log: Log, delay: int | None = None) -> None:
    """Starts the wait after which the client asks for missing messages, or ends it if none is missing.

    Its delay is random, so that the clients that miss a message do not all ask at once.
    """
    if not log.is_behind or log.has_ended:
        _cancel(machine, log)
        return
    if log in machine.gaps or is_asked(machine, log):
        return
    if delay is None:
        delay = rounded(machine.rules.gap_after + machine.rules.gap_spread * machine.random())
    machine.gaps[log] = machine.now + delay
    _schedule(machine)


def _cancel(machine: Machine, log: Log) -> None:
    if machine.gaps.pop(log, None) is not None:
        _schedule(machine)


def ask_later(machine: Machine, log: Log, jitter: float) -> None:
    """Asks again after a request failed. `jitter` is the random share of the delay."""
    if log.has_ended:
        return
    log.is_doubtful = log.position is not None
    machine.gaps[log] = machine.now + log.back_off.next(machine.rules, jitter)
    _schedule(machine)


def ask_now(machine: Machine, log: Log) -> None:
    _cancel(machine, log)
    machine.to_sync[log] = None


def _schedule(machine: Machine) -> None:
    if not machine.gaps:
        machine.timers.cancel("gap")
        return
    machine.timers.set("gap", min(machine.gaps.values()), lambda: _ask_for_gaps(machine))


def _ask_for_gaps(machine: Machine) -> None:
    """Asks for what is missing. Without a connection, the next one does."""
    for log, at in list(machine.gaps.items()):
        if at > machine.now:
            continue
        del machine.gaps[log]
        is_missing = log.is_behind or log.is_starting
        is_open = machine.current is not None and machine.current.is_open
        if is_missing and is_open and not is_asked(machine, log):
            machine.to_sync[log] = None
    _schedule(machine)


def is_asked(machine: Machine, log: Log) -> bool:
    """Returns `True` if an answer of the log is pending."""
    return (
        log in machine.to_read
        or log in machine.to_sync
        or any(answer.log is log for answer in machine.held_answers)
        or any(
            asked.log is log
            for link in machine.links
            for request in link.in_flight.values()
            if isinstance(request, LogRequest)
            for asked in request.asked
        )
    )


def postpone_requests(machine: Machine) -> None:
    """Plans anew what was to be asked at once, on a connection that ended."""
    logs = [*machine.to_sync, *machine.to_read]
    machine.to_sync.clear()
    machine.to_read.clear()
    for log in logs:
        watch(machine, log)


def end_session(machine: Machine, entity: str) -> None:
    """Ends the session of an entity, and forgets what is planned for its log."""
    log = machine.logs.remove(entity)
    if log is None:
        return
    machine.to_sync.pop(log, None)
    machine.to_read.pop(log, None)
    _cancel(machine, log)
