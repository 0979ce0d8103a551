"""A herald-local of the tests, which cargo builds if it is stale."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from herald_client import Client, Options, Token, TokenCallback, connect
from herald_client.publisher import Event, EventBridgePublisher

REPOSITORY = Path(__file__).resolve().parents[3]

PERMISSIONS: dict[str, list[str]] = {"**": ["subscribe", "publish", "history", "broadcast", "presence"]}


class Stack:
    def __init__(self, *flags: str) -> None:
        """Starts the stack on any port."""
        command = ["cargo", "run", "--quiet", "-p", "herald-local", "--", "--port", "0", "--json", "--log", "error"]
        self._process = subprocess.Popen([*command, *flags], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.stdout.close()
            raise RuntimeError(f"herald-local exited with {self._process.wait()}")
        addresses = json.loads(line)
        self.url: str = addresses["webSocket"]
        self.endpoint: str = addresses["endpoint"]
        self._tokens: str | None = addresses.get("tokens")
        self.events: Any = boto3.client(
            "events",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

        self.publisher = EventBridgePublisher(source="test", client=self.events)

    def end(self) -> None:
        self.events.close()
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait() == 0
        assert self._process.stdout is not None
        self._process.stdout.close()

    def outputs(self) -> dict[str, str]:
        """Returns the outputs of the template."""
        with urllib.request.urlopen(f"{self.endpoint}/console/stack.json") as answer:
            outputs: dict[str, str] = json.load(answer).get("outputs", {})
        return outputs

    def token(self, user: str, **claims: Any) -> Token:
        """Returns a token of the local issuer."""
        assert self._tokens is not None
        body = json.dumps({"userId": user, "permissions": PERMISSIONS, **claims}).encode()
        with urllib.request.urlopen(urllib.request.Request(self._tokens, body)) as answer:
            fields = json.load(answer)
        return Token(fields["token"], fields["expiresAt"])

    async def put(self, *events: Event) -> None:
        await self.publisher.publish_in_thread(*events)

    async def put_about(self, entity_id: str, *messages: Any) -> None:
        """Puts events about an entity."""
        await self.put(*(Event(message, entity_id=entity_id) for message in messages))

    def connect(self, user: str, url: str | None = None, **options: Any) -> Client:
        """Starts a client with short delays."""
        callback: TokenCallback = self.tokens_of(user)
        return connect(url or self.url, token=callback, options=Options(**{"backoff_base": 0.05, **options}))

    def tokens_of(self, user: str, **claims: Any) -> Callable[[], Token]:
        return lambda: self.token(user, **claims)
