"""One request over HTTP, by `http.client` of the standard library: httpx would add six packages."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

# The most bytes of an answer that are read: more than Herald sends.
_ANSWER_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Message
    body: bytes


def exchange(connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    """Sends a POST, and reads its answer to the end. The connection stays open if the server keeps it.

    Raises `OSError` or `HTTPException` if there is no answer.
    """
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read(_ANSWER_LIMIT + 1)
    except BaseException:
        # It has no use after a part of an exchange.
        connection.close()
        raise
    if len(text) > _ANSWER_LIMIT or answer.will_close:
        connection.close()
    return HttpAnswer(answer.status, answer.headers, text)
