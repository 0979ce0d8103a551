"""The inputs and effects of the machine.

The machine numbers the sockets, its caller the requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..position import Position
from ..presence import Presence
from .failure import Failure

# A frame, as its JSON stands on the wire.
Frame = dict[str, Any]

# The handlers of a push, beside those of its type.
Route = Literal["entity", "notifications", "broadcasts", "other"]

Transport = Literal["websocket", "poll"]

Hint = Literal["networkUp", "networkDown", "foreground"]


@dataclass(frozen=True)
class Audience:
    """The audience of a log, by the route of its pushes."""

    to: Route
    entity: str | None = None


@dataclass(frozen=True)
class StopReason:
    """The reason the client stopped.

    - `closed`: the application closed it.
    - `refused`: the server refused several authorisations in a row. `status` is the last HTTP status.
    - `invalid`: no attempt can succeed. `reason` names the problem with the token or the address.
    - `disconnected`: the server disconnected the client for good, with its `code` and `reason`.
    - `failed`: a defect of the client ended it. `reason` describes the exception.
    """

    kind: Literal["closed", "refused", "invalid", "disconnected", "failed"]
    status: int | None = None
    code: str | None = None
    reason: str | None = None


# Inputs.


@dataclass(frozen=True)
class Connect:
    """The application starts the client."""


@dataclass(frozen=True)
class TokenSupplied:
    """The callback supplied a token, with the milliseconds that it has left if that is known."""

    socket: int
    token: str | None
    expires_in: int | None = None


@dataclass(frozen=True)
class TokenFailed:
    socket: int


@dataclass(frozen=True)
class Opened:
    socket: int


@dataclass(frozen=True)
class Refused:
    socket: int
    status: int | None


@dataclass(frozen=True)
class Failed:
    """The server could not be reached."""

    socket: int


@dataclass(frozen=True)
class Invalid:
    """No attempt can succeed."""

    socket: int
    reason: str


@dataclass(frozen=True)
class Received:
    socket: int
    text: str


@dataclass(frozen=True)
class Closed:
    """The socket ended without a `CloseSocket`. `close_frame` is true if it ended with a close frame."""

    socket: int
    close_frame: bool = False


@dataclass(frozen=True)
class PostAnswered:
    """The answer to a `Post`. Without an answer, `status` is `None`."""

    socket: int
    request: int
    status: int | None
    text: str = ""


@dataclass(frozen=True)
class Subscriber:
    """A subscriber that waits for an acknowledgement.

    `recover` or `rewind` is the start of the first subscriber of an entity. `presence` is true if it asks for presence.
    """

    request: int
    entity: str
    recover: Position | None = None
    rewind: int | None = None
    presence: bool = False


@dataclass(frozen=True)
class Subscribe:
    subscribers: tuple[Subscriber, ...]


@dataclass(frozen=True)
class Unsubscribe:
    """A subscriber left. `presence` is true if it asked for presence."""

    entity: str
    presence: bool = False


@dataclass(frozen=True)
class Follow:
    """The application reads an audience that needs no subscription."""

    to: Literal["notifications", "broadcasts"]


@dataclass(frozen=True)
class Send:
    """The application makes a request.

    `body` is its JSON, without an id; `target` the audience of a message. `needs_web_socket` is true if it cannot go by
    HTTP.
    """

    request: int
    body: str
    target: Audience | None = None
    safe_to_repeat: bool = False
    time_to_live: int | None = None
    needs_web_socket: bool = False


@dataclass(frozen=True)
class Hinted:
    hint: Hint


@dataclass(frozen=True)
class Close:
    within: int


@dataclass(frozen=True)
class Time:
    """Time passes."""


SocketInput = TokenSupplied | TokenFailed | Opened | Refused | Failed | Invalid | Received | Closed | PostAnswered
ClientInput = Connect | Subscribe | Unsubscribe | Follow | Send | Hinted | Close | Time
Input = SocketInput | ClientInput


# Effects: tasks for the driver, which it performs in order.


@dataclass(frozen=True)
class StateChanged:
    """The state of the connection. `delay` is `None` in `reconnecting` while the network is down."""

    name: Literal["connecting", "open", "reconnecting", "stopped"]
    attempt: int = 0
    delay: int | None = None
    reason: StopReason | None = None


@dataclass(frozen=True)
class TransportChanged:
    """The client uses another transport from now on."""

    transport: Transport


@dataclass(frozen=True)
class AskToken:
    socket: int


@dataclass(frozen=True)
class OpenSocket:
    socket: int
    token: str | None


@dataclass(frozen=True)
class SendText:
    socket: int
    text: str


@dataclass(frozen=True)
class Post:
    """Send a text by HTTP. `request` is the number of the request."""

    socket: int
    request: int
    path: Literal["poll", "messages"]
    token: str | None
    text: str


@dataclass(frozen=True)
class CloseSocket:
    """Close a socket, or abandon its attempt or its requests by HTTP."""

    socket: int


@dataclass(frozen=True)
class Resolve:
    """A request succeeded. A `subscribe` has no reply, but the position before the messages that follow."""

    request: int
    reply: Frame | None = None
    position: Position | None = None


@dataclass(frozen=True)
class Reject:
    request: int
    error: Failure


@dataclass(frozen=True)
class Deliver:
    to: Route
    frame: Frame


@dataclass(frozen=True)
class Lose:
    """Messages may be lost. Delivery goes on from `position`; `None` if the audience has no log any more."""

    audience: Audience
    position: Position | None


@dataclass(frozen=True)
class Recover:
    """Every message up to here was recovered."""

    audience: Audience
    messages: int


@dataclass(frozen=True)
class TellPresence:
    """The set of users at an entity differs, or is told again to a subscriber that was added.

    `presence` is `None` if there is none, with the error if the server refused it.
    """

    entity: str
    presence: Presence | None
    error: Failure | None = None


@dataclass(frozen=True)
class End:
    """An established subscription ended, and its subscribers are removed."""

    entity: str
    error: Failure


Effect = (
    StateChanged
    | TransportChanged
    | AskToken
    | OpenSocket
    | SendText
    | Post
    | CloseSocket
    | Resolve
    | Reject
    | Deliver
    | Lose
    | Recover
    | TellPresence
    | End
)


def with_id(body: str, number: int) -> str:
    """Returns a request with its `id`. `body` is the JSON of an object that is not empty."""
    return f'{body[:-1]},"id":"{number}"}}'


def bytes_of(text: str) -> int:
    """Returns the length of a text as UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
