// Random runs of the machine against a server with presence: changes are lost, repeated and late, sockets break and are
// renewed, and subscribers come and go. Every run must end with the server's set.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Machine } from '../client/machine.js';

const RUNS = 300;
const CHANGES = 60;
/** The time of the last change, which arrives. */
const LAST = 70_000;
const END = 90_000;
/** The most users of a frame with members. */
const LIMIT = 4;

/** Returns a generator of random numbers: mulberry32. */
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const memberOf = (userId) => ({ userId, connections: 1 });

class World {
  now = 0;
  /** The tasks with their times. */
  tasks = [];
  users = new Set();
  version = 0;
  open = new Set();
  /** The sockets whose subscription asks for presence. */
  listeners = new Set();
  /** The set that the application was told. */
  told = undefined;
  requests = 0;
  asks = 0;

  constructor(seed) {
    this.random = randomFrom(seed);
    this.machine = new Machine({ heldLimit: 3, renewAfter: 50_000, stableAfter: 1000 }, this.random);
  }

  after(delay, run) {
    this.tasks.push({ at: this.now + Math.round(delay), run });
  }

  run() {
    this.give({ kind: 'connect' });
    this.subscribe(true);
    for (let change = 0; change < CHANGES; change += 1) this.after(this.random() * 60_000, () => this.change());
    for (let cut = 0; cut < 3; cut += 1) this.after(this.random() * 60_000, () => this.breakSocket());
    for (let time = 0; time < 3; time += 1) this.after(this.random() * 60_000, () => this.replaceSubscriber());
    this.after(LAST, () => this.change(true));
    for (;;) {
      const wakeAt = this.machine.wakeAt ?? Infinity;
      const next = this.tasks.reduce((one, other) => (other.at < one.at ? other : one), { at: Infinity });
      this.now = Math.max(this.now, Math.min(wakeAt, next.at));
      if (this.now > END) return;
      if (wakeAt <= next.at) this.give({ kind: 'time' });
      else this.tasks.splice(this.tasks.indexOf(next), 1)[0].run();
    }
  }

  subscribe(presence) {
    const request = ++this.requests;
    this.give({ kind: 'subscribe', subscribers: [{ request, entity: 'room', presence }] });
  }

  /** Replaces the subscriber that asks, with another one beside it or not. */
  replaceSubscriber() {
    const isBeside = this.random() < 0.5;
    if (isBeside) this.subscribe(false);
    this.give({ kind: 'unsubscribe', entity: 'room', presence: true });
    this.told = undefined;
    this.after(this.random() * 2000, () => {
      this.subscribe(true);
      if (isBeside) this.give({ kind: 'unsubscribe', entity: 'room' });
    });
  }

  give(input) {
    for (const effect of this.machine.handle(this.now, input)) this.perform(effect);
  }

  perform({ kind, socket, text, presence }) {
    if (kind === 'openSocket') this.after(this.random() * 300, () => this.opened(socket));
    else if (kind === 'closeSocket') this.closed(socket);
    else if (kind === 'send') this.after(this.random() * 300, () => this.requested(socket, JSON.parse(text)));
    else if (kind === 'presence') this.told = presence;
  }

  opened(socket) {
    this.open.add(socket);
    this.give({ kind: 'opened', socket });
  }

  closed(socket) {
    this.open.delete(socket);
    this.listeners.delete(socket);
  }

  breakSocket() {
    const [socket] = this.open;
    if (socket === undefined) return;
    this.closed(socket);
    this.give({ kind: 'closed', socket });
  }

  send(socket, frame, delay = this.random() * 800) {
    this.after(delay, () => {
      if (this.open.has(socket)) this.give({ kind: 'received', socket, text: JSON.stringify(frame) });
    });
  }

  requested(socket, { action, id, presence = false }) {
    if (!this.open.has(socket)) return;
    if (action === 'ping') return this.send(socket, { type: 'pong' });
    if (action === 'presence') this.asks += 1;
    if (action === 'subscribe' && presence) this.listeners.add(socket);
    else if (action !== 'presence') this.listeners.delete(socket);
    if (action === 'presence' && this.random() < 0.3) {
      return this.send(socket, { type: 'error', id, code: 'throttled', message: 'later', retryable: true });
    }
    const told = presence || action === 'presence' ? { presence: this.snapshot() } : {};
    this.send(socket, { type: 'ack', action, id, entityId: 'room', ...told });
  }

  snapshot() {
    const { version, users } = this;
    const members = Array.from(users).sort().map(memberOf);
    return { version, count: users.size, ...(users.size <= LIMIT && { members }) };
  }

  /** Lets a user join or leave, and tells the listeners. */
  change(arrives = false) {
    const user = `user-${Math.floor(this.random() * 7)}`;
    const joins = !this.users.has(user);
    if (joins) this.users.add(user);
    else this.users.delete(user);
    this.version += 1;
    const { members, ...frame } = { type: 'presence', entityId: 'room', ...this.snapshot() };
    if (members) Object.assign(frame, { joined: joins ? [memberOf(user)] : [], left: joins ? [] : [memberOf(user)] });
    for (const socket of this.listeners) {
      if (arrives || this.random() < 0.8) this.send(socket, frame, this.random() * 3000);
      if (this.random() < 0.2) this.send(socket, frame, this.random() * 3000);
    }
  }
}

test('a client ends with the set of the server', () => {
  let asks = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const world = new World(seed);
    world.run();
    const { count, members = null } = world.snapshot();
    const told = { ...world.told, members: world.told?.members && Array.from(world.told.members.values()) };
    assert.deepEqual(told, { count, members }, `seed ${seed}`);
    asks += world.asks;
  }
  assert.ok(asks > RUNS, 'the runs lose changes');
});
