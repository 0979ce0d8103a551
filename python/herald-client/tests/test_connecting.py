"""Tokens, refusals and hints against a scripted server."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from herald_client import (
    Options,
    State,
    StoppedError,
    Token,
    connect,
)
from herald_client._clock import SleepWatch
from herald_client._machine.signals import AskToken

from .server import FAST, UNREACHABLE, ScriptedServer


async def test_token_is_sent_in_the_header_or_as_subprotocol_and_asked_for_at_every_attempt() -> None:
    tokens = iter(["one", "two", "three"])

    async def token() -> str:
        return next(tokens)

    async with ScriptedServer() as server:
        server.refusals = [HTTPStatus.SERVICE_UNAVAILABLE]
        async with connect(server.url, token=token, options=FAST) as client:
            await client.opened()
        async with connect(server.url, token=token, options=Options(token_in="subprotocol")) as client:
            await client.opened()
        async with connect(server.url) as client:
            await client.opened()
        headers = [request.headers for request in server.handshakes]
        assert [fields.get("Authorization") for fields in headers] == ["Bearer one", "Bearer two", None, None]
        offered = [fields.get("Sec-WebSocket-Protocol") for fields in headers]
        assert offered == [None, None, "herald.v1, three", None]


async def test_three_refusals_in_a_row_stop_the_client() -> None:
    async with ScriptedServer() as server:
        refused, busy = HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS
        server.refusals = [refused, busy, refused, HTTPStatus.FOUND, HTTPStatus.FORBIDDEN]
        async with connect(server.url, options=FAST) as client:
            states = [state async for state in client.states()]
            last = states[-1]
            assert (last.name, last.reason and last.reason.kind, last.reason and last.reason.status) == (
                "stopped",
                "refused",
                403,
            )
            assert [state.name for state in states] == ["connecting", *["reconnecting"] * 4, "stopped"]
            assert all(state.cause is not None for state in states[1:-1])
            with pytest.raises(StoppedError, match="HTTP 403"):
                await client.send("late", broadcast=True)
            with pytest.raises(StoppedError):
                await anext(client.notifications())
        # The redirect was not followed.
        assert len(server.handshakes) == 5


def answering(token: str) -> Callable[[], str]:
    return lambda: token


async def test_unusable_token_stops_the_client() -> None:
    in_header, as_subprotocol = Options(), Options(token_in="subprotocol")
    for token, options, words in (
        ("", in_header, "no header can carry"),
        ("a b", in_header, "no header can carry"),
        ("é", in_header, "no header can carry"),
        ("a/b", as_subprotocol, "no WebSocket subprotocol can carry"),
        ("herald.v1", as_subprotocol, "no WebSocket subprotocol can carry"),
    ):
        async with connect(UNREACHABLE, token=answering(token), options=options) as client:
            with pytest.raises(StoppedError, match=words):
                await client.opened()


async def test_token_callback_that_fails_is_called_again() -> None:
    answers: list[Any] = [ValueError("no"), asyncio.CancelledError(), 7, "a.b.c"]

    async def token() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async with ScriptedServer() as server, connect(server.url, token=token, options=FAST) as client:
        await client.opened()
        assert answers == []


async def test_hanging_token_callback_is_cancelled_by_the_time_out_and_by_close() -> None:
    cancelled: list[int] = []

    async def token() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise
        return ""

    options = Options(connect_timeout=0.02, backoff_base=0.001)
    async with connect(UNREACHABLE, token=token, options=options) as client:
        async for state in client.states():
            if state.attempt == 3:
                break
    assert len(cancelled) >= 2


async def test_token_callback_that_is_asked_again_is_cancelled_and_its_successor_counts() -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def token() -> str:
        if asked.is_set():
            return "a.b.c"
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ""

    async with ScriptedServer() as server, connect(server.url, token=token) as client:
        await asked.wait()
        client._driver._perform(AskToken(1))
        await client.opened()
        assert cancelled.is_set()
        assert server.handshakes[0].headers["Authorization"] == "Bearer a.b.c"


async def test_infinite_times_mean_never() -> None:
    async with ScriptedServer() as server:
        client = connect(server.url, token=lambda: Token("a.b.c", math.inf))
        await client.opened()
        await client.send("x", broadcast=True, time_to_live=math.inf)
        await client.close(within=math.inf)
        assert len(server.handshakes) == 1


async def test_handshake_without_an_answer_times_out() -> None:
    accepted = asyncio.Semaphore(0)

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.release()
        await reader.read()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/dev"
    async with connect(url, options=Options(connect_timeout=0.02, backoff_base=0.001)):
        for _ in range(3):
            await accepted.acquire()
    server.close()
    await server.wait_closed()


async def test_token_is_renewed_before_its_end() -> None:
    tokens = 0

    def token() -> Token:
        nonlocal tokens
        tokens += 1
        return Token("first", time.time() + 0.2) if tokens == 1 else Token(jwt(time.time() + 3600))

    async with ScriptedServer() as server, connect(server.url, token=token):
        assert (await server.next_frame("authenticate"))["token"].count(".") == 2
        assert len(server.handshakes) == 1


def jwt(expires_at: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires_at}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


async def test_hints_end_the_delay_and_the_connection() -> None:
    async with ScriptedServer() as server, connect(server.url, options=Options(backoff_base=3600)) as client:
        await client.opened()
        client.foreground()
        await server.next_frame("ping")
        states = client.states()
        assert (await anext(states)).name == "open"
        client.network_down()
        assert await anext(states) == State("reconnecting", attempt=1, delay=None)
        client.network_up()
        assert (await anext(states)).name == "open"


def test_sleep_is_a_gain_of_the_wall_clock_or_a_late_look(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {"wall": 0.0, "steady": 0.0}
    monkeypatch.setattr(time, "time", lambda: clocks["wall"])
    monkeypatch.setattr(time, "monotonic", lambda: clocks["steady"])
    watch = SleepWatch()
    for wall, steady, has_slept in ((5, 5, False), (15, 5, False), (5, -5, False), (16, 5, True), (70, 70, True)):
        clocks["wall"] += wall
        clocks["steady"] += steady
        assert watch.has_slept() is has_slept, (wall, steady)


async def test_tokens_and_messages_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ScriptedServer() as server, connect(server.url, token=lambda: "secret-token") as client:
        await client.send("secret-message", broadcast=True)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("herald_client")]
    assert not [text for text in own if "secret" in text]
