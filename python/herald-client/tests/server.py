"""A scripted server: it records connections and frames, and answers as a test tells it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from herald_client import Options

# Options for tests that wait for retries.
FAST = Options(backoff_base=0.01, gap_after=0, gap_spread=0)

# An address that nothing listens on.
UNREACHABLE = "ws://127.0.0.1:1/dev"

EPOCH = "k3J9x2Qa"

Frame = dict[str, Any]
Answer = Callable[[Frame], "Frame | None"]


def acknowledge(frame: Frame) -> Frame | None:
    """Answers as a server without logs."""
    if frame["action"] == "ping":
        return {"type": "pong"}
    ack = {"type": "ack", "action": frame["action"], "id": frame["id"]}
    if "entities" in frame:
        return {**ack, "entities": {entity: {} for entity in frame["entities"]}}
    event = {"eventId": f"event-{frame['id']}"} if frame["action"] == "sendMessage" else {}
    return {**ack, **event, **({"entityId": frame["entityId"]} if "entityId" in frame else {})}


def with_log(top: int) -> Callable[[Frame], Frame | None]:
    """Answers as a server whose entities have a log."""

    def answer(frame: Frame) -> Frame | None:
        reply = acknowledge(frame)
        if reply is not None and frame["action"] == "subscribe":
            return {**reply, "epoch": EPOCH, "offset": top, "top": top}
        return reply

    return answer


def at(offset: int) -> dict[str, Any]:
    return {"epoch": EPOCH, "offset": offset}


class ScriptedServer:
    """A server on any port. It is to be entered with `async with`."""

    def __init__(self, answer: Answer = acknowledge) -> None:
        self.answer = answer
        self.url = ""
        # The statuses of the next handshakes, which are refused.
        self.refusals: list[HTTPStatus] = []
        self.handshakes: list[Request] = []
        self.connections: list[ServerConnection] = []
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        # The close codes of connections that ended.
        self.closes: asyncio.Queue[int | None] = asyncio.Queue()
        self._server: Server | None = None

    async def __aenter__(self) -> ScriptedServer:
        self._server = await serve(
            self._handle,
            "127.0.0.1",
            0,
            process_request=self._check,
            select_subprotocol=lambda _, offered: Subprotocol("herald.v1") if "herald.v1" in offered else None,
        )
        self.url = f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/dev"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def push(self, frame: Frame) -> None:
        """Sends a frame on the last connection."""
        await self.connections[-1].send(json.dumps(frame))

    async def push_about(self, entity: str, message: Any, **fields: Any) -> None:
        await self.push({"type": "Entity Updated", "entityId": entity, "message": message, **fields})

    async def next_frame(self, action: str) -> Frame:
        """Waits for the next frame of an action."""
        while True:
            frame = await self.frames.get()
            if frame["action"] == action:
                return frame

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append(request)
        if not self.refusals:
            return None
        status = self.refusals.pop(0)
        response = connection.respond(status, "no")
        if 300 <= status < 400:
            response.headers["Location"] = self.url
        return response

    async def _handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        try:
            async for text in connection:
                frame = json.loads(text)
                self.frames.put_nowait(frame)
                reply = self.answer(frame)
                if reply is not None:
                    await connection.send(json.dumps(reply))
        except ConnectionClosed:
            pass
        finally:
            self.closes.put_nowait(connection.close_code)
