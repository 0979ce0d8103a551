"""Presence against a scripted server, and against herald-local."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from herald_client import (
    Client,
    Member,
    Options,
    Presence,
    PresenceChange,
    ServerError,
    StoppedError,
    Subscription,
    connect,
)

from .proxy import Proxy
from .server import Answer, Frame, ScriptedServer, acknowledge
from .stack import Stack

FAST = Options(backoff_base=0.01, presence_spread=0)


def members(users: Sequence[str]) -> list[dict[str, Any]]:
    return [{"userId": user, "connections": 1} for user in users]


def snapshot(version: int, *users: str) -> dict[str, Any]:
    return {"version": version, "count": len(users), "members": members(users)}


def with_presence(*snapshots: dict[str, Any] | None) -> Answer:
    """Answers as a server with presence: each request for it with the next of the snapshots."""
    left = list(snapshots)

    def answer(frame: Frame) -> Frame | None:
        reply = acknowledge(frame)
        if reply is None or not (frame["action"] == "presence" or frame.get("presence")):
            return reply
        presence = left.pop(0)
        return reply if presence is None else {**reply, "presence": presence}

    return answer


async def push_change(server: ScriptedServer, version: int, joined: Sequence[str], left: Sequence[str]) -> None:
    change = {"version": version, "count": 2, "joined": members(joined), "left": members(left)}
    await server.push({"type": "presence", "entityId": "room", **change})


def ids(of: Sequence[Member]) -> list[str]:
    return [member.user_id for member in of]


def names(presence: Presence | None) -> list[str] | None:
    return None if presence is None or presence.members is None else list(presence.members)


async def test_set_is_there_once_the_subscription_is_and_follows_the_changes() -> None:
    async with (
        ScriptedServer(with_presence(snapshot(17, "alice", "bob"))) as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("room", presence=True) as room,
    ):
        assert await server.next_frame("subscribe") == {
            "action": "subscribe",
            "entityId": "room",
            "presence": True,
            "id": "1",
        }
        assert names(room.presence) == ["alice", "bob"]
        changes = room.presence_changes()
        assert ids((await anext(changes)).joined) == ["alice", "bob"]
        await push_change(server, 18, ["carol"], ["bob"])
        told = await anext(changes)
        assert (ids(told.joined), ids(told.left)) == (["carol"], ["bob"])
        assert names(told.presence) == names(room.presence) == ["alice", "carol"]
        later = client.subscribe("room", presence=True)
        # It begins with its first change, which has all users.
        assert ids((await anext(later.presence_changes())).joined) == ["alice", "carol"]
        room.unsubscribe()
        later.unsubscribe()
        assert (await server.next_frame("unsubscribe"))["entityId"] == "room"
        with pytest.raises(StopAsyncIteration):
            await anext(changes)


async def test_reconnect_and_jump_are_healed_by_a_snapshot() -> None:
    answer = with_presence(snapshot(17, "alice", "bob"), snapshot(3, "alice", "carol"), snapshot(5, "alice", "dave"))
    async with (
        ScriptedServer(answer) as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("room", presence=True) as room,
    ):
        changes = room.presence_changes()
        await anext(changes)
        await server.next_frame("subscribe")
        await server.connections[-1].close()
        told = await anext(changes)
        assert (ids(told.joined), ids(told.left)) == (["carol"], ["bob"])
        await push_change(server, 5, ["erin"], [])
        told = await anext(changes)
        assert (ids(told.joined), ids(told.left)) == (["dave"], ["carol"])
        assert (await server.next_frame("presence"))["entityId"] == "room"


async def test_slow_reader_gets_several_changes_as_one() -> None:
    async with (
        ScriptedServer(with_presence(snapshot(17, "alice", "bob"))) as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("room", presence=True) as room,
    ):
        slow, quick = room.presence_changes(), room.presence_changes()
        await anext(slow)
        await anext(quick)
        await push_change(server, 18, ["carol"], ["bob"])
        await push_change(server, 19, ["dave"], ["alice"])
        await anext(quick)
        if names(room.presence) != ["carol", "dave"]:
            await anext(quick)
        told = await anext(slow)
        assert (ids(told.joined), ids(told.left)) == (["carol", "dave"], ["alice", "bob"])


async def test_presence_is_read_once() -> None:
    known = {"version": 6, "count": 1, "members": [{"userId": "alice", "connections": 2, "info": {"name": "Alice"}}]}
    answer = with_presence(known, {"version": 7, "count": 900}, None)
    async with ScriptedServer(answer) as server, connect(server.url, options=FAST) as client:
        alice = Member("alice", 2, {"name": "Alice"})
        assert await client.presence("room") == Presence(1, {"alice": alice})
        assert await client.presence("room") == Presence(900, None)
        assert await client.presence("room") == Presence(0, None)
        assert (await server.next_frame("presence")) == {"action": "presence", "entityId": "room", "id": "1"}


async def test_refused_presence_is_told_once_and_the_subscription_goes_on() -> None:
    def refuse_presence(frame: Frame) -> Frame | None:
        if not frame.get("presence"):
            return acknowledge(frame)
        return {"type": "error", "id": frame["id"], "code": "forbidden", "message": "no", "retryable": False}

    async with (
        ScriptedServer(refuse_presence) as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("room", presence=True) as room,
    ):
        told = await anext(room.presence_changes())
        assert isinstance(told.error, ServerError)
        assert (told.error.code, told.presence, room.presence) == ("forbidden", None, None)
        await server.push_about("room", 1)
        assert (await anext(room)).message == 1


async def test_subscription_without_presence_has_none_and_ends_it_when_it_stays_alone() -> None:
    async with (
        ScriptedServer(with_presence(snapshot(17, "alice"))) as server,
        connect(server.url, options=FAST) as client,
        client.subscribe("room", presence=True) as watched,
        client.subscribe("room") as plain,
    ):
        await server.next_frame("subscribe")
        assert plain.presence is None
        with pytest.raises(ValueError, match="presence=True"):
            plain.presence_changes()
        watched.unsubscribe()
        assert await server.next_frame("subscribe") == {"action": "subscribe", "entityId": "room", "id": "2"}


async def test_changes_end_with_the_client() -> None:
    async with ScriptedServer(with_presence(snapshot(17, "alice"))) as server:
        client = connect(server.url, options=FAST)
        room = await client.subscribe("room", presence=True)
        changes = room.presence_changes()
        await anext(changes)
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await server.push({"type": "disconnect", "reconnect": False, "code": "blocked", "reason": "no"})
        with pytest.raises(StoppedError, match="blocked"):
            await waiting
        await client.close()
        # A new reader begins with the last set.
        late = room.presence_changes()
        assert ids((await anext(late)).joined) == ["alice"]
        with pytest.raises(StoppedError):
            await anext(late)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    stack = Stack("--auth", "secret", "--parameter", f"Presence={json.dumps({'**': {'interval': 1}})}")
    yield stack
    stack.end()


async def changed_to(changes: AsyncIterator[PresenceChange], *users: str) -> PresenceChange:
    """Returns the change after which exactly these users are there."""
    async for change in changes:
        if names(change.presence) == list(users):
            return change
    raise AssertionError("the changes ended")


def joining(client: Client) -> Subscription:
    return client.subscribe("room", presence=True)


async def test_users_who_join_and_leave_are_told_and_a_reconnect_heals_the_set(stack: Stack) -> None:
    async with (
        Proxy(stack.url) as proxy,
        stack.connect("alice", proxy.url, presence_spread=0) as alice,
        joining(alice) as room,
    ):
        changes = room.presence_changes()
        await changed_to(changes, "alice")
        async with stack.connect("bob") as bob, joining(bob) as of_bob:
            assert ids((await changed_to(changes, "alice", "bob")).joined) == ["bob"]
            await changed_to(of_bob.presence_changes(), "alice", "bob")
            assert names(await bob.presence("room")) == ["alice", "bob"]
        assert ids((await changed_to(changes, "alice")).left) == ["bob"]
        proxy.cut()
        async with stack.connect("carol") as carol, joining(carol):
            await changed_to(changes, "alice", "carol")
