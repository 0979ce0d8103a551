"""Pings: after silence, as often as the server demands, and when a request stays without a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..position import whole_number
from . import connecting, syncing
from .signals import Frame, SendText

if TYPE_CHECKING:
    from .link import Link
    from .machine import Machine


def plan_ping(machine: Machine, link: Link) -> None:
    """Plans the next ping: after silence, or earlier if the acknowledgement of a subscription demands it.

    The server takes a connection that sends none from the presence of its entities. So the link that will become the
    current one sends them, too.
    """
    if link.is_polling:
        return
    times = [link.received_at + machine.rules.ping_after] if link is machine.current else []
    if link.keep_alive is not None:
        times.append(link.pinged_at + link.keep_alive)
    timer = f"ping {link.socket}"
    if times and not link.awaits_pong:
        machine.timers.set(timer, min(times), lambda: ping(machine, link))
    else:
        machine.timers.cancel(timer)


def demanded_by(reply: Frame) -> int | None:
    """Returns the longest time between two pings that an acknowledgement demands. `None` if it demands none."""
    seconds = whole_number(reply.get("keepAlive"))
    return seconds * 1000 if seconds else None


def demands_changed(machine: Machine, link: Link) -> None:
    """Notes that acknowledgements arrived, or that subscriptions ended."""
    link.keep_alive = min(link.keep_alives.values(), default=None)
    if link in machine.links_in_use:
        plan_ping(machine, link)


def ping_unless_answered(machine: Machine, link: Link) -> None:
    """Sends a ping if nothing arrives for long after a request."""
    timer = f"unanswered {link.socket}"
    if link.awaits_pong or timer in machine.timers:
        return
    machine.timers.set(timer, machine.now + machine.rules.unanswered_after, lambda: ping(machine, link))


def ping(machine: Machine, link: Link) -> None:
    """Sends a ping, or a `sync` if there are positions, unless one is in flight."""
    if link.awaits_pong:
        return
    link.awaits_pong = True
    link.pinged_at = machine.now
    _cancel(machine, link, "ping", "unanswered")
    timer, times_out_at = f"pong {link.socket}", machine.now + machine.rules.pong_timeout
    machine.timers.set(timer, times_out_at, lambda: connecting.disconnect(machine, link))
    if not syncing.sync_all(machine, link):
        machine.perform(SendText(link.socket, '{"action":"ping"}'))


def note_received(machine: Machine, link: Link) -> None:
    """Notes that something arrived."""
    link.received_at = machine.now
    link.awaits_pong = False
    _cancel(machine, link, "pong", "unanswered")
    if link is machine.current or link is machine.next:
        plan_ping(machine, link)


def stop_pings(machine: Machine, link: Link) -> None:
    _cancel(machine, link, "ping", "unanswered", "pong")


def _cancel(machine: Machine, link: Link, *timers: str) -> None:
    for timer in timers:
        machine.timers.cancel(f"{timer} {link.socket}")
