// The processor time of a push in the client, beside that of a bare WebSocket that parses it: the medians of all rounds.
// `node bench/push.js` prints a table and, as its last line, the JSON that docs/benchmarks.md describes; `--short` makes
// one small round.
//
// The server is a process of its own, so that only the receiving side is measured. Rounds alternate between the rows,
// because a machine has faster and slower minutes.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import WebSocket, { WebSocketServer } from 'ws';

import { connect } from '../herald-client.js';

const SHORT = process.argv.includes('--short');
const ROUNDS = SHORT ? 1 : 7;
const PUSHES = SHORT ? 2_000 : 100_000;
/** The pushes of the first rounds, which the compiler learns from and nothing measures. */
const WARM_UP = SHORT ? 200 : 20_000;

/** Answers as Herald does: an acknowledgement for a `subscribe`, and as many pushes as a text asks for. */
function serve() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: ([protocol]) => protocol });
  server.on('connection', (socket) => {
    let offset = 0;
    socket.on('message', (data) => {
      const { pushes, id, action, entityId } = JSON.parse(String(data));
      const ack = { type: 'ack', action, id, entityId, epoch: 'k3J9x2Qa', offset, top: offset };
      if (action === 'subscribe') return socket.send(JSON.stringify(ack));
      for (let left = pushes ?? 0; left > 0; left -= 1) socket.send(pushOf(++offset));
    });
  });
  server.on('listening', () => process.send(server.address().port));
}

function pushOf(offset) {
  return JSON.stringify({
    type: 'Entity Updated',
    entityId: 'order-1',
    message: { state: 'packed', number: offset },
    eventId: `7bf73129-1428-4cd3-a780-${String(offset).padStart(12, '0')}`,
    time: '2026-01-01T12:00:00.000Z',
    epoch: 'k3J9x2Qa',
    offset,
  });
}

async function measure() {
  const server = fork(fileURLToPath(import.meta.url), ['serve']);
  const [port] = await once(server, 'message');
  const url = `ws://127.0.0.1:${port}/`;
  const rows = { bare: await bare(url), client: await client(url, 0), waiting1000: await client(url, 1000) };
  const times = Object.fromEntries(Object.keys(rows).map((name) => [name, []]));
  for (const receive of Object.values(rows)) await receive(WARM_UP);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, receive] of Object.entries(rows)) times[name].push(await timeOf(receive));
  }
  server.kill();
  const micros = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
  console.log('| receiver | µs a push | of bare |\n| --- | --: | --: |');
  for (const [name, value] of Object.entries(micros)) {
    console.log(`| ${name} | ${value} | ${rounded(value / micros.bare)} |`);
  }
  console.log(`\n${JSON.stringify({ bench: 'push', short: SHORT, binaries: null, machine: machine(), figures: figures(micros) })}`);
  process.exit();
}

function machine() {
  const cores = availableParallelism();
  const processor = cpus()[0]?.model ?? 'unknown processor';
  return { cores, processor, platform: `${process.platform} ${process.arch}`, compiler: `node ${process.version}`, profile: 'release' };
}

function figures(micros) {
  return Object.entries(micros).map(([receiver, value]) => ({
    name: 'processorTimePerPush',
    case: { receiver },
    value,
    unit: 'µs',
  }));
}

/** Returns the processor time of one push, in microseconds. */
async function timeOf(receive) {
  const before = process.cpuUsage();
  await receive(PUSHES);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / PUSHES;
}

function rounded(value) {
  return Math.round(value * 100) / 100;
}

function median(values) {
  return rounded(values.toSorted((one, other) => one - other)[values.length >> 1]);
}

/** A WebSocket that parses each push and counts it. Returns a function that asks for pushes and waits for them. */
async function bare(url) {
  const socket = new WebSocket(url);
  const { heard, received } = counter();
  socket.addEventListener('message', ({ data }) => heard(JSON.parse(data)));
  await once(socket, 'open');
  return (pushes) => {
    socket.send(JSON.stringify({ pushes }));
    return received(pushes);
  };
}

/** The client with one subscription, and with messages that wait for their replies or for their turn. */
async function client(url, waiting) {
  let socket;
  class Watched extends WebSocket {
    constructor(...all) {
      super(...all);
      socket = this;
    }
  }
  const client = connect(url, { webSocket: Watched, replyTimeout: 1e8, timeToLive: 1e8, unansweredAfter: 1e8 });
  const { heard, received } = counter();
  await client.subscribe('order-1', heard);
  for (let number = 0; number < waiting; number += 1) client.send({ broadcast: true, message: number });
  return (pushes) => {
    socket.send(JSON.stringify({ pushes }));
    return received(pushes);
  };
}

/** Returns a handler, and a function that waits until it was called so many times more. */
function counter() {
  let left = 0;
  let resolve = () => {};
  const heard = () => {
    left -= 1;
    if (left === 0) resolve();
  };
  const received = (count) => {
    left = count;
    return new Promise((resolveReceived) => (resolve = resolveReceived));
  };
  return { heard, received };
}

if (process.argv[2] === 'serve') serve();
else await measure();
