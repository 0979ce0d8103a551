"""The numbers of docs/clients.md, by the names they have there. Times are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WhenFull = Literal["refuseNewest", "dropOldest"]


@dataclass(frozen=True)
class Rules:
    token: bool = False
    # True if the client may poll.
    poll: bool = False
    connect_timeout: int = 45_000
    backoff_base: int = 1000
    backoff_cap: int = 30_000
    stable_after: int = 30_000
    refusal_limit: int = 3
    refusal_spacing: int = 0
    offline_retry: int = 60_000
    unanswered_after: int = 10_000
    ping_after: int = 4 * 60_000
    pong_timeout: int = 10_000
    reply_timeout: int = 30_000
    in_flight_limit: int = 32
    outbox_limit: int = 1000
    outbox_full: WhenFull = "refuseNewest"
    time_to_live: int = 5 * 60_000
    message_limit: int = 128 * 1024
    repeat_window: int = 1000
    renew_after: int = 110 * 60_000
    linger_for: int = 10_000
    renew_token_before: int = 60_000
    gap_after: int = 1000
    gap_spread: int = 4000
    held_limit: int = 256
    held_while_asking: int = 1000
    presence_spread: int = 2000
    obstacle_limit: int = 3
    obstacle_after: int = 30_000
    killed_within: int = 10_000
    web_socket_retry: int = 5 * 60_000


# The time-out of an attempt of a client that may poll: three handshakes that hang are over within a minute.
CONNECT_TIMEOUT_WITH_POLLING = 15_000
