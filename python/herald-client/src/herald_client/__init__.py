"""A client of Herald for asyncio, and publishers for backends.

    async with connect("wss://…/stage", token=fetch_token) as client:
        async for push in client.subscribe("order-1"):
            print(push.message)

docs/clients.md of Herald's repository describes the behaviour, rule by rule.
"""

from ._machine.signals import StopReason, Transport
from ._state_loader import StateCallback
from .client import Client, Log, Outgoing, connect
from .errors import (
    ExpiredError,
    GatewayError,
    HeraldError,
    LaggedError,
    OutboxFullError,
    OutcomeUnknownError,
    ServerError,
    StoppedError,
    TooLargeError,
)
from .options import Options
from .position import Position
from .presence import Member, Presence
from .presence_changes import PresenceChange, PresenceChanges
from .push import Ack, History, Lost, Push, Recovered
from .reader import PushReader, Reader
from .state import State
from .subscription import Subscription
from .token import Token, TokenAnswer, TokenCallback

__all__ = [
    "Ack",
    "Client",
    "ExpiredError",
    "GatewayError",
    "HeraldError",
    "History",
    "LaggedError",
    "Log",
    "Lost",
    "Member",
    "Options",
    "OutboxFullError",
    "OutcomeUnknownError",
    "Outgoing",
    "Position",
    "Presence",
    "PresenceChange",
    "PresenceChanges",
    "Push",
    "PushReader",
    "Reader",
    "Recovered",
    "ServerError",
    "State",
    "StateCallback",
    "StopReason",
    "StoppedError",
    "Subscription",
    "Token",
    "TokenAnswer",
    "TokenCallback",
    "TooLargeError",
    "Transport",
    "connect",
]
