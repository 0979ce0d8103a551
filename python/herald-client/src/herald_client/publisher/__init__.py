"""Publishers of events, for backends.

`EventBridgePublisher` needs AWS credentials, `HttpPublisher` an API key of the stack.

    publisher = EventBridgePublisher(bus="herald")
    publisher.publish(Event({"state": "shipped"}, entity_id="order-1"))

Both are synchronous and safe to use from several threads. `publish_in_thread` is for asyncio.
"""

from .event import Event
from .eventbridge import EventBridgePublisher, PutEvents
from .http import HttpPublisher
from .results import Published, PublishError, Rejected

__all__ = [
    "Event",
    "EventBridgePublisher",
    "HttpPublisher",
    "PublishError",
    "Published",
    "PutEvents",
    "Rejected",
]
