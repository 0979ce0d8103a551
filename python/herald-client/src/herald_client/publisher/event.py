"""One event, which Herald pushes to an audience."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .._json import encode
from ..errors import TooLargeError

# The limits of Herald, in bytes: of a frame, of an id, and of an idempotency key.
_FRAME_LIMIT = 128 * 1024
_ID_LIMIT = 256
_KEY_LIMIT = 1024

# The bytes of a frame's `time`, `epoch` and `offset`, with their names.
_FRAME_RESERVE = len(',"time":"1970-01-01T00:00:00Z","epoch":"k3J9x2Qa","offset":9007199254740991')


@dataclass(frozen=True)
class Event:
    """A message to the subscribers of an entity, to a user, or to everyone: exactly one of the three is given.

    - `message` and `callback` are any JSON values. `callback` is passed on with a message to a user.
    - `idempotency_key` becomes the event id that clients drop repeats by. Without it the event gets a key of its own,
      so that clients get the event of a retry once.
    - `version` is for logs that keep the last message: they drop an event whose version is not higher.

    Raises `ValueError` if a field is invalid, `TypeError` or `ValueError` if the message has no JSON form, and
    `TooLargeError` if no client could receive it.
    """

    message: Any
    entity_id: str | None = None
    user_id: str | None = None
    broadcast: bool = False
    callback: Any = None
    version: int | None = None
    idempotency_key: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        if sum((self.entity_id is not None, self.user_id is not None, self.broadcast)) != 1:
            raise ValueError("an event needs exactly one of entity_id, user_id and broadcast=True")
        for name, text, limit in (
            ("entity_id", self.entity_id, _ID_LIMIT),
            ("user_id", self.user_id, _ID_LIMIT),
            ("idempotency_key", self.idempotency_key, _KEY_LIMIT),
        ):
            if text is not None and not 0 < len(text.encode()) <= limit:
                raise ValueError(f"{name} must have 1 to {limit} bytes, got {len(text.encode())}")
        if self.version is not None and self.version < 0:
            raise ValueError(f"version must be a whole number from 0, got {self.version}")
        if self.callback is not None and self.user_id is None:
            raise ValueError("callback is for an event to a user: pass user_id, or no callback")
        if len(self.frame.encode()) + _FRAME_RESERVE > _FRAME_LIMIT:
            raise TooLargeError

    @property
    def detail_type(self) -> str:
        """The detail-type on the event bus."""
        if self.entity_id is not None:
            return "Entity Updated"
        return "Broadcast" if self.user_id is None else "Send User Push Notification"

    @cached_property
    def detail(self) -> str:
        """The JSON of the detail on the event bus."""
        return encode({name: value for name, value in self._fields().items() if name != "broadcast"})

    @cached_property
    def publish_message(self) -> str:
        """The JSON of the message in a request to the stack's `publish` URL."""
        return encode(self._fields())

    @property
    def frame(self) -> str:
        """The JSON that clients receive, without its time and position."""
        kind = "User Push Notification" if self.user_id is not None else self.detail_type
        fields = {name: value for name, value in self._fields().items() if name in ("entityId", "message", "callback")}
        return encode({"type": kind, **fields, "eventId": self.idempotency_key})

    def _fields(self) -> dict[str, Any]:
        fields = {
            "entityId": self.entity_id,
            "userId": self.user_id,
            "broadcast": self.broadcast or None,
            "callback": self.callback,
            "version": self.version,
            "idempotencyKey": self.idempotency_key,
        }
        return {"message": self.message, **{name: value for name, value in fields.items() if value is not None}}
