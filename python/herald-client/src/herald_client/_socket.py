"""One WebSocket: a task that reads, and a task that writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from .options import Options
from .token import SUBPROTOCOL

# API Gateway's limit of a frame of a message, in bytes.
_FRAME_LIMIT = 32 * 1024

# The seconds that a server has to answer the closing handshake.
_CLOSE_TIMEOUT = 2.0

# The messages after which the readers of the application have their turn: `recv` does not wait if there is a message.
_READ_AT_ONCE = 64

_logger = logging.getLogger("herald_client.websocket")
# At DEBUG, the library logs headers and frames, and so tokens and messages.
_logger.setLevel(logging.INFO)


@dataclass(frozen=True)
class SocketEvents:
    """The callbacks of a socket. It calls none after `close`. `cancelled`: the event loop ends its tasks."""

    opened: Callable[[], None]
    received: Callable[[str], None]
    refused: Callable[[int, Exception], None]
    failed: Callable[[Exception], None]
    invalid: Callable[[str], None]
    closed: Callable[[ConnectionClosed], None]
    cancelled: Callable[[], None]


class _Connect(connect):
    """A handshake that follows no redirect: API Gateway sends none, and the token is for one server."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Socket:
    def __init__(self, url: str, token: str | None, options: Options, events: SocketEvents) -> None:
        """Starts the handshake."""
        self._arguments = _arguments(url, token, options)
        self._url = url
        self._events = events
        self._outgoing: asyncio.Queue[str | None] = asyncio.Queue()
        self._is_open = False
        self._is_closing = False
        self.task = asyncio.get_running_loop().create_task(self._run(), name="herald socket")

    def send(self, text: str) -> None:
        self._outgoing.put_nowait(text)

    def close(self) -> None:
        """Closes the socket with 1000 after what it has to send, or abandons the handshake. No event follows."""
        self._is_closing = True
        if not self._is_open:
            self.task.cancel()
            return
        self._outgoing.put_nowait(None)
        abort = asyncio.get_running_loop().call_later(2 * _CLOSE_TIMEOUT, self.task.cancel)
        self.task.add_done_callback(lambda _: abort.cancel())

    async def _run(self) -> None:
        try:
            await self._live()
        except asyncio.CancelledError:
            self._tell(self._events.cancelled)
            raise

    async def _live(self) -> None:
        connection = await self._open()
        if connection is None:
            return
        writer = asyncio.get_running_loop().create_task(self._write(connection), name="herald socket writer")
        try:
            self._is_open = True
            self._tell(self._events.opened)
            cause = await self._read(connection)
        finally:
            writer.cancel()
            connection.transport.abort()
            await asyncio.wait((writer,))
        self._tell(self._events.closed, cause)

    async def _open(self) -> ClientConnection | None:
        try:
            return await _Connect(self._url, **self._arguments)
        except InvalidStatus as error:
            self._tell(self._events.refused, error.response.status_code, error)
        except InvalidURI as error:
            self._tell(self._events.invalid, str(error))
        except Exception as error:
            self._tell(self._events.failed, error)
        return None

    async def _read(self, connection: ClientConnection) -> ConnectionClosed:
        """Reads until the connection ends. Returns the cause."""
        for number in count(1):
            try:
                message = await connection.recv()
            except ConnectionClosed as error:
                return error
            if isinstance(message, str):
                self._tell(self._events.received, message)
            if number % _READ_AT_ONCE == 0:
                await asyncio.sleep(0)
        raise AssertionError("count is endless")

    async def _write(self, connection: ClientConnection) -> None:
        try:
            while (text := await self._outgoing.get()) is not None:
                await connection.send(text if len(text) * 4 <= _FRAME_LIMIT else _frames_of(text), text=True)
            await connection.close(1000)
        except ConnectionClosed:
            pass  # The reader tells it.

    def _tell(self, event: Callable[..., None], *arguments: Any) -> None:
        if not self._is_closing:
            event(*arguments)


def _arguments(url: str, token: str | None, options: Options) -> dict[str, Any]:
    in_header = token is not None and options.token_in == "header"
    offered = [SUBPROTOCOL] if token is None or in_header else [SUBPROTOCOL, token]
    return {
        "additional_headers": {"Authorization": f"Bearer {token}"} if in_header else None,
        "subprotocols": [Subprotocol(text) for text in offered] if options.token_in == "subprotocol" else None,
        "proxy": options.proxy,
        "compression": None,
        # The machine has time-outs and pings of its own.
        "open_timeout": None,
        "ping_interval": None,
        "close_timeout": _CLOSE_TIMEOUT,
        "logger": _logger,
        **({} if options.ssl is None or not url.lower().startswith("wss:") else {"ssl": options.ssl}),
    }


def _frames_of(text: str) -> Iterator[bytes]:
    """Splits a message into frames that the gateway accepts, between characters."""
    data = text.encode()
    start = 0
    while start < len(data):
        end = min(start + _FRAME_LIMIT, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end]
        start = end
