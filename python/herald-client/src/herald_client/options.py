"""The options of a client."""

from __future__ import annotations

from dataclasses import dataclass, fields
from ssl import SSLContext
from typing import Any, Literal
from urllib.parse import urlsplit

from ._machine.rules import CONNECT_TIMEOUT_WITH_POLLING, Rules, WhenFull

# The rules that are no times.
_COUNTS = frozenset(
    (
        "refusal_limit",
        "in_flight_limit",
        "outbox_limit",
        "outbox_full",
        "message_limit",
        "repeat_window",
        "held_limit",
        "held_while_asking",
        "obstacle_limit",
    )
)

# The longest time, in seconds.
_LONGEST = 100 * 365 * 24 * 3600

# The rules that are no options: this client always has the status of a refusal.
_NO_OPTIONS = frozenset(("token", "poll", "refusal_spacing"))


@dataclass(frozen=True)
class Options:
    """The options of a client. Times are in seconds. docs/clients.md explains the rules behind them."""

    # The place of the token in the handshake. Some proxies remove the header `Authorization`.
    token_in: Literal["header", "subprotocol"] = "header"
    # TLS settings, for `wss://` and `https://` only. Python's defaults without them.
    ssl: SSLContext | None = None
    # The HTTP or SOCKS proxy. `True` for that of the environment, `None` for none. Polls go through HTTP proxies only.
    proxy: str | Literal[True] | None = True
    # The stack's `PollUrl`: allows the client to poll while its network admits no WebSocket.
    poll_url: str | None = None
    # The most events that wait for a reader. A reader that is slower gets `LaggedError`.
    buffer: int = 1000
    # The longest time of one attempt to connect, token and handshake together. `None` for 45, with `poll_url` for 15.
    connect_timeout: float | None = None
    # The bounds of the first and of the longest delay between attempts.
    backoff_base: float = 1
    backoff_cap: float = 30
    # The time after which an open connection is stable, so that the delays start small again.
    stable_after: float = 30
    # The number of refused authorisations in a row after which the client stops.
    refusal_limit: int = 3
    # The longest time for which the client trusts the hint that the network is down, less a random share of a half.
    offline_retry: float = 60
    # The time after which a request without a reply makes the client send a ping, if nothing else arrived either.
    unanswered_after: float = 10
    # The silence after which the client sends a ping, and the time within which anything must arrive after it.
    ping_after: float = 240
    pong_timeout: float = 10
    # The longest wait for a reply.
    reply_timeout: float = 30
    # The most requests in flight.
    in_flight_limit: int = 32
    # The most messages in the outbox, and the message that fails when it is full: the newest or the oldest.
    outbox_limit: int = 1000
    outbox_full: WhenFull = "refuseNewest"
    # The longest time of a message in the outbox.
    time_to_live: float = 300
    # The most bytes of a request as JSON.
    message_limit: int = 128 * 1024
    # The number of event ids that are remembered, so that repeats are dropped.
    repeat_window: int = 1000
    # The age at which a connection is renewed, less a random share of a tenth.
    renew_after: float = 6600
    # The time for which the old connection stays after a renewal, for late pushes.
    linger_for: float = 10
    # The time before its end at which a token is renewed.
    renew_token_before: float = 60
    # The shortest wait for a missing message before the client asks for it, and the random addition to it.
    gap_after: float = 1
    gap_spread: float = 4
    # The most messages of a log that wait for a missing one before the client asks at once, and the most in all.
    held_limit: int = 256
    held_while_asking: int = 1000
    # The longest random wait before the client asks for a presence of which it missed a change.
    presence_spread: float = 2
    # The number in a row, of handshakes that fail without a status of the server or of connections that are cut, after
    # which a client with `poll_url` polls.
    obstacle_limit: int = 3
    # The shortest time from the start of the first of these handshakes to the failure of the last.
    obstacle_after: float = 30
    # The age up to which a connection that ends without a close frame counts as cut.
    killed_within: float = 10
    # The time between the WebSockets that a client tries while it polls, less a random share of a tenth.
    web_socket_retry: float = 300

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if is_number and not 0 <= value < float("inf"):
                raise ValueError(f"{field.name} must be a finite number from 0, got {value!r}")
        if self.buffer < 1:
            raise ValueError(f"buffer must be at least 1, got {self.buffer}")
        if self.poll_url is not None:
            address = urlsplit(self.poll_url)
            if address.scheme not in ("https", "http") or not address.hostname:
                raise ValueError(f"poll_url must start with https:// or http:// and have a host, got {self.poll_url!r}")


def rules_of(options: Options, has_token: bool) -> Rules:
    """Returns the rules of the machine, whose times are in milliseconds."""
    polls = options.poll_url is not None
    rules: dict[str, Any] = {"token": has_token, "poll": polls}
    if polls:
        rules["connect_timeout"] = CONNECT_TIMEOUT_WITH_POLLING
    for name in {field.name for field in fields(Rules)} - _NO_OPTIONS:
        value = getattr(options, name)
        if value is None:
            continue
        rules[name] = value if name in _COUNTS else milliseconds(value)
    return Rules(**rules)


def milliseconds(seconds: float) -> int:
    """Returns a time in milliseconds. An infinite one is a hundred years."""
    return round(min(seconds, _LONGEST) * 1000)
