"""The choice between a WebSocket and polling.

A network may admit no WebSocket: its handshakes fail though the server is well, or its connections are cut soon after
they opened. The first poll shows that HTTPS does pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .signals import Transport, TransportChanged

if TYPE_CHECKING:
    from .link import Link
    from .machine import Machine


class Obstacles:
    """The signs that the network admits no WebSocket."""

    def __init__(self) -> None:
        # The handshakes in a row that failed without a status of the server.
        self.blocked = 0
        # The time at which the first attempt of that row started, and the time from then to its last failure.
        self.blocked_since = 0
        self.blocked_for = 0
        # The connections in a row that ended soon after they opened, without a close frame.
        self.killed = 0
        # True if the last attempt was to poll, and failed.
        self.poll_failed = False


def polls_next(machine: Machine) -> bool:
    """Returns `True` if the next attempt is to poll. After one that failed, a WebSocket is tried."""
    obstacles, rules = machine.obstacles, machine.rules
    poll_failed, obstacles.poll_failed = obstacles.poll_failed, False
    # A browser hides the 429 of a server that throttles many clients, and a throttle lasts for seconds. The rule is
    # the same for every client.
    is_blocked = obstacles.blocked >= rules.obstacle_limit and obstacles.blocked_for >= rules.obstacle_after
    is_obstructed = is_blocked or obstacles.killed >= rules.obstacle_limit
    return rules.poll and is_obstructed and not poll_failed and machine.current is None


def handshake_failed(machine: Machine, link: Link, status: int | None) -> None:
    """Notes that a handshake failed. A status of the server itself is no obstacle of the network."""
    if link.is_polling or not link.is_opening:
        return
    obstacles = machine.obstacles
    if status is not None and (status in (401, 403, 429) or status >= 500):
        obstacles.blocked = 0
        return
    if obstacles.blocked == 0:
        obstacles.blocked_since = link.started_at
    obstacles.blocked += 1
    obstacles.blocked_for = machine.now - obstacles.blocked_since


def connection_ended(machine: Machine, link: Link, close_frame: bool) -> None:
    """Notes that a connection ended, with a close frame or without."""
    was_killed = not close_frame and machine.now - link.opened_at <= machine.rules.killed_within
    machine.obstacles.killed = machine.obstacles.killed + 1 if was_killed else 0


def web_socket_opened(machine: Machine) -> None:
    """Notes that a WebSocket opened. While the client polls, it counts once it is stable."""
    if machine.current is None or not machine.current.is_polling:
        machine.obstacles.blocked = 0


def web_socket_stable(machine: Machine) -> None:
    machine.obstacles.blocked = machine.obstacles.killed = 0


def announce_transport(machine: Machine) -> None:
    """Tells the application which transport the client uses, if that changed."""
    if machine.current is None or not machine.current.is_open:
        return
    transport: Transport = "poll" if machine.current.is_polling else "websocket"
    if transport != machine.transport:
        machine.transport = transport
        machine.perform(TransportChanged(transport))
