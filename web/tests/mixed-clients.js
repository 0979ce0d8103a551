// Clients of a test in Rust (functions/tests/end_to_end/continuity_mixed.rs). Its argument is their plans in JSON. Each
// report of a client is a line of JSON.

import { setTimeout as sleep } from 'node:timers/promises';

import WebSocket from 'ws';

import { connect } from '../herald-client.js';

/** A WebSocket that hands out one message in each turn of the event loop. */
class OneByOne extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { allowSynchronousEvents: false });
  }
}

// Times are shorter than the defaults, so that all that takes time happens often in a short run.
const options = {
  webSocket: OneByOne,
  backoffBase: 1000,
  backoffCap: 4000,
  gapAfter: 100,
  gapSpread: 400,
  pongTimeout: 10_000,
};

async function run({ client: number, url, entities, messages, every, keepAlive }) {
  const report = (report) => process.stdout.write(`${JSON.stringify({ client: number, report })}\n`);
  const client = connect(url, { ...options, pingAfter: keepAlive });
  client.onLost((lost) => {
    report({ delivered: { entity: lost.entityId, entry: { lost: { until: lost.position.offset } } } });
  });
  const deliver = ({ entityId: entity, offset, eventId, message }) =>
    report({ delivered: { entity, entry: { message: { offset, eventId, from: message.from } } } });
  const positions = {};
  for (const entity of entities) positions[entity] = (await subscribe(client, entity, deliver)).position.offset;
  report({ subscribed: positions });
  for (let sent = 0; sent < messages; sent += 1) {
    const entityId = entities[sent % entities.length];
    const reply = client.send({ entityId, message: { from: number } });
    await reply.then(({ eventId }) => report({ acknowledged: eventId }), () => report('unknownOutcome'));
    await sleep(every);
  }
  report('sentAll');
}

/** Subscribes, and again after a failure that may pass: the server may refuse a subscribe under faults. */
async function subscribe(client, entity, deliver) {
  for (;;) {
    try {
      return await client.subscribe(entity, deliver);
    } catch (error) {
      if (!error.retryable) throw error;
    }
    await sleep(100);
  }
}

await Promise.all(JSON.parse(process.argv[2]).map(run));
