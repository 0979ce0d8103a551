"""Pings: after silence, and when a request stays without a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import connecting, syncing
from .signals import SendText

if TYPE_CHECKING:
    from .link import Link
    from .machine import Machine


def ping_after_silence(machine: Machine, link: Link) -> None:
    at = link.received_at + machine.rules.ping_after
    machine.timers.set(f"ping {link.socket}", at, lambda: ping(machine, link))


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
    if link is machine.current:
        ping_after_silence(machine, link)


def stop_pings(machine: Machine, link: Link) -> None:
    _cancel(machine, link, "ping", "unanswered", "pong")


def _cancel(machine: Machine, link: Link, *timers: str) -> None:
    for timer in timers:
        machine.timers.cancel(f"{timer} {link.socket}")
