// Publishes a message to the subscribers of an entity, with the AWS SDK: node publish.mjs order-1 '{"state":"shipped"}'
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';

/** Puts up to ten events on the bus, and again those that it did not accept. */
async function publish(client, entries) {
  let errors;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const answer = await client.send(new PutEventsCommand({ Entries: entries }));
    // The request succeeds even if the bus accepted none of the events.
    if (answer.FailedEntryCount === 0) return;
    const failed = (_, index) => answer.Entries[index].ErrorCode;
    errors = answer.Entries.map((result) => result.ErrorCode).filter(Boolean);
    entries = entries.filter(failed);
    await setTimeout(Math.random() * 200 * 2 ** attempt);
  }
  throw new Error(`the bus did not accept ${entries.length} events: ${errors.join(', ')}`);
}

function entityUpdated(entityId, message) {
  // The key is the push's id: with the same one, a repeat of the event is no second push.
  const detail = { entityId, message, idempotencyKey: randomUUID() };
  return {
    EventBusName: process.env.EVENT_BUS_NAME ?? 'default',
    Source: 'shop',
    DetailType: 'Entity Updated',
    Detail: JSON.stringify(detail),
  };
}

const [entityId, message] = process.argv.slice(2);
await publish(new EventBridgeClient(), [entityUpdated(entityId, JSON.parse(message))]);
