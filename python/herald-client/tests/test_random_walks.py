"""Random runs of the machine against a server with a log.

Pushes are lost, repeated and late, sockets break, the client changes to polling and back, and the server forgets old
messages. Every run must end with each message delivered once and in order, or told as lost.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

import pytest

from herald_client import Position
from herald_client._json import encode
from herald_client._machine import Machine
from herald_client._machine.rules import Rules
from herald_client._machine.signals import (
    Closed,
    CloseSocket,
    Connect,
    Deliver,
    Effect,
    Failed,
    Input,
    Lose,
    Opened,
    OpenSocket,
    Post,
    PostAnswered,
    Received,
    Resolve,
    SendText,
    Subscribe,
    Subscriber,
    Time,
)

RUNS = 150
EVENTS = 60
# The time up to which messages are published and connections break.
CHANGES_END = 60_000
END = 400_000


# The rules of a client that changes to polling soon, and back.
POLLING = {"poll": True, "obstacle_limit": 2, "obstacle_after": 0, "stable_after": 1000, "web_socket_retry": 5000}


class World:
    def __init__(self, seed: int, keeps: float, messages_per_reply: int, rules: dict[str, Any]) -> None:
        self.random = random.Random(seed)
        self.machine = Machine(Rules(**rules), self.random.random)
        self.now = 0
        # The tasks with their times and numbers.
        self.tasks: list[tuple[int, int, Callable[[], None]]] = []
        self.numbers = count()
        self.log: list[dict[str, Any]] = []
        self.keeps = keeps
        self.messages_per_reply = messages_per_reply
        # The messages that the log still has start after this offset.
        self.forgotten = 0
        self.listeners: dict[int, None] = {}
        self.open: dict[int, None] = {}
        # What the application got: numbers of messages, and the positions after losses.
        self.received: list[int | Position] = []
        self.started_at = 0
        # The messages that the server could not recover, for any request.
        self.losses = 0
        self.has_polled = False

    def after(self, delay: float, run: Callable[[], None]) -> None:
        heappush(self.tasks, (self.now + round(delay), next(self.numbers), run))

    def run(self) -> None:
        self.give(Connect())
        self.give(Subscribe((Subscriber(1, "a"),)))
        for _ in range(EVENTS):
            self.after(self.random.random() * CHANGES_END, self.publish)
        for _ in range(4):
            self.after(self.random.random() * CHANGES_END, self.break_socket)
        while True:
            wake_at = math.inf if self.machine.wake_at is None else self.machine.wake_at
            task = self.tasks[0] if self.tasks else None
            at = min(wake_at, math.inf if task is None else task[0])
            if at > END:
                return
            self.now = max(self.now, int(at))
            if task is None or wake_at <= task[0]:
                self.give(Time())
            else:
                heappop(self.tasks)
                task[2]()

    def give(self, given: Input) -> None:
        for effect in self.machine.handle(self.now, given):
            self.perform(effect)

    def perform(self, effect: Effect) -> None:
        match effect:
            case Deliver(_, frame):
                self.received.append(frame["message"])
            case Lose(_, position):
                assert position is not None
                self.received.append(position)
            case Resolve(_, _, position):
                self.started_at = 0 if position is None else position.offset
            case CloseSocket(socket):
                self.close(socket)
            case OpenSocket(socket):
                is_blocked = self.machine.rules.poll and self.now < CHANGES_END and self.random.random() < 0.5
                given = Failed(socket) if is_blocked else Opened(socket)
                self.after(self.random.random() * 50, lambda: self.opened(given))
            case Post(socket, request, _, _, text):
                self.has_polled = True
                self.after(self.random.random() * 500, lambda: self.serve_post(socket, request, json.loads(text)))
            case SendText(socket, text):
                self.after(self.random.random() * 500, lambda: self.serve(socket, json.loads(text)))

    def opened(self, given: Opened | Failed) -> None:
        if isinstance(given, Opened):
            self.open[given.socket] = None
        self.give(given)

    def serve_post(self, socket: int, request: int, frame: dict[str, Any]) -> None:
        if self.random.random() < 0.05:
            self.give(PostAnswered(socket, request, None))
            return
        text = encode({**self.reply_to(frame), "pollAfter": 500})
        self.after(self.random.random() * 500, lambda: self.give(PostAnswered(socket, request, 200, text)))

    def break_socket(self) -> None:
        socket = next(iter(self.open), None)
        if socket is not None:
            self.close(socket)
            self.give(Closed(socket))

    def close(self, socket: int) -> None:
        self.open.pop(socket, None)
        self.listeners.pop(socket, None)

    def publish(self) -> None:
        offset = len(self.log) + 1
        place = {"message": offset, "eventId": f"e{offset}", "epoch": "aaaaaaaa", "offset": offset}
        frame = {"type": "Entity Updated", "entityId": "a", **place}
        self.log.append(frame)
        self.forgotten = offset - int(min(self.keeps, offset))
        for socket in self.listeners:
            for _ in range(self.random.choices((0, 1, 2), (20, 72, 8))[0]):
                self.after(self.random.random() * 2000, self.receiving(socket, frame))

    def receiving(self, socket: int, frame: dict[str, Any]) -> Callable[[], None]:
        def receive() -> None:
            if socket in self.open:
                self.give(Received(socket, encode(frame)))

        return receive

    def serve(self, socket: int, frame: dict[str, Any]) -> None:
        if socket not in self.open:
            return
        if frame["action"] == "subscribe":
            self.listeners[socket] = None
        self.after(self.random.random() * 500, self.receiving(socket, self.reply_to(frame)))

    def reply_to(self, frame: dict[str, Any]) -> dict[str, Any]:
        action = frame["action"]
        reply = {"type": "ack", "action": action, "id": frame.get("id")}
        if action == "ping":
            return {"type": "pong"}
        if action == "subscribe":
            start = self.read(frame["recover"]) if "recover" in frame else self.position(len(self.log))
            return {**reply, "entityId": "a", **start}
        if action == "history":
            return {**reply, **self.read(frame["since"])}
        known = frame.get("entities", {}).get("a")
        if known is None or known.get("offset") == len(self.log):
            return reply
        return {**reply, "entities": {"a": self.read(known) if known else self.position(len(self.log))}}

    def position(self, offset: int) -> dict[str, Any]:
        return {**({"epoch": "aaaaaaaa"} if offset > 0 else {}), "offset": offset, "top": len(self.log)}

    def read(self, since: dict[str, Any]) -> dict[str, Any]:
        offset = since["offset"]
        if offset < self.forgotten:
            self.losses += 1
            return {**self.position(len(self.log)), "recovered": False}
        messages = self.log[offset : offset + self.messages_per_reply]
        end = offset + len(messages)
        more = {"more": True} if end < len(self.log) else {}
        return {**self.position(end), "recovered": True, "messages": messages, **more}


def check(world: World) -> int:
    """Checks what the application got. Returns the number of losses."""
    expected = world.started_at + 1
    losses = 0
    for item in world.received:
        if isinstance(item, Position):
            assert item.offset >= expected, "a loss has lost something"
            expected = item.offset + 1
            losses += 1
        else:
            assert item == expected
            expected += 1
    assert expected == EVENTS + 1, "every message is delivered or told as lost"
    assert losses <= world.losses, "no loss is told without a reason"
    return losses


@pytest.mark.parametrize(
    ("keeps", "messages_per_reply", "rules"),
    [
        pytest.param(math.inf, EVENTS, {}, id="every message is kept"),
        pytest.param(math.inf, 2, {}, id="replies have room for two messages"),
        pytest.param(5, 3, {}, id="five messages are kept"),
        pytest.param(math.inf, 5, {"renew_after": 5000, "linger_for": 3000}, id="connections are renewed"),
        pytest.param(math.inf, 5, POLLING, id="the client polls at times"),
        pytest.param(5, 3, POLLING, id="the client polls at times, and five messages are kept"),
    ],
)
def test_every_message_is_delivered_once_and_in_order_or_told_as_lost(
    keeps: float, messages_per_reply: int, rules: dict[str, Any]
) -> None:
    losses = polled = 0
    for seed in range(RUNS):
        world = World(seed, keeps, messages_per_reply, rules)
        world.run()
        try:
            losses += check(world)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, received {world.received}") from error
        polled += world.has_polled
    assert (losses == 0) == (keeps == math.inf)
    assert (polled > RUNS / 2) == ("poll" in rules)
