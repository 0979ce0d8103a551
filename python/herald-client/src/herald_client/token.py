"""Tokens: their end, and the characters that a handshake can carry."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from ._json import decode
from .options import milliseconds

# The subprotocol of Herald, which a token is offered beside.
SUBPROTOCOL = "herald.v1"

# RFC 9110, section 5.6.2.
_SUBPROTOCOL_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Token:
    """A token with its end, in seconds since 1970, for tokens without a readable `exp`."""

    text: str
    expires_at: float | None = None


TokenAnswer = str | Token | None

# Supplies a token for every attempt to connect, and before a token ends. `None` to connect without a token. An attempt
# fails if the callback raises, and is retried. One that does not answer within `connect_timeout` is cancelled and
# called again. A callback that is no coroutine function must not block.
TokenCallback = Callable[[], TokenAnswer | Awaitable[TokenAnswer]]


def read_token(answer: TokenAnswer) -> tuple[str | None, int | None]:
    """Reads the answer of the token callback. Returns the token, and the milliseconds it has left.

    These are `None` if the end is unknown or past: a past end means that this clock is wrong, and the server reports
    the end of the token.

    Raises `TypeError` if the answer is no token.
    """
    token = answer if isinstance(answer, Token) else Token(answer) if isinstance(answer, str) else None
    if token is None:
        if answer is None:
            return None, None
        raise TypeError(f"the token callback must return a str, a Token or None, got {type(answer).__name__}")
    end = _end_of(token.text) if token.expires_at is None else token.expires_at
    left = 0 if end is None else milliseconds(end - time.time())
    return token.text, left if left > 0 else None


def unusable(token: str, token_in: Literal["header", "subprotocol"]) -> str | None:
    """Returns the problem of a token that the handshake cannot carry. `None` if it can."""
    if token_in == "header":
        if _HEADER_TOKEN.fullmatch(token):
            return None
        return "no header can carry the token: it must be a non-empty string of visible ASCII characters without spaces"
    if _SUBPROTOCOL_TOKEN.fullmatch(token) and token != SUBPROTOCOL:
        return None
    return (
        "no WebSocket subprotocol can carry the token: it must be a non-empty string of ASCII letters, digits "
        "and !#$%&'*+.^_`|~-, such as a JWT"
    )


def _end_of(token: str) -> float | None:
    """Returns the `exp` of a JWT, in seconds since 1970. `None` if it has none."""
    try:
        claims: Any = decode(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        end = claims["exp"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return float(end) if isinstance(end, (int, float)) and not isinstance(end, bool) else None
