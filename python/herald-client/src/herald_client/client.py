"""The client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from ._driver import Driver
from ._json import encode
from ._machine.presence import presence_of
from ._machine.signals import Audience, Follow, Hinted, Send, Transport
from ._mailbox import Mailbox
from ._readers import Topic
from ._state_loader import StateCallback
from .errors import StoppedError
from .options import Options, milliseconds
from .position import Position
from .presence import Presence
from .push import Ack, History, Lost, Push, ack_of, history_of, push_of
from .reader import PushReader, Reader
from .state import State
from .subscription import Subscription
from .token import TokenCallback


class Log(Enum):
    """The logs that are not an entity's: that of the user of the connection, and that of everyone."""

    USER = "user"
    EVERYONE = "everyone"


@dataclass(frozen=True)
class Outgoing:
    """One of several messages. `name` is the name that the sender gives itself; the server does not check it."""

    message: Any
    name: str | None = None


def connect(url: str, *, token: TokenCallback | None = None, options: Options | None = None) -> Client:
    """Starts a client, which connects at once and stays connected until it is closed or stops.

    `url` is the address of the WebSocket, `wss://…/stage`. `token` is called for every attempt to connect, and before a
    token ends. It is to be called in a running event loop, and the client belongs to that loop.

    Raises `ValueError` if the address is not a WebSocket address.
    """
    return Client(url, token=token, options=options)


class Client:
    """A running client. An application needs one."""

    def __init__(self, url: str, *, token: TokenCallback | None = None, options: Options | None = None) -> None:
        """Starts a client, like `connect`."""
        address = urlsplit(url)
        if address.scheme not in ("ws", "wss") or not address.hostname:
            raise ValueError(f"the address must start with wss:// or ws:// and have a host, got {url!r}")
        self._driver = Driver(url, token, options or Options())

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the client: with the deadline of `close`, or after an exception at once."""
        if error is None:
            await self.close()
        else:
            await self.close(within=0)

    @property
    def state(self) -> State:
        """The state of the connection."""
        return self._driver.state

    @property
    def transport(self) -> Transport:
        """The transport that the client uses, or will try first. `states` has its changes."""
        return self._driver.transport

    def states(self) -> Reader[State]:
        """Returns a reader of the state: the present one, and every change. It ends with the client."""
        mailbox: Mailbox[State] = Mailbox(self._driver.options.buffer)
        mailbox.put(self.state)
        if self._driver.stopped.is_set():
            mailbox.end(StopAsyncIteration)
        return Reader(mailbox, self._driver.readers.add_states(mailbox), self._driver.loop)

    async def opened(self) -> None:
        """Waits until the connection is open and every subscription established.

        Raises `StoppedError` if the client stops.
        """
        async with self.states() as states:
            async for state in states:
                if state.name == "open":
                    return
        raise StoppedError(self.state.reason)

    def subscribe(
        self,
        entity_id: str,
        *,
        recover: Position | None = None,
        rewind: int | None = None,
        state: StateCallback | None = None,
        presence: bool = False,
    ) -> Subscription:
        """Returns a subscription to an entity, which begins when it is entered, awaited or iterated.

        - `recover`: the position to go on from.
        - `rewind`: the number of last messages to start with, from 1 to 300. Needs the permission `history`.
        - `state`: loads the state of the entity: **first** its position, which it returns, and then its data. The data
          then has every message up to the position, and the subscription those after it. It is called before the
          subscription, and again when messages are lost; without a position it is also called after the acknowledgement
          and after every reconnect. A call that fails later is retried, and its exception goes to the exception handler
          of the event loop.
        - `presence`: asks for the users at the entity, `Subscription.presence`, and their changes. Needs the permission
          `presence`.

        A later subscriber of an entity in the same client starts where the client is.

        Raises `ValueError` if more than one of `recover`, `rewind` and `state` is given.
        """
        if sum(start is not None for start in (recover, rewind, state)) > 1:
            raise ValueError("recover, rewind and state exclude each other: pass one of them")
        if rewind is not None and rewind < 1:
            raise ValueError(f"rewind must be at least 1, got {rewind}")
        return Subscription(self._driver, entity_id, recover, rewind, state, presence)

    def notifications(self) -> PushReader:
        """Returns a reader of the pushes to the user of this connection."""
        return self._reader(Topic("notifications"))

    def broadcasts(self) -> PushReader:
        """Returns a reader of the pushes to everyone, from an event or from another client."""
        return self._reader(Topic("broadcasts"))

    def of_type(self, kind: str) -> PushReader:
        """Returns a reader of the pushes of a `type`, which other readers get as well. It is told of no losses."""
        return self._reader(Topic("type", kind))

    def _reader(self, topic: Topic) -> PushReader:
        driver = self._driver
        mailbox: Mailbox[Push | Lost] = Mailbox(driver.options.buffer)
        remove = driver.readers.add_pushes(topic, mailbox)
        self._end_if_stopped(mailbox)
        if topic.name != "type":
            driver.handle(Follow(topic.name))
        return PushReader(Reader(mailbox, remove, driver.loop))

    def losses(self) -> Reader[Lost]:
        """Returns a reader of the losses of every audience, each before the next message of that audience."""
        mailbox: Mailbox[Lost] = Mailbox(self._driver.options.buffer)
        remove = self._driver.readers.add_losses(mailbox)
        self._end_if_stopped(mailbox)
        return Reader(mailbox, remove, self._driver.loop)

    def _end_if_stopped(self, mailbox: Mailbox[Any]) -> None:
        reason = self.state.reason
        if reason is not None:
            mailbox.end(lambda: StoppedError(reason))

    async def send(
        self,
        message: Any,
        *,
        entity_id: str | None = None,
        broadcast: bool = False,
        name: str | None = None,
        safe_to_repeat: bool = False,
        time_to_live: float | None = None,
    ) -> Ack:
        """Sends a message to the other subscribers of an entity, or to everyone else, once there is a connection.

        - `safe_to_repeat`: the message may arrive twice. If the connection breaks before its reply, it is sent again,
          and does not fail as `OutcomeUnknownError`.
        - `time_to_live`: the longest time in the outbox, in seconds.

        A message whose `send` is cancelled may still be sent.

        Raises `HeraldError` if it fails, and `TypeError` or `ValueError` if the message has no JSON form.
        """
        fields = {**_target(entity_id, broadcast), **_message_of(Outgoing(message, name))}
        return ack_of(await self._send(fields, _audience(entity_id), safe_to_repeat, time_to_live))

    async def send_several(
        self,
        messages: Sequence[Outgoing],
        *,
        entity_id: str | None = None,
        broadcast: bool = False,
        safe_to_repeat: bool = False,
        time_to_live: float | None = None,
    ) -> Ack:
        """Sends several messages in one frame, like `send`.

        Raises `ServerError` with the code `partly_sent` if only some were sent: its `event_ids` tells which.
        """
        fields = {**_target(entity_id, broadcast), "messages": [_message_of(message) for message in messages]}
        return ack_of(await self._send(fields, _audience(entity_id), safe_to_repeat, time_to_live))

    async def echo(self, message: Any, *, name: str | None = None, time_to_live: float | None = None) -> Push:
        """Sends a message that comes back, and returns that."""
        return push_of(await self._send(_message_of(Outgoing(message, name)), None, True, time_to_live))

    async def _send(
        self, fields: dict[str, Any], target: Audience | None, safe_to_repeat: bool, time_to_live: float | None
    ) -> dict[str, Any]:
        body = encode({"action": "sendMessage", **fields})
        within = None if time_to_live is None else milliseconds(time_to_live)
        reply: dict[str, Any] = await self._driver.request(
            lambda request: Send(request, body, target, safe_to_repeat, within)
        )
        return reply

    async def history(
        self,
        of: str | Log,
        *,
        last: int | None = None,
        since: Position | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> History:
        """Reads messages of a log: that of an entity by its id, that of the user, or that of everyone.

        Exactly one of `last`, `since` and `before`, an offset, selects the messages; `last=0` reads the position alone.
        They go to no reader, and no position moves. Needs the permission `history`.

        Raises `HeraldError` if it fails, and `ValueError` if not exactly one of the three is given.
        """
        position = None if since is None else since.to_dict()
        given = {"last": last, "since": position, "before": before}
        selection = {field: value for field, value in given.items() if value is not None}
        if len(selection) != 1:
            raise ValueError(
                f"history needs exactly one of last, since and before, got {', '.join(selection) or 'none'}"
            )
        name: dict[str, Any] = {of.value: True} if isinstance(of, Log) else {"entityId": of}
        bound = {} if limit is None else {"limit": limit}
        body = encode({"action": "history", **name, **selection, **bound})
        return history_of(await self._driver.request(lambda request: _reading(request, body)))

    async def presence(self, entity_id: str) -> Presence:
        """Reads the users at an entity once. Needs the permission `presence`.

        Raises `HeraldError` if it fails.
        """
        body = encode({"action": "presence", "entityId": entity_id})
        return presence_of(await self._driver.request(lambda request: _reading(request, body)))

    def network_up(self) -> None:
        """Hints that the network is up: ends the delay before an attempt, or checks the connection."""
        self._driver.handle(Hinted("networkUp"))

    def network_down(self) -> None:
        """Hints that the network is down: ends the connection, and waits for another hint, or for `offline_retry`."""
        self._driver.handle(Hinted("networkDown"))

    def foreground(self) -> None:
        """Hints that the application is used again: ends the delay before an attempt, or checks the connection."""
        self._driver.handle(Hinted("foreground"))

    async def close(self, within: float = 5.0) -> None:
        """Closes the client: it sends pending messages, waits for the replies, and stops.

        `within` bounds that, in seconds. Returns once the client has stopped and no task of it runs. A cancelled call
        stops the client at once.
        """
        await self._driver.close(within)


def _reading(request: int, body: str) -> Send:
    """Returns a request that reads."""
    return Send(request, body, safe_to_repeat=True, needs_web_socket=True)


def _target(entity_id: str | None, broadcast: bool) -> dict[str, Any]:
    if (entity_id is not None) == broadcast:
        raise ValueError("a message needs exactly one of entity_id and broadcast=True")
    return {"broadcast": True} if entity_id is None else {"entityId": entity_id}


def _audience(entity_id: str | None) -> Audience:
    return Audience("broadcasts") if entity_id is None else Audience("entity", entity_id)


def _message_of(outgoing: Outgoing) -> dict[str, Any]:
    name = {} if outgoing.name is None else {"name": outgoing.name}
    return {"message": outgoing.message, **name}
