"""The client against herald-local: real sockets, functions, queues and logs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from herald_client import (
    Client,
    Log,
    Lost,
    OutcomeUnknownError,
    Outgoing,
    Position,
    Push,
    Recovered,
    ServerError,
    StoppedError,
    Token,
    TooLargeError,
    connect,
)
from herald_client.publisher import Event

from .proxy import Proxy
from .stack import Stack

POLICY = {"messages": 1000, "seconds": 600}
HISTORY = {"logged-*": POLICY, "$user": POLICY, "$everyone": POLICY}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    stack = Stack("--auth", "secret", "--parameter", f"History={json.dumps(HISTORY)}")
    yield stack
    stack.end()


async def take(pushes: AsyncIterator[Push], count: int) -> list[Push]:
    return [await anext(pushes) for _ in range(count)]


async def put_in_order(stack: Stack, entity: str, *messages: object) -> None:
    """Puts events one after the other, so that their order is known."""
    async with stack.connect("observer") as observer, observer.subscribe(entity) as seen:
        for message in messages:
            await stack.put_about(entity, message)
            assert (await anext(seen)).message == message


async def reconnecting(client: Client) -> None:
    async with client.states() as states:
        async for state in states:
            if state.name == "reconnecting":
                return


async def test_thousand_events_through_a_proxy_that_drops_sockets_arrive_once_and_in_order(stack: Stack) -> None:
    async with Proxy(stack.url) as proxy, stack.connect("alice", proxy.url, gap_spread=0.5) as client:
        async with client.subscribe("logged-flood") as pushes, client.losses() as losses:

            async def publish() -> None:
                for first in range(0, 1000, 50):
                    events = [Event(number, entity_id="logged-flood") for number in range(first, first + 50)]
                    await stack.publisher.publish_in_thread(*events)
                    proxy.cut()

            publishing = asyncio.create_task(publish())
            received = await take(pushes, 1000)
            await publishing
            assert [push.position.offset for push in received if push.position] == list(range(1, 1001))
            assert sorted(push.message for push in received) == list(range(1000))
            assert pushes.position == received[-1].position
        assert [lost async for lost in losses] == []
        assert proxy.accepted > 5


async def test_refused_tokens_stop_the_client(stack: Stack) -> None:
    async with connect(stack.url, token=lambda: "a.b.c") as client:
        with pytest.raises(StoppedError, match="HTTP 40"):
            await client.opened()
        assert client.state.reason is not None
        assert client.state.reason.kind == "refused"
        assert client.state.reason.status in (401, 403)
        with pytest.raises(StoppedError):
            await anext(client.subscribe("order-1"))


async def test_connection_is_renewed_without_a_gap_a_repeat_or_a_change_of_order(stack: Stack) -> None:
    async with (
        Proxy(stack.url) as proxy,
        stack.connect("alice", proxy.url, renew_after=0.3, linger_for=1) as client,
        client.subscribe("logged-renewed") as pushes,
    ):
        events = 0
        while proxy.accepted <= 5:
            await stack.put_about("logged-renewed", events, events + 1)
            await client.send("own", entity_id="logged-renewed")
            events += 2
        received = await take(pushes, events)
        offsets = [push.position.offset for push in received if push.position]
        assert sorted(push.message for push in received) == list(range(events))
        assert offsets == sorted(offsets)
        assert len(offsets) == events


async def test_saved_position_continues_in_a_new_client(stack: Stack) -> None:
    async with stack.connect("alice") as first, first.subscribe("logged-saved") as pushes:
        await put_in_order(stack, "logged-saved", 1, 2)
        await take(pushes, 2)
        assert pushes.position is not None
        saved = json.dumps(pushes.position.to_dict())
    await put_in_order(stack, "logged-saved", 3, 4)
    position = Position.from_dict(json.loads(saved))
    async with stack.connect("alice") as second, second.subscribe("logged-saved", recover=position) as pushes:
        assert [push.message for push in await take(pushes, 2)] == [3, 4]
        assert pushes.position is not None
        assert pushes.position.offset == 4


async def test_position_of_another_epoch_is_told_as_lost(stack: Stack) -> None:
    await put_in_order(stack, "logged-lost", 1)
    async with stack.connect("alice") as client:
        async with client.subscribe("logged-lost", recover=Position(7, "Aaaaaaaa")) as subscription:
            events = subscription.events()
            await put_in_order(stack, "logged-lost", 2)
            lost, push = await anext(events), await anext(events)
        assert isinstance(lost, Lost)
        assert lost.position is not None
        assert lost.position.offset == 1
        assert isinstance(push, Push)
        assert push.message == 2


async def test_messages_of_an_outage_are_recovered(stack: Stack) -> None:
    async with (
        Proxy(stack.url) as proxy,
        stack.connect("erin", proxy.url) as client,
        client.notifications() as notifications,
        client.broadcasts() as broadcasts,
        client.subscribe("logged-outage") as subscription,
    ):
        await client.opened()
        await stack.put(Event(1, user_id="erin"), Event(1, broadcast=True))
        assert [(await anext(reader)).message for reader in (notifications, broadcasts)] == [1, 1]
        await proxy.end()
        await reconnecting(client)
        async with stack.connect("erin") as witness, witness.notifications() as seen, witness.broadcasts() as heard:
            await witness.opened()
            await stack.put(Event(2, user_id="erin"), Event(2, broadcast=True))
            await asyncio.gather(anext(seen), anext(heard))
        await put_in_order(stack, "logged-outage", "missed")
        await proxy.listen()
        assert [(await anext(reader)).message for reader in (notifications, broadcasts)] == [2, 2]
        events = subscription.events()
        missed, recovered = await anext(events), await anext(events)
        assert isinstance(missed, Push)
        assert missed.message == "missed"
        assert recovered == Recovered(1)


async def test_state_is_loaded_before_the_messages_after_it(stack: Stack) -> None:
    await put_in_order(stack, "logged-state", 1, 2)
    async with stack.connect("alice") as client:

        async def load() -> Position:
            history = await client.history("logged-state", last=0)
            await put_in_order(stack, "logged-state", 3)
            return history.position

        async with client.subscribe("logged-state", state=load) as pushes:
            await put_in_order(stack, "logged-state", 4)
            assert [push.message for push in await take(pushes, 2)] == [3, 4]


async def test_history_and_rewind_read_the_log(stack: Stack) -> None:
    await put_in_order(stack, "logged-history", 1, 2, 3, 4, 5)
    async with stack.connect("alice") as client, client.subscribe("logged-history", rewind=2) as pushes:
        assert [push.message for push in await take(pushes, 2)] == [4, 5]
        history = await client.history("logged-history", before=4, limit=2)
        assert [push.message for push in history.messages] == [2, 3]
        since = await client.history("logged-history", since=history.position)
        assert ([push.message for push in since.messages], since.top, since.recovered) == ([4, 5], 5, True)
        assert (await client.history(Log.EVERYONE, last=0)).messages == []


async def test_messages_reach_others_and_not_the_sender(stack: Stack) -> None:
    async with (
        stack.connect("alice") as sender,
        stack.connect("bob") as receiver,
        sender.subscribe("room-1") as own,
        receiver.subscribe("room-1") as heard,
        receiver.broadcasts() as broadcasts,
    ):
        await receiver.opened()
        ack = await sender.send("Hello", entity_id="room-1", name="Aseem")
        push = await anext(heard)
        assert (push.message, push.name, push.event_id) == ("Hello", "Aseem", ack.event_id)
        several = await sender.send_several([Outgoing(1), Outgoing(2)], entity_id="room-1")
        assert {push.event_id for push in await take(heard, 2)} == set(several.event_ids)
        await sender.send("all", broadcast=True)
        assert (await anext(broadcasts)).message == "all"
        assert (await sender.echo("x" * 100_000)).message == "x" * 100_000
        with pytest.raises(TooLargeError):
            await sender.echo("x" * 131_072)
        await stack.put_about("room-1", "last")
        assert (await anext(own)).message == "last"


async def test_refused_requests_have_the_servers_error(stack: Stack) -> None:
    async with stack.connect("alice") as client:
        for request in (client.subscribe(""), client.send_several([], entity_id="room-1")):
            with pytest.raises(ServerError) as caught:
                await request
            assert (caught.value.kind, caught.value.code, caught.value.is_retryable) == ("server", "bad_request", False)


async def test_message_in_flight_is_unknown_or_repeated_when_the_connection_breaks(stack: Stack) -> None:
    async with Proxy(stack.url) as proxy, stack.connect("alice", proxy.url) as client:
        await client.opened()
        proxy.silence()
        lost = asyncio.create_task(client.send("lost", entity_id="room-2"))
        repeated = asyncio.create_task(client.send("repeated", entity_id="room-2", safe_to_repeat=True))
        await asyncio.sleep(0)
        await proxy.end()
        with pytest.raises(OutcomeUnknownError):
            await lost
        await proxy.listen()
        await repeated


async def test_token_is_renewed_on_the_open_connection(stack: Stack) -> None:
    renewed = asyncio.Event()
    tokens: list[Token] = []

    def token() -> Token:
        # The client believes that it ends soon.
        tokens.append(Token(stack.token("alice").text, time.time() + 1))
        if len(tokens) == 3:
            renewed.set()
        return tokens[-1]

    async with (
        Proxy(stack.url) as proxy,
        connect(proxy.url, token=token) as client,
        client.subscribe("order-7") as pushes,
    ):
        await renewed.wait()
        await stack.put_about("order-7", "here")
        assert (await anext(pushes)).message == "here"
        assert proxy.accepted == 1


async def test_token_as_subprotocol_is_accepted(stack: Stack) -> None:
    async with stack.connect("alice", token_in="subprotocol") as client:
        assert (await client.echo("here")).message == "here"
