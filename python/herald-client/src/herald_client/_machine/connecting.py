"""The life of the connection: attempts, breaks, renewal and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._json import encode
from . import gaps, keep_alive, polling, presence, pushes, requests, transports
from .back_off import rounded
from .failure import OUTCOME_UNKNOWN, STOPPED
from .link import AuthenticateRequest, Link, OpenRequest
from .signals import AskToken, CloseSocket, OpenSocket, StateChanged, StopReason

if TYPE_CHECKING:
    from .machine import Machine


def connect(machine: Machine) -> None:
    machine.announce(StateChanged("connecting"))
    _start_attempt(machine)


def _start_attempt(machine: Machine) -> None:
    """Opens the next socket, for the current link or for its successor."""
    machine.sockets += 1
    link = Link(machine.sockets, machine.now, transports.polls_next(machine))
    if machine.current is not None:
        machine.next = link
    else:
        machine.current = link
    times_out_at = machine.now + machine.rules.connect_timeout
    machine.timers.set(f"attempt {link.socket}", times_out_at, lambda: _attempt_timed_out(machine, link))
    if machine.rules.token:
        machine.perform(AskToken(link.socket))
    else:
        _open(machine, link, None)


def _open(machine: Machine, link: Link, token: str | None) -> None:
    """Begins the handshake. That of a link that polls is a poll of one log, whose answer has no further use."""
    link.is_opening = True
    link.token = token
    if link.is_polling:
        requests.send_request(machine, link, OpenRequest(), encode({"action": "sync", "everyone": {}}))
    else:
        machine.perform(OpenSocket(link.socket, token))


def _attempt_timed_out(machine: Machine, link: Link) -> None:
    transports.handshake_failed(machine, link, None)
    disconnect(machine, link)


def _retry(machine: Machine) -> None:
    machine.timers.cancel("retry")
    machine.retries += 1
    _start_attempt(machine)


def token_supplied(machine: Machine, link: Link, token: str | None, expires_in: int | None) -> None:
    if expires_in is not None:
        delay = max(expires_in - machine.rules.renew_token_before, expires_in // 2)
        _authenticate_at(machine, link, machine.now + delay)
    else:
        link.authenticate_at = None
        machine.timers.cancel(f"authenticate {link.socket}")
    if not link.is_open:
        _open(machine, link, token)
        return
    link.token = token
    if not link.is_polling:
        requests.send_request(machine, link, AuthenticateRequest(), encode({"action": "authenticate", "token": token}))


def token_failed(machine: Machine, link: Link) -> None:
    if link.is_open:
        authenticate_later(machine, link)
    else:
        socket_ended(machine, link)


def opened(machine: Machine, link: Link) -> None:
    socket, now = link.socket, machine.now
    link.is_open = True
    link.received_at = link.pinged_at = link.opened_at = now
    link.renew_at = now + _renew_delay(machine, link)
    link.to_check = dict.fromkeys(machine.subscriptions.in_order)
    machine.refusals = 0
    machine.network_is_down = False
    machine.timers.cancel(f"attempt {socket}")
    machine.timers.set(f"stable {socket}", now + machine.rules.stable_after, lambda: _became_stable(machine, link))
    if not link.is_polling:
        transports.web_socket_opened(machine)
    if link is machine.current:
        _use(machine, link)


def _renew_delay(machine: Machine, link: Link) -> int:
    """Returns the time after which a link is replaced: by a younger one, or, if it polls, by a WebSocket."""
    after = machine.rules.web_socket_retry if link.is_polling else machine.rules.renew_after
    return rounded(after * (1 - 0.1 * machine.random()))


def _became_stable(machine: Machine, link: Link) -> None:
    link.is_stable = True
    machine.back_off.reset()
    if not link.is_polling:
        transports.web_socket_stable(machine)


def failed(machine: Machine, link: Link) -> None:
    transports.handshake_failed(machine, link, None)
    socket_ended(machine, link)


def closed(machine: Machine, link: Link, close_frame: bool) -> None:
    transports.connection_ended(machine, link, close_frame)
    socket_ended(machine, link)


def refused(machine: Machine, link: Link, status: int | None) -> None:
    """Counts a refused handshake, and stops at the limit."""
    transports.handshake_failed(machine, link, status)
    # While the client polls, the polls tell if the token is refused, and a proxy may refuse every WebSocket.
    is_beside_polls = machine.current is not None and machine.current.is_polling and link is machine.next
    is_lingering = link in machine.lingering
    if not is_beside_polls and not is_lingering and _counts_as_refusal(machine, status):
        machine.refusals += 1
    if machine.refusals < machine.rules.refusal_limit:
        socket_ended(machine, link)
        return
    _remove(machine, link)
    stop(machine, StopReason("refused", status=status))


def _counts_as_refusal(machine: Machine, status: int | None) -> bool:
    """Returns `True` if a refusal is about the token.

    Without a status it may have been 429 or 5xx, which are transient, so such refusals count only if they are far
    enough apart, and not at all if the client may poll: a poll has a status.
    """
    if status is not None:
        return status in (401, 403)
    if machine.rules.poll:
        return False
    counts = machine.now >= machine.last_guess + machine.rules.refusal_spacing
    if counts:
        machine.last_guess = machine.now
    return counts


def invalid(machine: Machine, link: Link, reason: str) -> None:
    """Stops because no attempt can succeed."""
    _remove(machine, link)
    stop(machine, StopReason("invalid", reason=reason))


def disconnect(machine: Machine, link: Link) -> None:
    """Closes a socket, and treats it as broken."""
    machine.perform(CloseSocket(link.socket))
    socket_ended(machine, link)


def socket_ended(machine: Machine, link: Link) -> None:
    """Removes a link that broke, or that never opened."""
    current, following = machine.current, machine.next
    _remove(machine, link)
    if link is following:
        _renewal_failed(machine)
    if link is current:
        _lost_current(machine)


def _lost_current(machine: Machine) -> None:
    if machine.next is None:
        _reconnect_later(machine)
        return
    machine.retries = 1
    _use(machine, machine.next)
    machine.announce(StateChanged("reconnecting", attempt=1, delay=0))


def _renewal_failed(machine: Machine) -> None:
    delay = _next_delay(machine)
    current = machine.current
    if current is None:
        return
    current.renew_at = machine.now + (_renew_delay(machine, current) if current.is_polling else delay)
    _use(machine, current)


def _remove(machine: Machine, link: Link) -> None:
    if link is machine.current:
        machine.current = None
    if link is machine.next:
        machine.next = None
    machine.lingering = [other for other in machine.lingering if other is not link]
    if link.is_polling and not link.is_open:
        machine.obstacles.poll_failed = True
    _stop_timers(machine, link)
    requests.end_requests(machine, [link])
    if machine.current is None:
        gaps.postpone_requests(machine)
    presence.link_ended(machine)


def _reconnect_later(machine: Machine) -> None:
    if machine.is_closing and not machine.has_unanswered_messages:
        return
    delay = None if machine.network_is_down else _next_delay(machine)
    at = machine.now + (_offline_delay(machine) if delay is None else delay)
    machine.timers.set("retry", at, lambda: _retry(machine))
    machine.announce(StateChanged("reconnecting", attempt=machine.retries + 1, delay=delay))


def _next_delay(machine: Machine) -> int:
    return machine.back_off.next(machine.rules, machine.random())


def _offline_delay(machine: Machine) -> int:
    """Returns the delay while the network is reported down, which a wrong hint must not make endless."""
    return rounded(machine.rules.offline_retry * (1 - 0.5 * machine.random()))


def _use(machine: Machine, link: Link) -> None:
    """Makes a link the current one."""
    machine.current = link
    if link is machine.next:
        machine.next = None
    if not link.is_open:
        return
    machine.timers.set(f"renew {link.socket}", link.renew_at, lambda: renew(machine))
    if link.authenticate_at is not None:
        _authenticate_at(machine, link, link.authenticate_at)
    keep_alive.plan_ping(machine, link)


def _stop_using(machine: Machine, link: Link) -> None:
    for timer in ("renew", "authenticate", "subscribe", "poll"):
        machine.timers.cancel(f"{timer} {link.socket}")
    keep_alive.stop_pings(machine, link)
    link.retries.clear()


def _stop_timers(machine: Machine, link: Link) -> None:
    for timer in ("attempt", "stable", "linger"):
        machine.timers.cancel(f"{timer} {link.socket}")
    _stop_using(machine, link)


def hand_over_if_established(machine: Machine) -> None:
    """Makes the successor the current link once every subscription is established on it.

    If the client polls, the successor has to be stable, too. The old link stays for late replies and pushes.
    """
    current, following = machine.current, machine.next
    if following is None or not following.is_established:
        return
    if current is not None and current.is_polling and not following.is_stable:
        return
    _use(machine, following)
    if current is not None:
        _stop_using(machine, current)
        current.to_check.clear()
        machine.lingering.append(current)
        machine.timers.set(f"linger {current.socket}", machine.now + machine.rules.linger_for, lambda: None)
    requests.send_pending(machine)


def close_lingering(machine: Machine) -> None:
    for link in list(machine.lingering):
        if f"linger {link.socket}" in machine.timers or link.in_flight:
            continue
        machine.perform(CloseSocket(link.socket))
        _remove(machine, link)


def announce_open_if_established(machine: Machine) -> None:
    if machine.state == "open" or machine.current is None or not machine.current.is_established:
        return
    machine.retries = 0
    machine.announce(StateChanged("open"))


def renew(machine: Machine) -> None:
    """Starts the next link, unless an attempt is in progress."""
    if not machine.is_closing and machine.next is None:
        _start_attempt(machine)


def _authenticate_at(machine: Machine, link: Link, time: int) -> None:
    link.authenticate_at = time
    if link is not machine.current or not link.is_open:
        return

    def ask() -> None:
        # A callback that does not answer in time is asked again.
        _authenticate_at(machine, link, machine.now + machine.rules.connect_timeout)
        machine.perform(AskToken(link.socket))

    machine.timers.set(f"authenticate {link.socket}", time, ask)


def authenticate_later(machine: Machine, link: Link) -> None:
    _authenticate_at(machine, link, machine.now + link.authentication.next(machine.rules, machine.random()))


def network_up(machine: Machine) -> None:
    machine.network_is_down = False
    foreground(machine)


def network_down(machine: Machine) -> None:
    if machine.network_is_down or machine.has_stopped:
        return
    machine.network_is_down = True
    machine.timers.cancel("retry")
    requests.end_requests(machine, _close_all_sockets(machine))
    _reconnect_later(machine)


def foreground(machine: Machine) -> None:
    """Ends the delay before the next attempt, or pings an open connection, or polls."""
    if machine.has_stopped:
        return
    current = machine.current
    if current is None:
        _retry(machine)
    elif current.is_open and current.is_polling:
        polling.poll(machine, current)
    elif current.is_open:
        keep_alive.ping(machine, current)


def close(machine: Machine, within: int) -> None:
    """Closes within a time. A second call may only bring the end forward."""
    closes_at = machine.now + within
    if machine.has_stopped or closes_at >= machine.closes_at:
        return
    machine.closes_at = closes_at
    machine.timers.set("close", closes_at, lambda: stop(machine, StopReason("closed")))


def stop_if_closed(machine: Machine) -> None:
    if machine.is_closing and not machine.has_unanswered_messages:
        stop(machine, StopReason("closed"))


def stop(machine: Machine, reason: StopReason) -> None:
    pushes.deliver_all_held(machine)
    for message in requests.take_messages(machine, _close_all_sockets(machine)):
        machine.reject(message.request, OUTCOME_UNKNOWN)
    while machine.outbox:
        machine.reject(machine.outbox.take_first().request, STOPPED)
    for entity in machine.subscriptions.in_order:
        for request in machine.subscriptions.remove(entity):
            machine.reject(request, STOPPED)
    machine.timers.clear()
    machine.announce(StateChanged("stopped", reason=reason))


def _close_all_sockets(machine: Machine) -> list[Link]:
    """Closes every socket. Returns their links."""
    links = machine.links
    for link in links:
        machine.perform(CloseSocket(link.socket))
        _stop_timers(machine, link)
    machine.current = machine.next = None
    machine.lingering = []
    gaps.postpone_requests(machine)
    presence.link_ended(machine)
    return links
