"""Publishes a message to the subscribers of an entity, with boto3: python3 publish.py order-1 '{"state":"shipped"}'"""

import json
import os
import random
import sys
import time
import uuid

import boto3


def publish(events, entries):
    """Puts up to ten events on the bus, and again those that it did not accept."""
    for attempt in range(5):
        answer = events.put_events(Entries=entries)
        # The request succeeds even if the bus accepted none of the events.
        if answer["FailedEntryCount"] == 0:
            return
        results = list(zip(entries, answer["Entries"]))
        entries = [entry for entry, result in results if "ErrorCode" in result]
        time.sleep(random.uniform(0, 0.2 * 2**attempt))
    errors = {result["ErrorCode"] for _, result in results if "ErrorCode" in result}
    sys.exit(f"the bus did not accept {len(entries)} events: {', '.join(errors)}")


def entity_updated(entity_id, message):
    # The key is the push's id: with the same one, a repeat of the event is no second push.
    detail = {"entityId": entity_id, "message": message, "idempotencyKey": str(uuid.uuid4())}
    return {
        "EventBusName": os.environ.get("EVENT_BUS_NAME", "default"),
        "Source": "shop",
        "DetailType": "Entity Updated",
        "Detail": json.dumps(detail),
    }


publish(boto3.client("events"), [entity_updated(sys.argv[1], json.loads(sys.argv[2]))])
