#!/usr/bin/env bash
# Publishes a message to the subscribers of an entity, with the AWS CLI and jq: publish.sh order-1 '{"state":"shipped"}'
set -euo pipefail

# The key is the push's id: with the same one, a repeat of the event is no second push.
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
entries=$(jq -n --arg bus "${EVENT_BUS_NAME:-default}" --arg entity "$1" --argjson message "$2" --arg key "$key" '[{
  EventBusName: $bus, Source: "shop", DetailType: "Entity Updated",
  Detail: {entityId: $entity, message: $message, idempotencyKey: $key} | tojson
}]')
answer=$(aws events put-events --entries "$entries" --output json)
# The command succeeds even if the bus accepted none of the events.
if (($(jq .FailedEntryCount <<<"$answer"))); then
  jq -r '.Entries[] | select(.ErrorCode) | "the bus did not accept an event: \(.ErrorCode): \(.ErrorMessage)"' <<<"$answer" >&2
  exit 1
fi
