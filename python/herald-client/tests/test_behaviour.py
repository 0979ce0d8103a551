"""The cases that every client runs, client/tests/behaviour/*.json.

Their README.md describes the format. The effect `recovered` is no part of it.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from herald_client import Member, Presence
from herald_client._json import encode
from herald_client._machine import Machine
from herald_client._machine.failure import Failure
from herald_client._machine.rules import Rules
from herald_client._machine.signals import (
    AskToken,
    Audience,
    Close,
    Closed,
    CloseSocket,
    Connect,
    Deliver,
    Effect,
    End,
    Failed,
    Follow,
    Hinted,
    Input,
    Invalid,
    Lose,
    Opened,
    OpenSocket,
    Post,
    PostAnswered,
    Received,
    Recover,
    Refused,
    Reject,
    Resolve,
    Send,
    SendText,
    StateChanged,
    StopReason,
    Subscribe,
    Subscriber,
    TellPresence,
    Time,
    TokenFailed,
    TokenSupplied,
    TransportChanged,
    Unsubscribe,
)
from herald_client.position import position_of
from herald_client.presence_changes import PresenceChange, change_between

FOLDER = Path(__file__).resolve().parents[3] / "client/tests/behaviour"
FILES = sorted(FOLDER.glob("*.json"))
CASES = [(file.name, case) for file in FILES for case in json.loads(file.read_text(encoding="utf-8"))["cases"]]
SOCKET_INPUTS = {
    "token": TokenSupplied,
    "tokenFailed": TokenFailed,
    "opened": Opened,
    "refused": Refused,
    "failed": Failed,
    "invalid": Invalid,
    "closed": Closed,
}


def test_cases_are_found() -> None:
    assert len(CASES) > 150


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[f"{file}: {case['name']}" for file, case in CASES])
def test_behaviour(case: dict[str, Any]) -> None:
    options = dict(case.get("options", {}))
    jitter = [options.pop("jitter", 0.5)]
    machine = Machine(Rules(**{snake(name): value for name, value in options.items()}), lambda: jitter[0])
    told: dict[str, Presence | None] = {}
    for number, step in enumerate(case["steps"], 1):
        run_step(machine, jitter, told, dict(step), f"step {number}, at {step['at']}")


def run_step(
    machine: Machine, jitter: list[float], told: dict[str, Presence | None], step: dict[str, Any], where: str
) -> None:
    """Runs a step. `told` is the last presence of each entity that the machine told."""
    at, expected = step.pop("at"), step.pop("effects", [])
    jitter[0] = step.pop("jitter", jitter[0])
    ((kind, fields),) = step.items()
    if kind == "time" and expected:
        assert wake_at(machine) <= at, where
    effects = machine.handle(at, input_of(kind, fields))
    assert [in_case_format(effect, told) for effect in effects if not isinstance(effect, Recover)] == expected, where
    assert wake_at(machine) > at, where


def wake_at(machine: Machine) -> float:
    return math.inf if machine.wake_at is None else machine.wake_at


def snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: "_" + letter.group().lower(), name)


def input_of(kind: str, fields: dict[str, Any]) -> Input:
    if kind in SOCKET_INPUTS:
        given: Input = SOCKET_INPUTS[kind](**{snake(name): value for name, value in fields.items()})
        return given
    match kind:
        case "connect":
            return Connect()
        case "answered":
            return PostAnswered(fields["socket"], fields["request"], fields["status"], text_of(fields.get("frame")))
        case "received":
            return Received(fields["socket"], fields["text"] if "text" in fields else encode(fields["frame"]))
        case "subscribe":
            return Subscribe(tuple(subscriber_of(one) for one in fields.get("several", [fields])))
        case "follow":
            return Follow(fields["to"])
        case "unsubscribe":
            return Unsubscribe(fields["entity"], fields.get("presence", False))
        case "send":
            return send_of(fields)
        case "networkUp" | "networkDown" | "foreground":
            return Hinted(kind)
        case "close":
            return Close(fields["within"])
        case "time":
            return Time()
    raise ValueError(kind)


def subscriber_of(fields: dict[str, Any]) -> Subscriber:
    recover = position_of(fields["recover"]) if "recover" in fields else None
    presence = fields.get("presence", False)
    return Subscriber(fields["request"], fields["entity"], recover, fields.get("rewind"), presence)


def send_of(fields: dict[str, Any]) -> Send:
    frame, target = fields["frame"], None
    if frame.get("action") == "sendMessage" and "entityId" in frame:
        target = Audience("entity", frame["entityId"])
    elif frame.get("action") == "sendMessage" and frame.get("broadcast") is True:
        target = Audience("broadcasts")
    needs_web_socket = frame.get("action") != "sendMessage"
    safe_to_repeat, time_to_live = fields.get("safe", False), fields.get("timeToLive")
    return Send(fields["request"], encode(frame), target, safe_to_repeat, time_to_live, needs_web_socket)


def text_of(frame: dict[str, Any] | None) -> str:
    return "" if frame is None else encode(frame)


def in_case_format(effect: Effect, told: dict[str, Presence | None]) -> dict[str, Any]:
    match effect:
        case StateChanged():
            return {"state": state_of(effect)}
        case TransportChanged(transport):
            return {"transport": {"transport": transport}}
        case AskToken(socket):
            return {"askToken": {"socket": socket}}
        case OpenSocket(socket, token):
            return {"openSocket": {"socket": socket, "token": token}}
        case SendText(socket, text):
            return {"send": {"socket": socket, "frame": json.loads(text)}}
        case Post(socket, request, path, token, text):
            fields = {"socket": socket, "request": request, "path": path, "token": token}
            return {"post": {**fields, "frame": json.loads(text)}}
        case CloseSocket(socket):
            return {"closeSocket": {"socket": socket}}
        case Resolve(request, reply, position):
            found: dict[str, Any] = {"request": request}
            found |= {} if reply is None else {"reply": reply}
            return {"resolve": found if position is None else {**found, "position": position.to_dict()}}
        case Reject(request, error):
            return {"reject": {"request": request, "error": failure_of(error)}}
        case Deliver(to, frame):
            return {"deliver": {"to": to, "frame": frame}}
        case Lose(audience, position):
            entity = {} if audience.entity is None else {"entity": audience.entity}
            return {"lost": {"to": audience.to, **entity, "position": position and position.to_dict()}}
        case TellPresence(entity, presence, refusal):
            change = change_between(told.get(entity), presence)
            told[entity] = presence
            return {"presence": {"entity": entity, **presence_of(change), **error_of(refusal)}}
        case End(entity, error):
            return {"ended": {"entity": entity, "error": failure_of(error)}}
    raise ValueError(effect)


def presence_of(change: PresenceChange) -> dict[str, Any]:
    presence = change.presence
    members = None if presence is None or presence.members is None else list(presence.members.values())
    return {
        "count": None if presence is None else presence.count,
        "members": None if members is None else [member_of(member) for member in members],
        "joined": [member_of(member) for member in change.joined],
        "left": [member_of(member) for member in change.left],
    }


def member_of(member: Member) -> dict[str, Any]:
    info = {} if member.info is None else {"info": member.info}
    return {"userId": member.user_id, "connections": member.connections, **info}


def error_of(error: Failure | None) -> dict[str, Any]:
    return {} if error is None else {"error": failure_of(error)}


def state_of(state: StateChanged) -> dict[str, Any]:
    if state.name == "reconnecting":
        return {"name": state.name, "attempt": state.attempt, "delay": state.delay}
    return {"name": state.name} if state.reason is None else {"name": state.name, "reason": reason_of(state.reason)}


def reason_of(reason: StopReason) -> dict[str, Any]:
    fields: dict[str, dict[str, Any]] = {
        "closed": {},
        "refused": {"status": reason.status},
        "invalid": {"reason": reason.reason},
        "disconnected": {"code": reason.code, "reason": reason.reason},
    }
    return {"kind": reason.kind, **fields[reason.kind]}


def failure_of(error: Failure) -> dict[str, Any]:
    if error.kind == "server":
        ids = {"eventIds": list(error.event_ids)} if error.event_ids else {}
        return {"kind": "server", "code": error.code, "message": error.message, "retryable": error.retryable, **ids}
    if error.kind == "gateway":
        return {"kind": "gateway", "code": error.code, "message": error.message}
    return {"kind": error.kind}
