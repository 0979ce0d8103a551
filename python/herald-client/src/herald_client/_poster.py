"""The HTTP requests of links that poll."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.client
import socket
import ssl
import threading
import urllib.request
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from ._http import HttpAnswer, exchange
from .options import Options
from .reader import call_from_anywhere


class Poster:
    """The sender of requests, each in a thread of its own.

    The threads are daemons: one that waits for a name or a connection cannot be ended, and must not keep the program.
    """

    def __init__(self, url: str, options: Options) -> None:
        self._url = urlsplit(url)
        self._options = options
        # A client that never polls need not read certificates.
        self._ssl = options.ssl
        # The connection of the last poll, for the next one.
        self._kept: http.client.HTTPConnection | None = None
        self._is_closed = False

    async def post(self, path: Literal["poll", "messages"], token: str | None, text: str) -> tuple[int, str]:
        """Sends a request. Returns the status and the text of its answer. A cancelled call ends the request.

        Raises the exception of a request without an answer.
        """
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        target = f"{self._url.path.rstrip('/')}/{path}"
        # The server may have closed a connection that was kept, and a message must not be sent twice.
        connection = self._take_kept() if path == "poll" else None
        request = _Request(connection or self._new_connection(), target, text.encode(), headers)
        try:
            answer = await asyncio.wait_for(request.answer(), self._options.reply_timeout)
        except BaseException:
            request.abandon()
            raise
        self._keep(request.connection)
        return answer.status, answer.body.decode(errors="replace")

    def release(self) -> None:
        """Closes the connection that is kept."""
        kept = self._take_kept()
        if kept is not None:
            kept.close()

    def close(self) -> None:
        """Releases the connection, and keeps no other."""
        self._is_closed = True
        self.release()

    def _take_kept(self) -> http.client.HTTPConnection | None:
        kept, self._kept = self._kept, None
        return kept

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        if self._kept is None and not self._is_closed:
            self._kept = connection
        else:
            connection.close()

    def _new_connection(self) -> http.client.HTTPConnection:
        url, timeout = self._url, self._options.reply_timeout
        is_secure = url.scheme == "https"
        port = url.port or (443 if is_secure else 80)
        proxy = _proxy_of(url, self._options.proxy)
        host, at = (url.hostname or "", port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
        connection: http.client.HTTPConnection
        if is_secure:
            self._ssl = self._ssl or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, at, timeout=timeout, context=self._ssl)
        else:
            connection = http.client.HTTPConnection(host, at, timeout=timeout)
        if proxy is not None:
            connection.set_tunnel(url.hostname or "", port, _authorization_of(proxy))
        return connection


class _Request:
    """One request, in a thread."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]) -> None:
        self.connection = connection
        self._path = path
        self._body = body
        self._headers = headers
        # The loop sets it, and the thread reads it.
        self._is_abandoned = False
        # True once the thread has ended with an answer, which the loop has.
        self._has_answer = False

    async def answer(self) -> HttpAnswer:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[HttpAnswer] = loop.create_future()

        def succeed(result: HttpAnswer) -> None:
            self._has_answer = True
            if answer.done():
                self.connection.close()
            else:
                answer.set_result(result)

        def fail(error: Exception) -> None:
            if not answer.done():
                answer.set_exception(error)

        def run() -> None:
            try:
                result = self._run()
            except Exception as error:
                call_from_anywhere(loop, functools.partial(fail, error))
            else:
                call_from_anywhere(loop, functools.partial(succeed, result))

        threading.Thread(target=run, name="herald poll", daemon=True).start()
        return await answer

    def abandon(self) -> None:
        """Ends the request, and closes the connection: in the thread, while that uses it."""
        self._is_abandoned = True
        connected = self.connection.sock
        if self._has_answer:
            self.connection.close()
        elif connected is not None:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _run(self) -> HttpAnswer:
        is_kept = self.connection.sock is not None
        try:
            answer = self._exchange()
        except ConnectionError:
            if not is_kept or self._is_abandoned:
                raise
            # The server has closed the connection since the last poll.
            answer = self._exchange()
        if self._is_abandoned:
            self.connection.close()
        return answer

    def _exchange(self) -> HttpAnswer:
        try:
            if self.connection.sock is None:
                self.connection.connect()
            if self._is_abandoned:
                raise ConnectionAbortedError("the request was abandoned")
        except BaseException:
            self.connection.close()
            raise
        return exchange(self.connection, self._path, self._body, self._headers)


def _proxy_of(url: SplitResult, proxy: str | Literal[True] | None) -> SplitResult | None:
    """Returns the address of the proxy. `None` if there is none.

    Raises `ValueError` if polls cannot go through it.
    """
    address = _proxy_of_environment(url) if proxy is True else proxy
    if address is None:
        return None
    split = urlsplit(address if "://" in address else f"http://{address}")
    if split.scheme != "http":
        raise ValueError(f"proxy must be an http:// address, for polls, got one of the scheme {split.scheme!r}")
    return split


def _proxy_of_environment(url: SplitResult) -> str | None:
    port = "" if url.port is None else f":{url.port}"
    if urllib.request.proxy_bypass(f"{url.hostname}{port}"):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def _authorization_of(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
