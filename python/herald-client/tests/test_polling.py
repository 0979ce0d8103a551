"""Polling against herald-local, behind a network that admits no WebSocket, and the requests by HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from herald_client import (
    Client,
    Log,
    Options,
    Push,
    ServerError,
    State,
    StoppedError,
    Transport,
    connect,
)
from herald_client._poster import Poster
from herald_client.publisher import Event

from .proxy import Proxy
from .stack import Stack

POLICY = {"messages": 1000, "seconds": 600}
HISTORY = {"none:*": None, "**": POLICY, "$user": POLICY, "$everyone": POLICY}
EVENTS = 60
QUICK = {
    "backoff_cap": 0.2,
    "obstacle_after": 0,
    "killed_within": 60,
    "web_socket_retry": 1,
    "stable_after": 0.5,
    "linger_for": 0.1,
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    stack = Stack("--auth", "secret", "--parameter", f"History={json.dumps(HISTORY)}")
    yield stack
    stack.end()


@asynccontextmanager
async def obstacle(stack: Stack) -> AsyncIterator[Proxy]:
    """A proxy in front of everything. It swallows WebSockets."""
    async with Proxy(stack.url) as proxy:
        proxy.swallow_upgrades(True)
        yield proxy


def behind(stack: Stack, proxy: Proxy, user: str = "alice") -> Client:
    poll_url = stack.outputs()["PollUrl"].replace(
        stack.endpoint, proxy.url.replace("ws://", "http://").removesuffix("/dev")
    )
    return stack.connect(user, proxy.url, poll_url=poll_url, **QUICK)


async def opened_by(client: Client, transport: Transport) -> State:
    """Waits until the client is open by a transport."""
    async with client.states() as states:
        async for state in states:
            if state.name == "open" and state.transport == transport:
                assert client.transport == transport
                return state
    raise AssertionError("the client has stopped")


async def take(pushes: AsyncIterator[Push], count: int) -> list[Push]:
    return [await anext(pushes) for _ in range(count)]


async def test_changes_of_the_transport_while_events_arrive_lose_and_repeat_nothing(stack: Stack) -> None:
    async with Proxy(stack.url) as proxy, behind(stack, proxy) as client, client.subscribe("order") as pushes:
        received = asyncio.create_task(take(pushes, EVENTS))
        for number in range(EVENTS):
            await stack.put_about("order", number)
            match number % 20:
                case 5:
                    proxy.swallow_upgrades(True)
                case 12:
                    await opened_by(client, "poll")
                case 13:
                    proxy.swallow_upgrades(False)
                case 19:
                    await opened_by(client, "websocket")
        events = await received
        offsets = [push.position.offset for push in events if push.position]
        assert offsets == sorted(offsets)
        assert sorted(push.message for push in events) == list(range(EVENTS))


async def test_client_that_polls_sends_and_does_not_receive_its_own_message(stack: Stack) -> None:
    async with (
        obstacle(stack) as proxy,
        behind(stack, proxy) as sender,
        behind(stack, proxy, "bob") as other,
        sender.subscribe("room-1") as own,
        other.subscribe("room-1") as heard,
    ):
        assert (sender.transport, sender.state.transport) == ("poll", "poll")
        await asyncio.gather(*(sender.send(number, entity_id="room-1") for number in (1, 2, 3)))
        assert [push.message for push in await take(heard, 3)] == [1, 2, 3]
        assert (await sender.echo("echo")).message == "echo"
        await stack.put_about("room-1", 4)
        push = await anext(own)
        assert push.message == 4
        assert push.position is not None
        assert push.position.offset == 4


async def test_client_that_polls_receives_notifications_and_broadcasts(stack: Stack) -> None:
    async with (
        obstacle(stack) as proxy,
        behind(stack, proxy) as client,
        client.notifications() as notifications,
        client.broadcasts() as broadcasts,
    ):
        await opened_by(client, "poll")
        received = asyncio.gather(anext(notifications), anext(broadcasts))
        # The client starts at the position of its first poll, which nothing tells.
        while not received.done():
            await stack.put(Event(1, user_id="alice"), Event(1, broadcast=True))
            await asyncio.wait((received,), timeout=0.25)
        assert [push.message for push in received.result()] == [1, 1]


async def test_client_that_polls_is_refused_what_needs_a_web_socket(stack: Stack) -> None:
    async with obstacle(stack) as proxy, behind(stack, proxy) as client:
        await opened_by(client, "poll")
        for request in (
            client.subscribe("none:1"),
            client.subscribe("order-9", rewind=3),
            client.history("order-9", last=3),
            client.history(Log.EVERYONE, last=3),
            client.presence("order-9"),
        ):
            with pytest.raises(ServerError) as caught:
                await request
            assert caught.value.code == "unsupported"


async def test_client_stops_after_three_polls_that_are_refused(stack: Stack) -> None:
    async with obstacle(stack) as proxy:
        options = Options(poll_url=stack.outputs()["PollUrl"], backoff_base=0.01, obstacle_after=0)
        async with connect(proxy.url, token=lambda: "no-token", options=options) as client:
            with pytest.raises(StoppedError, match="HTTP 401"):
                await client.opened()


async def test_client_whose_token_no_header_can_carry_stops_with_its_first_poll(stack: Stack) -> None:
    async with obstacle(stack) as proxy:
        tokens = iter(["a.b.c"] * 3)
        options = Options(poll_url=stack.outputs()["PollUrl"], backoff_base=0.01, obstacle_after=0)
        async with connect(proxy.url, token=lambda: next(tokens, "two words"), options=options) as client:
            with pytest.raises(StoppedError, match="no header can carry the token"):
                await client.opened()


@pytest.mark.parametrize("status", [429, 503])
async def test_client_behind_a_proxy_that_answers_429_or_503_keeps_to_the_web_socket(stack: Stack, status: int) -> None:
    async with Proxy(stack.url) as proxy:
        proxy.refuse_with(status)
        async with behind(stack, proxy) as client, client.states() as states:
            async for state in states:
                if state.attempt > 6:
                    break
            proxy.refuse_with(None)
            assert (await opened_by(client, "websocket")).transport == "websocket"


class HttpServer:
    """A server of polls. Each request is answered by the next of `answers`: a status and a body, or by nothing."""

    def __init__(self) -> None:
        server = self
        self.answers: list[tuple[int, bytes] | None] = []
        # The paths, headers and bodies of the requests, and the ports of their connections.
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.ports: list[int] = []
        self.has_request = threading.Event()
        self.ends = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.path, dict(self.headers.items()), body))
                server.ports.append(self.client_address[1])
                server.has_request.set()
                answer = server.answers.pop(0)
                if answer is None:
                    # It never answers.
                    server.ends.wait()
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def do_CONNECT(self) -> None:
                server.requests.append((self.path, dict(self.headers.items()), b""))
                self.send_response(200)
                self.end_headers()
                # `http.client` of Python 3.10 connects by HTTP/1.0.
                self.close_connection = False

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def end(self) -> None:
        self.ends.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    server = HttpServer()
    yield server
    server.end()


async def test_requests_have_their_path_token_and_text_and_share_a_connection(server: HttpServer) -> None:
    poster = Poster(f"{server.url}/doors/", Options(proxy=None))
    server.answers = [(200, b'{"type":"ack"}'), (207, "é".encode()), (503, b"")]
    assert await poster.post("poll", "a.b.c", '{"action":"sync"}') == (200, '{"type":"ack"}')
    assert await poster.post("poll", None, "{}") == (207, "é")
    assert await poster.post("messages", "a.b.c", "{}") == (503, "")
    poster.close()
    paths, headers, bodies = zip(*server.requests, strict=True)
    assert paths == ("/doors/poll", "/doors/poll", "/doors/messages")
    assert [sent.get("Authorization") for sent in headers] == ["Bearer a.b.c", None, "Bearer a.b.c"]
    assert {sent["Content-Type"] for sent in headers} == {"application/json"}
    assert bodies[0] == b'{"action":"sync"}'
    # A message has a connection of its own, so that it is never sent twice.
    assert server.ports[0] == server.ports[1] != server.ports[2]


async def test_poll_on_a_connection_that_the_server_has_closed_goes_out_on_another(server: HttpServer) -> None:
    poster = Poster(server.url, Options(proxy=None))
    server.answers = [(200, b"one"), (200, b"two")]
    await poster.post("poll", None, "{}")
    kept = poster._kept
    assert kept is not None
    assert kept.sock is not None
    kept.sock.shutdown(2)
    assert await poster.post("poll", None, "{}") == (200, "two")
    poster.close()
    assert len(set(server.ports)) == 2


async def test_cancelled_request_ends_its_connection(server: HttpServer) -> None:
    poster = Poster(server.url, Options(proxy=None))
    server.answers = [None]
    waiting = asyncio.create_task(poster.post("poll", None, "{}"))
    await asyncio.to_thread(server.has_request.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.to_thread(joined, "herald poll")
    poster.close()


def joined(name: str) -> None:
    """Waits until no thread of a name runs."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()


async def test_request_without_an_answer_in_time_fails(server: HttpServer) -> None:
    poster = Poster(server.url, Options(proxy=None, reply_timeout=0.05))
    server.answers = [None]
    with pytest.raises((TimeoutError, asyncio.TimeoutError)):
        await poster.post("poll", None, "{}")
    await asyncio.to_thread(joined, "herald poll")


async def test_polls_go_through_the_proxy_with_its_credentials(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    through = server.url.replace("http://", "http://alice:p%40ss@")
    poster = Poster("http://polls.example.com/", Options(proxy=through))
    server.answers = [(200, b"{}")] * 2
    assert await poster.post("poll", None, "{}") == (200, "{}")
    poster.close()
    connects, polls = server.requests
    assert (connects[0], connects[1]["Proxy-Authorization"]) == ("polls.example.com:80", "Basic YWxpY2U6cEBzcw==")
    assert (polls[0], polls[1]["Host"]) == ("/poll", "polls.example.com")
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    poster = Poster("http://polls.example.com/", Options())
    await poster.post("poll", None, "{}")
    poster.close()
    assert server.requests[2][0] == "polls.example.com:80"


async def test_polls_through_a_socks_proxy_fail() -> None:
    poster = Poster("http://127.0.0.1:1/", Options(proxy="socks5://alice:secret@127.0.0.1:1"))
    with pytest.raises(ValueError, match="got one of the scheme 'socks5'"):
        await poster.post("poll", None, "{}")


def test_poll_url_must_be_an_address_of_http() -> None:
    for url in ("wss://example.com/", "example.com", "", "https:///poll"):
        with pytest.raises(ValueError, match="poll_url must start with https://"):
            Options(poll_url=url)
