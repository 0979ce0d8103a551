"""Random runs of the machine against a server with presence.

Changes are lost, repeated and late, requests fail, and sockets break. Every run must end with the set that the server
has.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

import pytest

from herald_client import Presence
from herald_client._json import encode
from herald_client._machine import Machine
from herald_client._machine.rules import Rules
from herald_client._machine.signals import (
    Closed,
    CloseSocket,
    Connect,
    Effect,
    Input,
    Opened,
    OpenSocket,
    Received,
    SendText,
    Subscribe,
    Subscriber,
    TellPresence,
    Time,
)

RUNS = 150
CHANGES = 60
CHANGES_END = 60_000
END = 200_000
USERS = "abcdefgh"
# The server lists no more users.
LIMIT = 6


class World:
    def __init__(self, seed: int, rules: dict[str, Any]) -> None:
        self.random = random.Random(seed)
        self.machine = Machine(Rules(**rules), self.random.random)
        self.now = 0
        # The tasks with their times and numbers.
        self.tasks: list[tuple[int, int, Callable[[], None]]] = []
        self.numbers = count()
        self.users: set[str] = set()
        self.version = 0
        self.open: dict[int, None] = {}
        self.listeners: dict[int, None] = {}
        # The set that the application was told last.
        self.told: Presence | None = None
        self.requests = 0

    def after(self, delay: float, run: Callable[[], None]) -> None:
        heappush(self.tasks, (self.now + round(delay), next(self.numbers), run))

    def run(self) -> None:
        self.give(Connect())
        self.give(Subscribe((Subscriber(1, "a", presence=True),)))
        for _ in range(CHANGES):
            self.after(self.random.random() * CHANGES_END, lambda: self.change(losses=0.25))
        for _ in range(4):
            self.after(self.random.random() * CHANGES_END, self.break_socket)
        # Nothing but another change tells that one was lost.
        self.after(CHANGES_END, lambda: self.change(losses=0))
        while (at := min(self.wake_at, self.tasks[0][0] if self.tasks else END)) < END:
            self.now = max(self.now, at)
            if self.tasks and self.tasks[0][0] < self.wake_at:
                heappop(self.tasks)[2]()
            else:
                self.give(Time())

    @property
    def wake_at(self) -> int:
        return END if self.machine.wake_at is None else self.machine.wake_at

    def give(self, given: Input) -> None:
        for effect in self.machine.handle(self.now, given):
            self.perform(effect)

    def perform(self, effect: Effect) -> None:
        match effect:
            case TellPresence(_, presence):
                self.told = presence
            case CloseSocket(socket):
                self.close(socket)
            case OpenSocket(socket):
                self.after(self.random.random() * 50, lambda: self.opened(socket))
            case SendText(socket, text):
                self.after(self.random.random() * 500, lambda: self.serve(socket, json.loads(text)))

    def opened(self, socket: int) -> None:
        self.open[socket] = None
        self.give(Opened(socket))

    def break_socket(self) -> None:
        socket = next(iter(self.open), None)
        if socket is not None:
            self.close(socket)
            self.give(Closed(socket))

    def close(self, socket: int) -> None:
        self.open.pop(socket, None)
        self.listeners.pop(socket, None)

    def change(self, losses: float) -> None:
        user = self.random.choice(USERS)
        self.users ^= {user}
        self.version += 1
        frame: dict[str, Any] = {"type": "presence", "entityId": "a", "version": self.version, "count": len(self.users)}
        if len(self.users) <= LIMIT:
            here = user in self.users
            frame |= {"joined": members({user} if here else set()), "left": [] if here else [{"userId": user}]}
        for socket in self.listeners:
            for _ in range(self.random.choice((1, 1, 1, 2)) if self.random.random() >= losses else 0):
                self.after(self.random.random() * 3000, self.receiving(socket, frame))

    def receiving(self, socket: int, frame: dict[str, Any]) -> Callable[[], None]:
        def receive() -> None:
            if socket in self.open:
                self.give(Received(socket, encode(frame)))

        return receive

    def serve(self, socket: int, frame: dict[str, Any]) -> None:
        if socket not in self.open:
            return
        action = frame["action"]
        reply: dict[str, Any] = {"type": "ack", "action": action, "id": frame.get("id")}
        if action == "ping":
            reply = {"type": "pong"}
        elif action == "presence" and self.random.random() < 0.2:
            reply = {"type": "error", "id": frame["id"], "code": "internal", "message": "no", "retryable": True}
        else:
            self.requests += action == "presence"
            self.listeners[socket] = None
            may_lack_room = action == "subscribe" and self.now < CHANGES_END
            reply["presence"] = self.snapshot(lacks_room=may_lack_room and self.random.random() < 0.2)
        self.after(self.random.random() * 500, self.receiving(socket, reply))

    def snapshot(self, *, lacks_room: bool) -> dict[str, Any]:
        listed = {} if lacks_room or len(self.users) > LIMIT else {"members": members(self.users)}
        return {"version": self.version, "count": len(self.users), **listed}


def members(users: set[str]) -> list[dict[str, Any]]:
    return [{"userId": user, "connections": 1} for user in users]


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({}, id="one connection at a time"),
        pytest.param({"renew_after": 5000, "linger_for": 3000}, id="connections are renewed"),
        pytest.param({"held_limit": 1}, id="one change is held"),
    ],
)
def test_set_of_the_client_is_that_of_the_server_in_the_end(rules: dict[str, Any]) -> None:
    requests = 0
    for seed in range(RUNS):
        world = World(seed, rules)
        world.run()
        assert world.told is not None, f"seed {seed}"
        listed = None if world.told.members is None else set(world.told.members)
        expected = world.users if len(world.users) <= LIMIT else None
        assert (world.told.count, listed) == (len(world.users), expected), f"seed {seed}"
        requests += world.requests
    assert requests > RUNS
