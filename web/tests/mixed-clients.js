// Clients of a test in Rust (functions/tests/end_to_end/continuity_mixed.rs). Its argument is their plans in JSON. Each
// report of a client is a line of JSON.

import { setTimeout as sleep } from 'node:timers/promises';

import WebSocket from 'ws';

import { connect } from '../herald-client.js';

// Times are shorter than the defaults, so that all that takes time happens often in a short run.
const options = {
  webSocket: WebSocket,
  backoffBase: 1000,
  backoffCap: 4000,
  gapAfter: 100,
  gapSpread: 400,
  pingAfter: 2000,
  pongTimeout: 10_000,
};

async function run({ client: number, url, entities, messages, every }) {
  const report = (report) => process.stdout.write(`${JSON.stringify({ client: number, report })}\n`);
  const client = connect(url, options);
  client.onLost((lost) => {
    report({ delivered: { entity: lost.entityId, entry: { lost: { until: lost.position.offset } } } });
  });
  const deliver = ({ entityId: entity, offset, eventId, message }) =>
    report({ delivered: { entity, entry: { message: { offset, eventId, from: message.from } } } });
  for (const entity of entities) await client.subscribe(entity, deliver);
  report({ subscribed: entities });
  for (let sent = 0; sent < messages; sent += 1) {
    const entityId = entities[sent % entities.length];
    const reply = client.send({ entityId, message: { from: number } });
    await reply.then(({ eventId }) => report({ acknowledged: eventId }), () => report('unknownOutcome'));
    await sleep(every);
  }
  report('sentAll');
}

await Promise.all(JSON.parse(process.argv[2]).map(run));
