"""States that are loaded beside a subscription."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from herald_client import (
    Position,
    connect,
)

from .server import EPOCH, FAST, ScriptedServer, at, with_log


async def test_state_is_loaded_again_after_a_reconnect_without_a_log_and_after_a_failure() -> None:
    loads: list[int] = []
    reloaded = asyncio.Event()
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    failures = [ValueError("down")]

    async def load() -> None:
        if len(loads) == 2 and failures:
            raise failures.pop()
        loads.append(1)
        if len(loads) == 3:
            reloaded.set()

    async with (
        ScriptedServer() as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("order-1", state=load) as subscription,
    ):
        assert len(loads) == 2
        await server.connections[-1].close()
        await reloaded.wait()
        await server.push_about("order-1", "live")
        assert (await anext(subscription)).message == "live"
    assert [str(error) for error in reported] == ["down"]


async def test_state_callback_that_raises_cancelled_error_is_called_again() -> None:
    loads: list[int] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: None)

    async def load() -> None:
        loads.append(1)
        if len(loads) == 3:
            raise asyncio.CancelledError

    async with (
        ScriptedServer() as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("order-1", state=load) as subscription,
        client.states() as states,
    ):
        await server.connections[-1].close()
        await anext(states)
        assert [(await anext(states)).name for _ in range(2)] == ["reconnecting", "open"]
        await server.push_about("order-1", "live")
        assert (await anext(subscription)).message == "live"
        assert len(loads) == 4


async def test_state_callback_that_fails_at_first_fails_the_subscription() -> None:
    async def load() -> None:
        raise ValueError("down")

    async with ScriptedServer() as server, connect(server.url) as client:
        with pytest.raises(ValueError, match="down"):
            await client.subscribe("order-1", state=load)
        assert server.frames.empty()


async def test_state_holds_messages_until_it_is_loaded_and_drops_those_it_has() -> None:
    may_load = asyncio.Event()
    loads: list[int] = []

    async def load() -> Position:
        loads.append(1)
        if len(loads) > 1:
            await may_load.wait()
            return Position(12, EPOCH)
        return Position(4, EPOCH)

    async with (
        ScriptedServer(with_log(4)) as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("order-1", state=load) as subscription,
        client.losses() as losses,
    ):
        assert (await server.next_frame("subscribe"))["recover"] == at(4)
        server.answer = lambda frame: {
            "type": "ack",
            "action": frame["action"],
            "id": frame["id"],
            "entities": {"order-1": {**at(10), "top": 10, "recovered": False}},
        }
        await server.push_about("order-1", 11, **at(11))
        await anext(losses)
        for offset in (12, 13):
            await server.push_about("order-1", offset, **at(offset))
        may_load.set()
        assert (await anext(subscription)).message == 13


async def test_state_of_a_later_subscriber_is_loaded_until_it_reaches_the_position_it_joins_at() -> None:
    answers = [Position(4, EPOCH), Position(5, EPOCH)]

    async def load() -> Position:
        return answers.pop(0)

    async with (
        ScriptedServer(with_log(4)) as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("order-1") as first,
    ):
        await server.push_about("order-1", 5, **at(5))
        await anext(first)
        async with client.subscribe("order-1", state=load) as later:
            await server.push_about("order-1", 6, **at(6))
            assert (await anext(later)).message == 6
            assert answers == []
