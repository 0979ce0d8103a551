"""Random frames of a server that sends anything: the machine raises nothing, and goes on."""

from __future__ import annotations

import random
from typing import Any

import pytest

from herald_client import Position
from herald_client._json import encode
from herald_client._machine import Machine
from herald_client._machine.rules import Rules
from herald_client._machine.signals import (
    Audience,
    Connect,
    Deliver,
    Effect,
    Follow,
    Hinted,
    Input,
    Opened,
    OpenSocket,
    Received,
    Send,
    Subscribe,
    Subscriber,
    Time,
    Unsubscribe,
)
from herald_client.push import ack_of, history_of, push_of

FRAMES = 3000
TYPES = ("ack", "error", "message", "pong", "Entity Updated", "User Push Notification", "Broadcast", "other", 1, None)
SCALARS: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    2,
    3,
    5.0,
    1.5,
    -1,
    2**60,
    "",
    "1",
    "2",
    "a",
    "b",
    "e1",
    "k3J9x2Qa",
    [],
    {},
]


class Server:
    """A source of frames with the protocol's fields and any values."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        kind = self.random.random()
        if depth > 2 or kind < 0.6:
            return self.random.choice(SCALARS)
        if kind < 0.75:
            return [self.value(depth + 1) for _ in range(self.random.randrange(3))]
        return self.fields(depth + 1)

    def fields(self, depth: int = 0) -> dict[str, Any]:
        names = (
            "entityId",
            "eventId",
            "eventIds",
            "epoch",
            "offset",
            "top",
            "recovered",
            "more",
            "messages",
            "entities",
        )
        more = ("user", "everyone", "error", "code", "retryable", "message", "positions", "a", "b", "requestId")
        chosen = self.random.sample(names + more, self.random.randrange(7))
        return {name: self.plausible(name) if self.random.random() < 0.6 else self.value(depth) for name in chosen}

    def plausible(self, name: str) -> Any:
        if name in ("offset", "top"):
            return self.random.randrange(8)
        if name in ("recovered", "more"):
            return self.random.random() < 0.5
        if name == "messages":
            return [self.push() for _ in range(self.random.randrange(3))]
        if name == "entities":
            return {entity: self.fields(2) for entity in "ab"}
        return {"entityId": "a", "epoch": "k3J9x2Qa", "eventId": f"e{self.random.randrange(50)}"}.get(name, "throttled")

    def push(self) -> dict[str, Any]:
        place = {name: self.plausible(name) for name in ("epoch", "offset", "eventId", "entityId")}
        return {"type": self.random.choice(TYPES), **place, **self.fields(3)}

    def frame(self, last_request: int) -> dict[str, Any]:
        number = max(0, last_request - self.random.randrange(3))
        return {"type": self.random.choice(TYPES), "id": str(number), **self.fields()}


@pytest.mark.parametrize("seed", range(20))
def test_machine_and_readers_accept_every_frame(seed: int) -> None:
    server = Server(seed)
    machine = Machine(Rules(renew_after=20_000, held_limit=3, held_while_asking=5), server.random.random)
    now, delivered = 0, 0
    performed = machine.handle(now, Connect())
    for request in range(FRAMES):
        now += server.random.randrange(500)
        inputs: list[Input] = [
            Subscribe((Subscriber(2 * request, "a", Position(3, "k3J9x2Qa")), Subscriber(2 * request + 1, "b"))),
            Unsubscribe(server.random.choice("ab")),
            Follow("broadcasts"),
            Send(2 * request, '{"action":"sendMessage","entityId":"a"}', Audience("entity", "a")),
            Hinted("networkUp"),
            Hinted("networkDown"),
            Hinted("foreground"),
            *[Time()] * 6,
        ]
        performed += machine.handle(now, server.random.choice(inputs))
        for link in machine.links:
            performed += machine.handle(now, Received(link.socket, encode(server.frame(machine.requests))))
        delivered += sum(perform(machine, now, effect) for effect in performed)
        performed = []
    assert machine.state != "stopped"
    assert delivered > 50


def perform(machine: Machine, now: int, effect: Effect) -> int:
    """Opens sockets, and reads what is delivered. Returns the number of pushes."""
    if isinstance(effect, OpenSocket):
        machine.handle(now, Opened(effect.socket))
    if isinstance(effect, Deliver):
        push_of(effect.frame)
        ack_of(effect.frame)
        history_of(effect.frame)
        return 1
    return 0
