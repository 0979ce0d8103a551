"""The events of readers, and the replies of requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .position import Position, position_of, position_of_message, whole_number


@dataclass(frozen=True)
class Push:
    """A message from the server."""

    # `Entity Updated`, `User Push Notification`, `Broadcast`, or `message`, which a client sent.
    type: str
    # The JSON of its sender.
    message: Any
    # The entity that it is about.
    entity_id: str | None
    # The sender's name, as a client gave it.
    name: str | None
    # The callback of a notification, as its sender gave it.
    callback: Any
    event_id: str | None
    # RFC 3339.
    time: str | None
    # Its position in the log of its audience, if that has one.
    position: Position | None
    # The frame as it arrived.
    frame: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Lost:
    """Messages may be lost. It comes before the next message of its audience."""

    to: Literal["entity", "notifications", "broadcasts"]
    # The entity, if that is the audience.
    entity_id: str | None
    # The position from which the client goes on. `None` if the audience has no log any more.
    position: Position | None


@dataclass(frozen=True)
class Recovered:
    """After a reconnect, or from the position `recover`, every message was delivered."""

    messages: int


@dataclass(frozen=True)
class History:
    """Messages of a log, in order."""

    messages: list[Push]
    # The position after the last message.
    position: Position
    # The last offset of the log.
    top: int
    # With `since`: `False` if messages after that position are lost, and then there are none here.
    recovered: bool | None
    # True if further messages are to be read since `position`.
    more: bool


@dataclass(frozen=True)
class Ack:
    """The acknowledgement of a message, or of several."""

    event_ids: list[str]
    # The position of each in the log of its audience. Empty if that has none.
    positions: list[Position]

    @property
    def event_id(self) -> str:
        """The event id of the only message, or of the first."""
        return self.event_ids[0]

    @property
    def position(self) -> Position | None:
        """The position of the only message, or of the first."""
        return self.positions[0] if self.positions else None


def push_of(frame: Mapping[str, Any]) -> Push:
    return Push(
        type=_text(frame, "type") or "",
        message=frame.get("message"),
        entity_id=_text(frame, "entityId"),
        name=_text(frame, "name"),
        callback=frame.get("callback"),
        event_id=_text(frame, "eventId"),
        time=_text(frame, "time"),
        position=position_of_message(frame),
        frame=frame,
    )


def history_of(reply: Mapping[str, Any]) -> History:
    recovered = reply.get("recovered")
    return History(
        messages=[push_of(frame) for frame in _dicts(reply.get("messages"))],
        position=position_of(reply) or Position(0),
        top=whole_number(reply.get("top")) or 0,
        recovered=recovered if isinstance(recovered, bool) else None,
        more=reply.get("more") is True,
    )


def ack_of(reply: Mapping[str, Any]) -> Ack:
    listed = reply.get("eventIds")
    ids = [reply.get("eventId"), *(listed if isinstance(listed, list) else [])]
    positions = [position_of_message(one) for one in (reply, *_dicts(reply.get("positions")))]
    return Ack(
        event_ids=[event_id for event_id in ids if isinstance(event_id, str)],
        positions=[position for position in positions if position is not None],
    )


def _text(frame: Mapping[str, Any], name: str) -> str | None:
    value = frame.get(name)
    return value if isinstance(value, str) else None


def _dicts(field: object) -> list[Mapping[str, Any]]:
    return [item for item in field if isinstance(item, dict)] if isinstance(field, list) else []
