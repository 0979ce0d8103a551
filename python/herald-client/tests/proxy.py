"""A proxy in front of a server, which can break connections."""

from __future__ import annotations

import asyncio
from types import TracebackType
from urllib.parse import urlsplit


class Proxy:
    """A proxy on any port. It is to be entered with `async with`."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusal: int | None = None
        self._swallows_upgrades = False
        self._is_silent = asyncio.Event()
        self._port = 0
        # The number of connections so far.
        self.accepted = 0

    @property
    def url(self) -> str:
        return self._target._replace(netloc=f"127.0.0.1:{self._port}").geturl()

    async def __aenter__(self) -> Proxy:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def listen(self) -> None:
        """Accepts connections, after `end` on the same port."""
        self._is_silent.clear()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Breaks every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def silence(self) -> None:
        """Makes every connection silent without closing it."""
        self._is_silent.set()

    def refuse_with(self, status: int | None) -> None:
        """Answers every request with this status from now on. `None` ends that."""
        self._refusal = status

    def swallow_upgrades(self, swallows: bool) -> None:
        """Drops every handshake of a WebSocket from now on, and breaks every connection. `False` ends that."""
        self._swallows_upgrades = swallows
        if swallows:
            self.cut()

    async def end(self) -> None:
        """Breaks every connection and accepts no more, until `listen`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.accepted += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if self._swallows_upgrades and b"upgrade: websocket" in head.lower():
                return
            if self._refusal is None:
                await self._forward(head, reader, writer)
            else:
                writer.write(f"HTTP/1.1 {self._refusal} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            # The server of asyncio reports a cancelled handler as an error.
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _forward(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server, from_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers.add(from_server)
        from_server.write(head)
        copies = [
            asyncio.ensure_future(self._copy(reader, from_server)),
            asyncio.ensure_future(self._copy(to_server, writer)),
        ]
        try:
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for copy in copies:
                copy.cancel()
            await asyncio.wait(copies)
            for copy in copies:
                if not copy.cancelled():
                    copy.exception()
            from_server.transport.abort()
            self._writers.discard(from_server)

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if self._is_silent.is_set():
                continue
            target.write(data)
            await target.drain()
