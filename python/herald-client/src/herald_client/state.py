"""The state of the connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._machine.signals import StopReason, Transport


@dataclass(frozen=True)
class State:
    """The state of the connection.

    - `connecting`: it is being made for the first time.
    - `open`: it is open, and every subscription is established. `transport` is `websocket`, or `poll` while the client
      polls. A change of it is a change of the state.
    - `reconnecting`: it is lost, or could not be made. `attempt` is the next one, `delay` its delay in seconds (`None`:
      once the network is back, or after `offline_retry`), `cause` the last failure, if it is known.
    - `stopped`: it has ended, and the client with it, for the `reason`.
    """

    name: Literal["connecting", "open", "reconnecting", "stopped"]
    attempt: int = 0
    delay: float | None = None
    cause: BaseException | None = None
    reason: StopReason | None = None
    transport: Transport | None = None
