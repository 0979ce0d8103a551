"""Subscriptions and readers against a scripted server."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from herald_client import (
    LaggedError,
    Lost,
    Options,
    Position,
    Push,
    ServerError,
    StoppedError,
    connect,
)

from .server import EPOCH, FAST, Frame, ScriptedServer, acknowledge, at, with_log


async def test_iteration_subscribes_and_leaves_when_it_is_garbage() -> None:
    async with ScriptedServer() as server, connect(server.url) as client:

        async def first() -> Push:
            async for push in client.subscribe("order-1"):
                return push
            raise AssertionError

        reading = asyncio.create_task(first())
        assert (await server.next_frame("subscribe"))["entityId"] == "order-1"
        await server.push_about("order-1", {"state": "shipped"}, eventId="e1", time="2026-01-01T00:00:00Z")
        push = await reading
        assert (push.type, push.entity_id, push.message) == ("Entity Updated", "order-1", {"state": "shipped"})
        assert (push.event_id, push.time, push.position) == ("e1", "2026-01-01T00:00:00Z", None)
        del reading
        gc.collect()
        assert (await server.next_frame("unsubscribe"))["entityId"] == "order-1"


async def test_subscriptions_of_one_turn_share_a_frame_and_an_entity_one_subscription() -> None:
    async with ScriptedServer() as server, connect(server.url) as client:
        await client.opened()
        entities = ["a", "b", "a"]
        subscriptions = [client.subscribe(entity) for entity in entities]
        await asyncio.gather(*(begin(subscription) for subscription in subscriptions))
        assert (await server.next_frame("subscribe"))["entities"] == {"a": {}, "b": {}}
        await server.push_about("a", 1)
        assert [(await anext(subscriptions[index])).message for index in (0, 2)] == [1, 1]
        subscriptions[0].unsubscribe()
        with pytest.raises(StopAsyncIteration):
            await anext(subscriptions[0])
        subscriptions[2].unsubscribe()
        assert (await server.next_frame("unsubscribe"))["entityId"] == "a"
        subscriptions[1].unsubscribe()


async def begin(subscription: Any) -> None:
    await subscription


async def test_refused_subscription_raises_the_servers_error() -> None:
    def refuse(frame: Frame) -> Frame | None:
        if frame["action"] != "subscribe":
            return acknowledge(frame)
        return {"type": "error", "id": frame["id"], "code": "forbidden", "message": "no", "retryable": False}

    async with ScriptedServer(refuse) as server, connect(server.url) as client:
        subscription = client.subscribe("order-1")
        with pytest.raises(ServerError, match=r"no \(forbidden\)"):
            await anext(subscription)
        server.answer = acknowledge
        # A further call tries again.
        await subscription
        subscription.unsubscribe()


async def test_subscription_that_the_server_ends_raises_its_error_after_what_arrived() -> None:
    async with ScriptedServer() as server, connect(server.url, options=FAST) as client:
        subscription = await client.subscribe("order-1")
        await server.push_about("order-1", "last")

        def refuse(frame: Frame) -> Frame | None:
            reply = {"type": "error", "id": frame.get("id"), "code": "forbidden", "message": "no"}
            return reply if frame["action"] == "subscribe" else acknowledge(frame)

        server.answer = refuse
        await server.connections[-1].close()
        assert (await anext(subscription)).message == "last"
        for _ in range(2):
            with pytest.raises(ServerError):
                await anext(subscription)


async def test_cancelled_subscribe_unsubscribes() -> None:
    async with ScriptedServer(lambda _: None) as server, connect(server.url) as client:
        waiting = asyncio.create_task(begin(client.subscribe("order-1")))
        frame = await server.next_frame("subscribe")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await server.push({"type": "ack", "action": "subscribe", "id": frame["id"], "entityId": "order-1"})
        assert (await server.next_frame("unsubscribe"))["entityId"] == "order-1"
        # Cancelled before anything was sent.
        waiting = asyncio.create_task(begin(client.subscribe("order-2")))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert server.frames.empty()
        await client.close(within=0)


async def test_unsubscribe_before_the_acknowledgement_ends_the_iteration() -> None:
    async with ScriptedServer(lambda _: None) as server, connect(server.url) as client:
        subscription = client.subscribe("order-1")
        reading = asyncio.create_task(collect(subscription))
        frame = await server.next_frame("subscribe")
        subscription.unsubscribe()
        assert await reading == []
        await server.push({"type": "ack", "action": "subscribe", "id": frame["id"], "entityId": "order-1"})
        assert (await server.next_frame("unsubscribe"))["entityId"] == "order-1"
        assert await collect(subscription) == []
        await client.close(within=0)


async def test_unsubscribe_while_the_state_loads_makes_no_request_and_keeps_the_other_of_the_entity() -> None:
    loading, may_load = asyncio.Event(), asyncio.Event()

    async def load() -> None:
        loading.set()
        await may_load.wait()

    async with (
        ScriptedServer() as server,
        connect(server.url) as client,
        client.subscribe("order-1") as other,
    ):
        await server.next_frame("subscribe")
        subscription = client.subscribe("order-1", state=load)
        reading = asyncio.create_task(collect(subscription))
        await loading.wait()
        subscription.unsubscribe()
        may_load.set()
        assert await reading == []
        await server.push_about("order-1", "for the other")
        assert await read(other) == "for the other"
        await client.echo("a reply to what was sent")
        assert (await server.frames.get())["action"] == "sendMessage"


async def test_cancelled_read_loses_no_message() -> None:
    async with (
        ScriptedServer() as server,
        connect(server.url) as client,
        client.subscribe("order-1") as subscription,
    ):
        for number in range(50):
            reading = asyncio.create_task(read(subscription))
            await asyncio.sleep(0)
            sending = asyncio.create_task(server.push_about("order-1", number))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait((reading, sending))
            assert (await read(subscription) if reading.cancelled() else reading.result()) == number


async def read(subscription: Any) -> Any:
    return (await anext(subscription)).message


async def test_slow_reader_is_told_what_it_missed_and_keeps_the_position_before() -> None:
    async with (
        ScriptedServer(with_log(0)) as server,
        connect(server.url, options=Options(buffer=3)) as client,
        client.subscribe("order-1") as subscription,
        client.of_type("done") as done,
    ):
        for offset in range(1, 6):
            await server.push_about("order-1", offset, **at(offset))
        await server.push({"type": "done"})
        await anext(done)
        assert subscription.position == Position(0, EPOCH)
        with pytest.raises(LaggedError, match="missed 2 events"):
            await anext(subscription)
        assert [(await anext(subscription)).message for _ in range(3)] == [3, 4, 5]
        assert subscription.position == Position(5, EPOCH)


async def test_reader_that_is_fast_enough_misses_nothing_of_a_flood() -> None:
    count = 5000
    async with (
        ScriptedServer() as server,
        connect(server.url, options=Options(buffer=200)) as client,
        client.subscribe("order-1") as subscription,
    ):
        reading = asyncio.create_task(take(subscription, count))
        for number in range(count):
            await server.push_about("order-1", number)
        assert await reading == list(range(count))


async def take(subscription: Any, count: int) -> list[Any]:
    return [await read(subscription) for _ in range(count)]


async def test_loss_comes_before_the_next_message_and_the_iteration_skips_it() -> None:
    async with (
        ScriptedServer(with_log(4)) as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("order-1", recover=Position(1, "Aaaaaaaa")) as subscription,
        client.losses() as losses,
    ):
        server.answer = lambda frame: {
            "type": "ack",
            "action": frame["action"],
            "id": frame["id"],
            "entities": {"order-1": {**at(9), "top": 9, "recovered": False}},
        }
        await server.push_about("order-1", "ahead", **at(10))
        events = subscription.events()
        lost = await anext(events)
        assert lost == Lost("entity", "order-1", Position(9, EPOCH))
        assert await anext(losses) == lost
        assert isinstance(await anext(events), Push)
        assert subscription.position == Position(10, EPOCH)


async def test_disconnect_for_good_stops_the_client_and_its_readers() -> None:
    async with ScriptedServer() as server, connect(server.url) as client:
        subscription = await client.subscribe("order-1")
        reader = client.broadcasts()
        await client.opened()
        await server.push({"type": "disconnect", "reconnect": False, "code": "user_disconnected", "reason": "bye"})
        for iterator in (subscription, reader):
            with pytest.raises(StoppedError, match=r"bye \(user_disconnected\)"):
                await anext(iterator)
        assert client.state.name == "stopped"


async def test_readers_end_when_the_application_closes_the_client() -> None:
    async with ScriptedServer() as server:
        client = connect(server.url)
        subscription = await client.subscribe("order-1")
        readers = [client.broadcasts(), client.notifications(), client.of_type("x"), subscription]
        reading = [asyncio.create_task(collect(reader)) for reader in readers]
        done = client.of_type("done")
        await server.push({"type": "x", "message": 1})
        await server.push({"type": "done"})
        await anext(done)
        await client.close()
        assert await server.closes.get() == 1000
        assert [len(pushes) for pushes in await asyncio.gather(*reading)] == [0, 0, 1, 0]
        await client.close()


async def collect(reader: Any) -> list[Push]:
    return [push async for push in reader]
