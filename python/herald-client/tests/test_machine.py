"""Rules of the machine beyond the shared cases: where answers, connections and the application's own messages meet."""

from __future__ import annotations

import json
from typing import Any

from herald_client import Position
from herald_client._json import encode
from herald_client._machine import Machine
from herald_client._machine.rules import Rules
from herald_client._machine.signals import (
    AskToken,
    Audience,
    Close,
    Closed,
    Connect,
    Deliver,
    Follow,
    Hinted,
    Input,
    Lose,
    Opened,
    OpenSocket,
    Received,
    Send,
    SendText,
    StateChanged,
    Subscribe,
    Subscriber,
    Time,
    TokenSupplied,
    Unsubscribe,
)

EPOCH = "k3J9x2Qa"


def at(offset: int) -> dict[str, Any]:
    return {"epoch": EPOCH, "offset": offset}


def push(offset: int, kind: str = "Entity Updated") -> dict[str, Any]:
    return {"type": kind, "entityId": "a", "message": offset, "eventId": f"e{offset}", **at(offset)}


class Run:
    """A machine with a clock, which collects the frames it sends and what it tells the application."""

    def __init__(self, **rules: Any) -> None:
        self.now = 0
        self.sent: list[dict[str, Any]] = []
        self.told: list[Any] = []
        self.states: list[str] = []
        self.machine = Machine(Rules(**rules), lambda: 0)
        self.give(Connect())
        self.give(Opened(1))

    def give(self, given: Input, now: int | None = None) -> None:
        self.now = self.now if now is None else now
        for effect in self.machine.handle(self.now, given):
            match effect:
                case SendText(socket, text):
                    self.sent.append({"socket": socket, **json.loads(text)})
                case Deliver(_, frame):
                    self.told.append(frame["message"])
                case Lose(_, position):
                    self.told.append(position)
                case StateChanged(name):
                    self.states.append(name)

    def receive(self, frame: dict[str, Any], socket: int = 1) -> None:
        self.give(Received(socket, encode(frame)))

    def answer(self, action: str, fields: dict[str, Any]) -> None:
        """Answers the last request of an action."""
        request = next(frame for frame in reversed(self.sent) if frame["action"] == action)
        self.receive({"type": "ack", "action": action, "id": request["id"], **fields}, request["socket"])

    def subscribe(self, offset: int = 4) -> None:
        self.give(Subscribe((Subscriber(1, "a"),)))
        self.answer("subscribe", {"entityId": "a", **at(offset), "top": offset})

    def send(self, request: int) -> None:
        frame = {"action": "sendMessage", "entityId": "a", "message": "own"}
        self.give(Send(request, encode(frame), Audience("entity", "a")))


def test_own_message_in_an_answer_before_its_acknowledgement_is_not_delivered() -> None:
    run = Run()
    run.subscribe()
    run.receive(push(7))
    run.give(Time(), 1000)
    run.send(2)
    messages = [push(5), push(6, "message"), push(7)]
    run.answer("sync", {"entities": {"a": {**at(7), "top": 7, "recovered": True, "messages": messages}}})
    assert run.told == []
    run.answer("sendMessage", {"eventId": "e6", **at(6)})
    assert run.told == [5, 7]


def test_answer_that_waits_for_an_acknowledgement_is_dropped_if_its_session_ends() -> None:
    run = Run()
    run.subscribe()
    run.receive(push(6))
    run.give(Time(), 1000)
    run.send(2)
    messages = [push(5, "message"), push(6)]
    run.answer("sync", {"entities": {"a": {**at(6), "top": 6, "recovered": True, "messages": messages}}})
    run.give(Unsubscribe("a"))
    run.answer("sendMessage", {"eventId": "own", **at(7)})
    assert run.told == []


def test_loss_before_a_position_that_moved_is_compared_again_and_not_told() -> None:
    run = Run(renew_after=10_000)
    run.subscribe()
    run.give(Time(), 10_000)
    run.give(Opened(2))
    run.receive(push(5))
    run.answer("subscribe", {"entityId": "a", **at(6), "top": 6, "recovered": False})
    assert run.told == [5]
    run.give(Time(), 11_000)
    assert run.sent[-1]["entities"] == {"a": at(5)}


def test_log_to_be_read_on_a_connection_that_breaks_is_asked_for_on_its_successor() -> None:
    run = Run(renew_after=10_000, in_flight_limit=1)
    run.subscribe()
    run.receive(push(6))
    run.give(Time(), 1000)
    run.give(Time(), 10_000)
    run.give(Opened(2))
    run.answer("subscribe", {"entityId": "a", **at(4), "top": 6, "recovered": True})
    run.give(Closed(1))
    run.give(Time(), 12_000)
    last = run.sent[-1]
    assert (last["socket"], last["action"], last["entities"]) == (2, "sync", {"a": at(4)})


def test_first_answer_without_room_for_a_message_is_read_on_with_history() -> None:
    run = Run()
    run.subscribe()
    run.give(Closed(1))
    run.give(Time())
    run.give(Opened(2))
    run.answer("subscribe", {"entityId": "a", **at(4), "top": 5, "recovered": True, "more": True})
    assert run.sent[-1]["since"] == at(4)
    run.answer("history", {"entityId": "a", **at(5), "top": 5, "recovered": True, "messages": [push(5)]})
    assert run.told == [5]


def test_hundred_entities_are_named_in_one_sync_and_the_others_in_the_next() -> None:
    run = Run()
    ids = [f"entity-{number:03}" for number in range(150)]
    run.give(Subscribe(tuple(Subscriber(number, entity) for number, entity in enumerate(ids))))
    for frame in list(run.sent):
        results = {entity: {**at(1), "top": 1} for entity in frame["entities"]}
        run.receive({"type": "ack", "action": "subscribe", "id": frame["id"], "entities": results})
    run.give(Hinted("foreground"))
    assert [list(frame["entities"]) for frame in run.sent if frame["action"] == "sync"] == [ids[:100], ids[100:]]


def test_messages_held_before_the_first_answer_are_bounded() -> None:
    run = Run(held_while_asking=10)
    run.give(Subscribe((Subscriber(1, "a"),)))
    for offset in range(2, 31):
        run.receive(push(offset))
    assert len(run.told) == 29
    run.answer("subscribe", {"entityId": "a", **at(30), "top": 30})
    run.receive(push(31))
    assert run.told[-1] == 31


def test_shared_reply_without_room_for_a_message_is_read_on_alone_if_history_is_refused() -> None:
    run = Run()
    run.give(Subscribe((Subscriber(1, "a"), Subscriber(2, "b"))))
    current, full = {**at(4), "top": 4}, {**at(4), "top": 6, "recovered": True, "more": True}
    run.answer("subscribe", {"entities": {"a": current, "b": current}})
    for link in (2, 3):
        run.give(Closed(link - 1))
        run.give(Time())
        run.give(Opened(link))
        run.answer("subscribe", {"entities": {"a": full, "b": {**current, "recovered": True}}})
        if link == 2:
            assert run.sent[-1]["since"] == at(4)
            refusal = {"code": "forbidden", "message": "no", "retryable": False}
            run.receive({"type": "error", "id": run.sent[-1]["id"], **refusal}, link)
        assert (run.sent[-1]["action"], run.sent[-1]["entities"]) == ("sync", {"a": at(4)})
        assert run.told == []
    run.answer("sync", {"entities": {"a": full}})
    assert run.told == [Position(6, EPOCH)]


def test_full_history_without_a_message_is_a_loss() -> None:
    run = Run()
    run.subscribe()
    run.give(Closed(1))
    run.give(Time())
    run.give(Opened(2))
    run.answer("subscribe", {"entityId": "a", **at(4), "top": 6, "recovered": True, "more": True})
    run.answer("history", {"entityId": "a", **at(4), "top": 6, "recovered": True, "more": True})
    assert run.told == [Position(6, EPOCH)]


def test_full_reply_with_messages_that_arrived_meanwhile_is_not_read_on() -> None:
    run = Run(renew_after=10_000)
    run.subscribe()
    run.give(Time(), 10_000)
    run.give(Opened(2))
    for offset in (5, 6):
        run.receive(push(offset))
    run.answer(
        "subscribe", {"entityId": "a", **at(5), "top": 6, "recovered": True, "messages": [push(5)], "more": True}
    )
    assert [frame["action"] for frame in run.sent] == ["subscribe", "subscribe"]


def test_push_up_to_the_position_after_a_loss_in_a_new_epoch_is_dropped() -> None:
    run = Run()
    run.give(Subscribe((Subscriber(1, "a"),)))
    run.answer("subscribe", {"entityId": "a"})
    run.receive(push(41))
    run.give(Hinted("foreground"))
    new = {"epoch": "p0Zs81Lm", "offset": 7}
    run.answer("sync", {"entities": {"a": {**new, "top": 7, "recovered": False}}})
    run.receive({**push(6), "epoch": "p0Zs81Lm"})
    assert run.told == [41, Position(7, "p0Zs81Lm")]


def test_first_position_is_asked_for_on_the_successor_of_a_broken_connection() -> None:
    run = Run(renew_after=10_000)
    run.subscribe()
    run.give(Time(), 10_000)
    run.give(Opened(2))
    run.give(Follow("broadcasts"))
    run.give(Closed(1))
    assert [frame["socket"] for frame in run.sent if "everyone" in frame] == [1, 2]


def test_push_before_the_acknowledgement_of_a_saved_position_is_held() -> None:
    run = Run()
    run.give(Subscribe((Subscriber(1, "a", recover=Position(4, EPOCH)),)))
    run.receive(push(5))
    assert run.told == []
    run.answer("subscribe", {"entityId": "a", **at(5), "top": 5, "recovered": True, "messages": [push(5)]})
    assert run.told == [5]


def test_log_that_waits_to_be_read_on_is_not_compared() -> None:
    run = Run(in_flight_limit=1)
    run.subscribe()
    run.give(Closed(1))
    run.give(Time())
    run.give(Opened(2))
    run.give(Subscribe((Subscriber(2, "b"),)))
    run.answer(
        "subscribe", {"entityId": "a", **at(5), "top": 6, "recovered": True, "messages": [push(5)], "more": True}
    )
    assert run.sent[-1]["entityId"] == "b"
    run.receive(push(7), 2)
    run.give(Time(), 5000)
    assert [frame["action"] for frame in run.sent] == ["subscribe", "subscribe", "subscribe"]
    run.answer("subscribe", {"entityId": "b"})
    assert run.sent[-1]["since"] == at(5)


def test_loss_up_to_the_position_is_not_told() -> None:
    run = Run()
    run.subscribe()
    run.give(Closed(1))
    run.give(Time())
    run.give(Opened(2))
    run.answer("subscribe", {"entityId": "a", **at(4), "top": 4, "recovered": False})
    assert run.told == []


def test_push_that_the_first_one_of_a_log_overtook_is_delivered() -> None:
    run = Run()
    for offset in (7, 6, 8):
        run.receive({"type": "Broadcast", "message": offset, **at(offset)})
    assert run.told == [7, 6, 8]


def test_ping_is_a_ping_while_a_sync_is_unanswered() -> None:
    run = Run()
    run.subscribe()
    run.give(Hinted("foreground"))
    run.receive({"type": "pong"})
    run.give(Hinted("foreground"))
    assert [frame["action"] for frame in run.sent[1:]] == ["sync", "ping"]


def test_server_that_does_not_know_sync_any_more_ends_the_log() -> None:
    run = Run()
    run.subscribe()
    run.give(Hinted("foreground"))
    error = {"code": "unknown_action", "message": "no", "retryable": False}
    run.receive({"type": "error", "id": run.sent[-1]["id"], **error})
    assert run.told == [None]
    run.give(Hinted("foreground"))
    assert run.sent[-1]["action"] == "ping"


def test_sync_names_the_entities_in_the_order_of_their_utf8() -> None:
    run = Run()
    ids = ["b", "\U0001f600", "\uffee", "a"]
    run.give(Subscribe(tuple(Subscriber(number, entity) for number, entity in enumerate(ids))))
    run.answer("subscribe", {"entities": {entity: {**at(1), "top": 1} for entity in ids}})
    run.give(Hinted("foreground"))
    assert list(run.sent[-1]["entities"]) == ["a", "b", "\uffee", "\U0001f600"]


def test_sync_does_not_wait_for_a_place_in_flight() -> None:
    run = Run(in_flight_limit=1)
    run.subscribe()
    run.send(2)
    run.receive(push(6))
    run.give(Time(), 1000)
    assert run.sent[-1]["action"] == "sync"


def test_later_close_can_only_bring_the_end_forward() -> None:
    run = Run()
    run.send(1)
    run.give(Close(5000))
    run.give(Close(9000))
    assert run.machine.wake_at == 5000
    run.give(Close(0), 1000)
    assert run.states[-1] == "stopped"


def test_thousands_of_timers_that_were_set_anew_keep_the_heap_small() -> None:
    run = Run()
    for number in range(10_000):
        run.receive({"type": "Broadcast", "message": number})
    assert len(run.machine.timers._heap) < 200
    assert len(run.told) == 10_000


def test_deep_and_strange_json_is_ignored() -> None:
    run = Run()
    for text in ("[" * 100_000, '{"type":NaN}', '{"type":"ack","id":"' + "9" * 5000 + '"}', "", "\x00", '{"a":1e999}'):
        run.give(Received(1, text))
    assert run.told == []


def test_tokens_that_come_too_late_are_no_obstacle() -> None:
    rules = Rules(token=True, poll=True, obstacle_after=0, backoff_base=0, connect_timeout=1000)
    machine = Machine(rules, lambda: 0)
    machine.handle(0, Connect())
    for attempt in range(1, 4):
        assert AskToken(attempt + 1) in machine.handle(1000 * attempt, Time())
    assert machine.handle(3500, TokenSupplied(4, "t")) == [OpenSocket(4, "t")]
