"""Messages, and their errors, against a scripted server."""

from __future__ import annotations

import asyncio

import pytest

from herald_client import (
    ExpiredError,
    GatewayError,
    Options,
    OutboxFullError,
    Outgoing,
    Position,
    ServerError,
    StoppedError,
    connect,
)

from .server import UNREACHABLE, Frame, ScriptedServer


async def test_full_outbox_and_expiry_fail_messages_that_were_not_sent() -> None:
    async with connect(UNREACHABLE, options=Options(outbox_limit=1)) as client:
        waiting = asyncio.create_task(client.send(1, broadcast=True))
        await asyncio.sleep(0)
        with pytest.raises(OutboxFullError):
            await client.send(2, broadcast=True)
        await client.close(within=0)
        with pytest.raises(StoppedError, match="the application closed it"):
            await waiting
    async with connect(UNREACHABLE, options=Options(time_to_live=0.02)) as client:
        with pytest.raises(ExpiredError):
            await client.send(1, broadcast=True)


async def test_errors_of_the_gateway_and_of_parts_have_their_fields() -> None:
    answers: list[Frame] = [
        {"message": "Endpoint request timed out", "connectionId": "c", "requestId": "r"},
        {"type": "error", "id": "2", "code": "partly_sent", "message": "some", "eventIds": ["a", None]},
    ]
    async with ScriptedServer(lambda _: answers.pop(0)) as server, connect(server.url) as client:
        with pytest.raises(GatewayError) as gateway:
            await client.send(1, broadcast=True)
        assert (gateway.value.kind, gateway.value.code, gateway.value.is_retryable) == ("gateway", "timeout", True)
        with pytest.raises(ServerError) as partly:
            await client.send_several([Outgoing(1), Outgoing(2, "me")], entity_id="a")
        assert partly.value.event_ids == ["a", None]


async def test_invalid_arguments_raise_at_once() -> None:
    for url in ("http://example.com", "wss://", "nothing"):
        with pytest.raises(ValueError, match="the address must start with"):
            connect(url)
    with pytest.raises(ValueError, match="ping_after must be"):
        Options(ping_after=-1)
    async with connect(UNREACHABLE) as client:
        with pytest.raises(ValueError, match="exclude each other"):
            client.subscribe("a", rewind=1, recover=Position(0))
        with pytest.raises(ValueError, match="exactly one of entity_id"):
            await client.send(1)
        with pytest.raises(ValueError, match="exactly one of last"):
            await client.history("a")
        with pytest.raises(ValueError, match="not JSON compliant"):
            await client.echo(float("nan"))
        with pytest.raises(TypeError):
            await client.echo(object())


async def test_large_message_is_split_into_frames_between_characters() -> None:
    def echo(frame: Frame) -> Frame:
        return {"type": "message", "id": frame["id"], "message": frame["message"]}

    async with ScriptedServer(echo) as server, connect(server.url) as client:
        for text in ("€" * 40_000, "\ud800"):
            assert (await client.echo(text)).message == text
