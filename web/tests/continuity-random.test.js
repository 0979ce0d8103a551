// Random runs of the machine against a server with a log: pushes are lost, repeated and late, sockets break, and the
// server forgets old messages. Every run must end with each message delivered once and in order, or told as lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Machine } from '../client/machine.js';

const RUNS = 300;
const EVENTS = 60;
const END = 400_000;

/** Returns a generator of random numbers: mulberry32. */
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

class World {
  now = 0;
  /** The tasks with their times. */
  tasks = [];
  log = [];
  epoch = 'aaaaaaaa';
  /** The messages that the log still has start after this offset. */
  forgotten = 0;
  listeners = new Set();
  open = new Set();
  /** What the application got: numbers of messages, and `{ lost }`. */
  received = [];
  /** The messages that the server could not recover, for any request. */
  losses = 0;

  constructor(seed, { messagesPerReply, keeps, ...rules }) {
    this.random = randomFrom(seed);
    Object.assign(this, { messagesPerReply, keeps });
    this.machine = new Machine(rules, this.random);
  }

  after(delay, run) {
    this.tasks.push({ at: this.now + Math.round(delay), run });
  }

  run() {
    this.give({ kind: 'connect' });
    this.give({ kind: 'subscribe', subscribers: [{ request: 1, entity: 'a' }] });
    for (let event = 0; event < EVENTS; event += 1) this.after(this.random() * 60_000, () => this.publish());
    for (let cut = 0; cut < 4; cut += 1) this.after(this.random() * 60_000, () => this.breakSocket());
    for (;;) {
      const wakeAt = this.machine.wakeAt ?? Infinity;
      const next = this.tasks.reduce((one, other) => (other.at < one.at ? other : one), { at: Infinity });
      this.now = Math.max(this.now, Math.min(wakeAt, next.at));
      if (this.now > END) return;
      if (wakeAt <= next.at) this.give({ kind: 'time' });
      else this.tasks.splice(this.tasks.indexOf(next), 1)[0].run();
    }
  }

  give(input) {
    for (const effect of this.machine.handle(this.now, input)) this.perform(effect);
  }

  perform({ kind, ...effect }) {
    if (kind === 'deliver') this.received.push(effect.frame.message);
    if (kind === 'lost') this.received.push({ lost: effect.position });
    if (kind === 'resolve') this.startedAt = effect.position.offset;
    if (kind === 'closeSocket') this.close(effect.socket);
    if (kind === 'openSocket') {
      this.after(this.random() * 50, () => {
        this.open.add(effect.socket);
        this.give({ kind: 'opened', socket: effect.socket });
      });
    }
    if (kind === 'send') this.after(this.random() * 500, () => this.serve(effect.socket, JSON.parse(effect.text)));
  }

  breakSocket() {
    const [socket] = this.open;
    if (socket === undefined) return;
    this.close(socket);
    this.give({ kind: 'closed', socket });
  }

  close(socket) {
    this.open.delete(socket);
    this.listeners.delete(socket);
  }

  publish() {
    const offset = this.log.length + 1;
    const frame = { type: 'Entity Updated', entityId: 'a', message: offset, eventId: `e${offset}`, epoch: this.epoch, offset };
    this.log.push(frame);
    this.forgotten = Math.max(0, offset - this.keeps);
    for (const socket of this.listeners) {
      const copies = this.random() < 0.2 ? 0 : this.random() < 0.1 ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) this.after(this.random() * 2000, () => this.receive(socket, frame));
    }
  }

  receive(socket, frame) {
    if (this.open.has(socket)) this.give({ kind: 'received', socket, text: JSON.stringify(frame) });
  }

  serve(socket, { action, id, entityId, entities, recover, since }) {
    if (!this.open.has(socket)) return;
    const reply = { type: 'ack', action, id };
    if (action === 'subscribe') {
      this.listeners.add(socket);
      Object.assign(reply, { entityId }, recover ? this.read(recover) : this.position());
    }
    if (action === 'history') Object.assign(reply, this.read(since));
    if (action === 'sync' && entities.a.offset !== this.log.length) reply.entities = { a: this.read(entities.a) };
    this.after(this.random() * 500, () => this.receive(socket, action === 'ping' ? { type: 'pong' } : reply));
  }

  position(offset = this.log.length) {
    return { ...(offset > 0 && { epoch: this.epoch }), offset, top: this.log.length };
  }

  read({ offset }) {
    if (offset < this.forgotten) {
      this.losses += 1;
      return { ...this.position(), recovered: false };
    }
    const messages = this.log.slice(offset, offset + this.messagesPerReply);
    const end = offset + messages.length;
    return { ...this.position(end), recovered: true, messages, ...(end < this.log.length && { more: true }) };
  }
}

function check(world) {
  let expected = world.startedAt + 1;
  for (const item of world.received) {
    if (typeof item === 'number') {
      assert.equal(item, expected);
      expected += 1;
    } else {
      assert.ok(item.lost.offset >= expected, 'a loss has lost something');
      expected = item.lost.offset + 1;
    }
  }
  assert.equal(expected, EVENTS + 1, 'every message is delivered or told as lost');
  assert.ok(world.received.filter((item) => item.lost).length <= world.losses, 'no loss is told without a reason');
}

for (const [name, server] of Object.entries({
  'that keeps every message': { keeps: Infinity, messagesPerReply: Infinity },
  'whose replies have room for two messages': { keeps: Infinity, messagesPerReply: 2 },
  'that keeps five messages': { keeps: 5, messagesPerReply: 3 },
  'whose connections are renewed': { keeps: Infinity, messagesPerReply: 5, renewAfter: 5000, lingerFor: 3000 },
})) {
  test(`every message of a server ${name} is delivered once and in order, or told as lost`, () => {
    let losses = 0;
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const world = new World(seed, server);
      world.run();
      try {
        check(world);
      } catch (error) {
        error.message = `seed ${seed}: ${error.message}, received ${JSON.stringify(world.received)}`;
        throw error;
      }
      losses += world.received.filter((item) => item.lost).length;
    }
    if (server.keeps === Infinity) assert.equal(losses, 0);
    else assert.notEqual(losses, 0);
  });
}
