"""The publishers against a scripted EventBridge and a scripted HTTP server."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from herald_client import Position, TooLargeError
from herald_client.publisher import (
    Event,
    EventBridgePublisher,
    HttpPublisher,
    Published,
    PublishError,
    Rejected,
    batches,
)

KEY = "hk_abcdefabcdef_" + "s" * 40


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collects the delays between attempts, which take no time."""
    delays: list[float] = []
    monkeypatch.setattr(time, "sleep", delays.append)
    return delays


class Bus:
    """An event bus that fails as told: each call takes the error codes of its entries from the front."""

    def __init__(self, *codes: str | None) -> None:
        self.codes = list(codes)
        self.calls: list[Sequence[Mapping[str, Any]]] = []

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: N803
        self.calls.append(Entries)
        return {"Entries": [self.result() for _ in Entries]}

    def result(self) -> dict[str, Any]:
        code = self.codes.pop(0) if self.codes else None
        return {"EventId": "of-the-bus"} if code is None else {"ErrorCode": code, "ErrorMessage": f"about {code}"}

    def details(self, call: int) -> list[Any]:
        return [json.loads(entry["Detail"]) for entry in self.calls[call]]


def test_events_become_entries_of_the_bus() -> None:
    bus = Bus()
    publisher = EventBridgePublisher("herald", source="orders", client=bus)
    events = [
        Event({"n": 1}, entity_id="order-1", idempotency_key="k1", version=3),
        Event("hi", user_id="alice", callback={"x": 1}, idempotency_key="k2"),
        Event(None, broadcast=True, idempotency_key="k3"),
    ]
    assert publisher.publish(*events) == [Published("k1"), Published("k2"), Published("k3")]
    assert [entry["DetailType"] for entry in bus.calls[0]] == [
        "Entity Updated",
        "Send User Push Notification",
        "Broadcast",
    ]
    assert {(entry["EventBusName"], entry["Source"]) for entry in bus.calls[0]} == {("herald", "orders")}
    assert bus.details(0) == [
        {"entityId": "order-1", "message": {"n": 1}, "version": 3, "idempotencyKey": "k1"},
        {"userId": "alice", "message": "hi", "callback": {"x": 1}, "idempotencyKey": "k2"},
        {"message": None, "idempotencyKey": "k3"},
    ]


def test_calls_have_at_most_ten_events_and_256_kib() -> None:
    bus = Bus()
    EventBridgePublisher(client=bus).publish(*(Event(number, broadcast=True) for number in range(23)))
    assert [len(call) for call in bus.calls] == [10, 10, 3]
    bus = Bus()
    EventBridgePublisher(client=bus).publish(*(Event("€" * 30_000, broadcast=True) for _ in range(5)))
    assert [len(call) for call in bus.calls] == [2, 2, 1]


def test_partial_failures_are_retried_with_the_same_idempotency_key(pauses: list[float]) -> None:
    bus = Bus(None, "ThrottlingException", "InternalFailure", "ThrottlingException", None)
    events = [Event(number, broadcast=True) for number in range(3)]
    published = EventBridgePublisher(client=bus).publish(*events)
    assert [result.event_id for result in published] == [event.idempotency_key for event in events]
    assert [[detail["message"] for detail in bus.details(call)] for call in range(3)] == [[0, 1, 2], [1, 2], [1]]
    keys = {detail["idempotencyKey"] for call in range(3) for detail in bus.details(call) if detail["message"] == 1}
    assert keys == {events[1].idempotency_key}
    assert len(pauses) == 2


def test_permanent_and_repeated_failures_are_raised_with_every_result(pauses: list[float]) -> None:
    bus = Bus("MalformedDetail", None, *["ThrottlingException"] * 6)
    with pytest.raises(PublishError, match="2 of 3 events were not published") as caught:
        EventBridgePublisher(client=bus).publish(*(Event(number, broadcast=True) for number in range(3)))
    malformed, published, throttled = caught.value.results
    assert malformed == Rejected("MalformedDetail", "about MalformedDetail", False)
    assert isinstance(published, Published)
    assert throttled == Rejected("ThrottlingException", "about ThrottlingException", True)
    assert len(bus.calls) == batches.ATTEMPTS
    assert len(pauses) == batches.ATTEMPTS - 1


def test_call_that_fails_leaves_the_other_calls_published() -> None:
    class Failing(Bus):
        def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: N803
            if len(Entries) < 10:
                raise PermissionError("no credentials")
            return super().put_events(Entries=Entries)

    with pytest.raises(PublishError, match=r"no credentials \(PermissionError\)") as caught:
        EventBridgePublisher(client=Failing()).publish(*(Event(number, broadcast=True) for number in range(11)))
    assert sum(isinstance(result, Published) for result in caught.value.results) == 10


def test_missing_boto3_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ImportError, match=r"install herald-client\[eventbridge\]"):
        EventBridgePublisher()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "exactly one of"),
        ({"entity_id": "a", "broadcast": True}, "exactly one of"),
        ({"entity_id": ""}, "entity_id must have 1 to 256 bytes"),
        ({"user_id": "ü" * 129}, "user_id must have 1 to 256 bytes, got 258"),
        ({"broadcast": True, "idempotency_key": "k" * 1025}, "idempotency_key must have"),
        ({"broadcast": True, "version": -1}, "version must be"),
        ({"broadcast": True, "callback": 1}, "callback is for"),
    ],
)
def test_invalid_event_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Event(1, **fields)


def test_event_that_no_client_could_receive_is_refused() -> None:
    Event("x" * (128 * 1024 - 300), broadcast=True)
    with pytest.raises(TooLargeError):
        Event("x" * (128 * 1024 - 100), broadcast=True)
    with pytest.raises(ValueError, match="not JSON compliant"):
        Event(float("inf"), broadcast=True)


Script = Callable[[dict[str, Any]], "tuple[int, dict[str, str], Any]"]


class Url:
    """A scripted `publish` URL."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.bytes: list[int] = []
        self.connections = 0
        self.script: Script = accept
        self.breaks = 0
        url = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                url.connections += 1

            def do_POST(self) -> None:
                url.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if self.breaks > 0:
            self.breaks -= 1
            request.close_connection = True
            return
        self.bytes.append(len(body))
        self.paths.append(request.path)
        self.headers.append(dict(request.headers))
        self.requests.append(json.loads(body))
        status, headers, answer = self.script(self.requests[-1])
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        request.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(text)

    def end(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def accept(request: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    return 200, {}, {"results": [{"eventId": message["idempotencyKey"]} for message in request["messages"]]}


@pytest.fixture
def url() -> Iterator[Url]:
    url = Url()
    yield url
    url.end()


def test_messages_become_one_request_with_the_key(url: Url) -> None:
    positioned = {"eventId": "k1", "epoch": "k3J9x2Qa", "offset": 44}
    url.script = lambda _: (200, {}, {"results": [positioned, {"eventId": "k2"}, {"eventId": "k3", "stale": True}]})
    with HttpPublisher(url.address, KEY) as publisher:
        published = publisher.publish(
            Event({"n": 1}, entity_id="order-1", idempotency_key="k1", version=3),
            Event("hi", user_id="42", callback=[1], idempotency_key="k2"),
            Event(None, broadcast=True, idempotency_key="k3"),
        )
    assert published == [
        Published("k1", Position(44, "k3J9x2Qa")),
        Published("k2"),
        Published("k3", is_stale=True),
    ]
    assert url.requests == [
        {
            "messages": [
                {"message": {"n": 1}, "entityId": "order-1", "version": 3, "idempotencyKey": "k1"},
                {"message": "hi", "userId": "42", "callback": [1], "idempotencyKey": "k2"},
                {"message": None, "broadcast": True, "idempotencyKey": "k3"},
            ]
        }
    ]
    assert url.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert url.headers[0]["Content-Type"] == "application/json"
    assert url.paths == ["/"]


def test_requests_have_at_most_a_hundred_messages_and_one_mebibyte_on_one_connection(url: Url) -> None:
    with HttpPublisher(url.address, KEY, over_the_bus=True) as publisher:
        publisher.publish(*(Event(number, broadcast=True) for number in range(201)))
        assert [len(request["messages"]) for request in url.requests] == [100, 100, 1]
        assert all(request["bus"] is True for request in url.requests)
        publisher.publish(*(Event("x" * 120_000, broadcast=True) for _ in range(12)))
        assert [len(request["messages"]) for request in url.requests[3:]] == [8, 4]
        assert max(url.bytes) <= 1024 * 1024
    assert url.connections == 1


def test_transient_results_are_retried_alone_with_their_keys(url: Url) -> None:
    throttled = {"error": {"code": "throttled", "message": "slower", "retryable": True}}
    answers = [
        {
            "results": [
                {"eventId": "k1"},
                throttled,
                {"error": {"code": "forbidden", "message": "no", "retryable": False}},
            ]
        },
        {"results": [{"eventId": "k2"}]},
    ]
    url.script = lambda _: (200, {}, answers.pop(0))
    events = [Event(number, broadcast=True, idempotency_key=f"k{number}") for number in (1, 2, 3)]
    with HttpPublisher(url.address, KEY) as publisher, pytest.raises(PublishError) as caught:
        publisher.publish(*events)
    assert caught.value.results == [Published("k1"), Published("k2"), Rejected("forbidden", "no", False)]
    assert [message["idempotencyKey"] for message in url.requests[1]["messages"]] == ["k2"]


def test_throttled_request_is_retried_after_the_time_that_the_server_asks_for(url: Url, pauses: list[float]) -> None:
    refusals = [(429, {"Retry-After": "7"}, {"code": "throttled"}), (503, {"Retry-After": "Wed"}, b"busy")]
    url.script = lambda request: refusals.pop(0) if refusals else accept(request)
    with HttpPublisher(url.address, KEY) as publisher:
        assert len(publisher.publish(Event(1, broadcast=True))) == 1
    assert pauses[0] == 7
    assert pauses[1] < 1


@pytest.mark.parametrize(
    ("answer", "rejected"),
    [
        ((401, {"code": "unauthorized", "message": "no key"}), Rejected("unauthorized", "no key", False)),
        ((413, b"large"), Rejected("http_413", "the server answered with HTTP 413", False)),
        ((302, b""), Rejected("http_302", "the server answered with HTTP 302", False)),
        ((200, b"[]"), Rejected("bad_answer", "the server answered 1 messages without a result for each", False)),
        ((200, b"{"), Rejected("bad_answer", "the server answered 1 messages without a result for each", False)),
        ((200, {"results": [{}]}), Rejected("bad_answer", "the server did not say what became of k1", False)),
    ],
)
def test_refused_and_unknown_answers_are_raised(url: Url, answer: tuple[int, Any], rejected: Rejected) -> None:
    url.script = lambda _: (answer[0], {}, answer[1])
    with HttpPublisher(url.address, KEY) as publisher, pytest.raises(PublishError) as caught:
        publisher.publish(Event(1, broadcast=True, idempotency_key="k1"))
    assert caught.value.results == [rejected]
    assert len(url.requests) == 1


def test_connection_that_the_server_closed_is_opened_again(url: Url, pauses: list[float]) -> None:
    with HttpPublisher(url.address, KEY) as publisher:
        publisher.publish(Event(1, broadcast=True))
        url.breaks = 1
        publisher.publish(Event(2, broadcast=True))
        url.breaks = 2
        publisher.publish(Event(3, broadcast=True))
    assert [request["messages"][0]["message"] for request in url.requests] == [1, 2, 3]
    assert len(pauses) == 1


def test_server_that_cannot_be_reached_is_tried_six_times(pauses: list[float]) -> None:
    publisher = HttpPublisher("http://127.0.0.1:1/", KEY)
    with pytest.raises(PublishError, match=r"ConnectionRefusedError.*\(unreachable\)"):
        publisher.publish(Event(1, broadcast=True))
    assert len(pauses) == batches.ATTEMPTS - 1


async def test_events_are_published_in_a_thread(url: Url) -> None:
    with HttpPublisher(url.address, KEY) as publisher:
        assert len(await publisher.publish_in_thread(Event(1, broadcast=True))) == 1
    assert await EventBridgePublisher(client=Bus()).publish_in_thread() == []


@pytest.mark.parametrize("address", ["http://example.com/", "ftp://127.0.0.1/", "example.com"])
def test_key_is_only_sent_over_https_or_to_a_loopback_address(address: str) -> None:
    with pytest.raises(ValueError, match="url must be an https URL"):
        HttpPublisher(address, KEY)
    for key in ("", "a b", "hk_\n"):
        with pytest.raises(ValueError, match="key must be"):
            HttpPublisher("https://example.com", key)
    assert KEY not in repr(HttpPublisher("http://localhost:1", KEY))
