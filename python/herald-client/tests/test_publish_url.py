"""The publisher over HTTP against the `publish` function of herald-local."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import boto3
import pytest

from herald_client import connect
from herald_client.publisher import Event, HttpPublisher, Published, PublishError, Rejected

from .stack import Stack

KEY_ID, SECRET = "k1aaaaaaaaaa", "0123456789abcdefABCDEF0123456789abcdefABCDE"
KEY = f"hk_{KEY_ID}_{SECRET}"
MAY = {"order-*": ["publish"], "**": ["broadcast", "user"]}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    stack = Stack("--parameter", 'History={"**":{"messages":300,"seconds":600}}')
    yield stack
    stack.end()


@pytest.fixture(scope="module")
def url(stack: Stack) -> str:
    """Returns the URL of a stack that has a key. A stack without the function skips the tests."""
    outputs = stack.outputs()
    if "PublishUrl" not in outputs:
        pytest.skip("the stack has no publish URL")
    keys = {KEY_ID: {"sha256": hashlib.sha256(SECRET.encode()).hexdigest(), "may": MAY}}
    secrets = boto3.client(
        "secretsmanager",
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    secrets.put_secret_value(SecretId=outputs["PublishKeysArn"], SecretString=json.dumps(keys))
    secrets.close()
    return outputs["PublishUrl"]


async def test_messages_arrive_once_and_in_the_order_of_their_results(stack: Stack, url: str) -> None:
    events = [Event(number, entity_id="order-1") for number in range(250)]
    async with (
        connect(stack.url) as client,
        client.subscribe("order-1") as order,
        client.broadcasts() as broadcasts,
    ):
        await client.opened()
        with HttpPublisher(url, KEY) as publisher:
            published = await publisher.publish_in_thread(*events)
            (repeated, _, _) = await publisher.publish_in_thread(
                events[-1], Event("all", broadcast=True), Event("me", user_id="alice", callback={"x": 1})
            )
        # It may have another offset, and is dropped by its event id.
        assert repeated.event_id == published[-1].event_id
        received = [await anext(order) for _ in events]
        assert [push.message for push in received] == list(range(250))
        assert [(push.event_id, push.position) for push in received] == [
            (result.event_id, result.position) for result in published
        ]
        assert (await anext(broadcasts)).message == "all"
        with HttpPublisher(url, KEY, over_the_bus=True) as publisher:
            await publisher.publish_in_thread(Event("over the bus", entity_id="order-1"))
        assert (await anext(order)).message == "over the bus"


def test_refused_messages_and_keys_are_raised(url: str) -> None:
    with HttpPublisher(url, KEY) as publisher, pytest.raises(PublishError) as caught:
        publisher.publish(Event(1, entity_id="room-1"), Event(2, entity_id="order-2"))
    rejected, published = caught.value.results
    assert isinstance(rejected, Rejected)
    assert (rejected.code, rejected.is_retryable) == ("forbidden", False)
    assert isinstance(published, Published)
    with HttpPublisher(url, "hk_wrong") as publisher, pytest.raises(PublishError, match=r"\(unauthorized\)"):
        publisher.publish(Event(1, broadcast=True))
