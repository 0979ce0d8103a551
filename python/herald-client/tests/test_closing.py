"""The end of a client, and of everything that it started."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from herald_client import (
    HeraldError,
    StoppedError,
    connect,
)

from .server import FAST, UNREACHABLE, ScriptedServer


async def test_close_sends_what_is_pending_and_waits_for_the_replies() -> None:
    async with ScriptedServer() as server:
        client = connect(server.url)
        sent = asyncio.gather(*(client.send(number, broadcast=True) for number in range(40)))
        await asyncio.sleep(0)
        await client.close()
        assert len({ack.event_id for ack in await sent}) == 40


async def test_close_ends_at_its_deadline_and_a_cancelled_close_at_once() -> None:
    async with ScriptedServer(lambda _: None) as server:
        client = connect(server.url)
        waiting = asyncio.create_task(client.send("x", broadcast=True))
        await server.next_frame("sendMessage")
        await client.close(within=0.01)
        with pytest.raises(HeraldError) as caught:
            await waiting
        assert caught.value.kind == "outcomeUnknown"

        client = connect(server.url)
        waiting = asyncio.create_task(client.send("x", broadcast=True))
        await server.next_frame("sendMessage")
        closing = asyncio.create_task(client.close(within=3600))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(HeraldError):
            await waiting


async def test_token_callback_may_close_the_client() -> None:
    calls: list[str] = []

    async def token() -> str:
        calls.append("called")
        await client.close()
        calls.append("closed")
        return ""

    client = connect(UNREACHABLE, token=token)
    await client.close()
    assert client.state.reason is not None
    assert client.state.reason.kind == "closed"
    client = connect(UNREACHABLE, token=token)
    async for state in client.states():
        if state.name == "stopped":
            break
    await client.close()
    assert "called" in calls


async def test_state_callback_may_close_the_client() -> None:
    async def load() -> None:
        await client.close()

    async with ScriptedServer() as server:
        client = connect(server.url)
        with pytest.raises(StoppedError):
            await client.subscribe("order-1", state=load)


async def test_exception_in_the_body_closes_the_client_at_once() -> None:
    async with ScriptedServer(lambda _: None) as server:
        waiting: list[asyncio.Task[Any]] = []

        async def body() -> None:
            async with connect(server.url) as client:
                waiting.append(asyncio.create_task(client.send("x", broadcast=True)))
                await server.next_frame("sendMessage")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await body()
        with pytest.raises(HeraldError):
            await waiting[0]


def test_end_of_the_event_loop_leaves_no_task_and_no_warning() -> None:
    async def main() -> None:
        async with ScriptedServer() as server:
            client = connect(server.url, options=FAST)
            await client.opened()
            clients.append(client)
            clients.append(connect(UNREACHABLE, options=FAST))
            clients.append(connect(UNREACHABLE, token=asyncio.Event().wait, options=FAST))  # type: ignore[arg-type]
            await asyncio.sleep(0)

    for _ in range(20):
        clients: list[Any] = []
        asyncio.run(main())
        gc.collect()


async def test_defect_of_the_client_stops_it_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    async with ScriptedServer(lambda _: None) as server, connect(server.url) as client:
        waiting = asyncio.create_task(client.send("x", broadcast=True))
        await server.next_frame("sendMessage")

        def fail(*_: object) -> None:
            raise RuntimeError("defect")

        monkeypatch.setattr(client._driver._machine, "handle", fail)
        client.foreground()
        with pytest.raises(StoppedError, match="defect"):
            await waiting
        assert client.state.reason is not None
        assert client.state.reason.kind == "failed"
    assert [str(error) for error in reported][:1] == ["defect"]
