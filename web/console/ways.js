/**
 * Joins records into the ways of events: what became of each, from whoever put or sent it to the connections it reached.
 *
 * Records of one event share its `eventId`, and are reported when something has ended: the steps of a way are put into
 * the order in which they began. What a way means is in `way-summary.js`.
 *
 * @module ways
 */

/** @import { ActivityRecord, ClientRequest, Invocation, Post, PutEvent, Queued } from './records.js' */

/** @typedef {ClientRequest | PutEvent | Queued | Invocation | Post} StepRecord */

/** @typedef {{ startedAt: number, record: StepRecord }} Step */

/**
 * The way of one event. `steps` are in the order in which they began; a way of more than `STEPS` keeps the first of
 * them, and `leftOut` counts the others. `delivered`, `gone` and `failed` count all posts. `changes` grows with every
 * record, so that a view can tell whether it has shown all.
 *
 * @typedef {object} Way
 * @property {string} eventId
 * @property {Step[]} steps
 * @property {number} leftOut
 * @property {number} delivered
 * @property {number} gone
 * @property {number} failed
 * @property {number} changes
 */

/** The most steps of one way that are kept. */
export const STEPS = 400;

export class Ways {
  #limit;
  /** @type {Map<string, Way>} */
  #ways = new Map();

  /** @param {number} limit the most ways that are kept; the oldest are forgotten first. */
  constructor(limit) {
    this.#limit = limit;
  }

  /** @param {ActivityRecord} record @returns {boolean} whether it is a step of any way. */
  add(record) {
    const eventIds = eventIdsOf(record);
    for (const eventId of eventIds) addStep(this.#wayOf(eventId), /** @type {StepRecord} */ (record));
    return eventIds.length > 0;
  }

  clear() {
    this.#ways.clear();
  }

  /** @param {string} eventId @returns {Way | undefined} */
  find(eventId) {
    return this.#ways.get(eventId);
  }

  /** @returns {Way[]} by when they were first heard of, the newest first. */
  get newestFirst() {
    return Array.from(this.#ways.values()).reverse();
  }

  /** @param {string} eventId */
  #wayOf(eventId) {
    const known = this.#ways.get(eventId);
    if (known) return known;
    const way = { eventId, steps: [], leftOut: 0, delivered: 0, gone: 0, failed: 0, changes: 0 };
    this.#ways.set(eventId, way);
    const [oldest] = this.#ways.keys();
    if (this.#ways.size > this.#limit) this.#ways.delete(oldest);
    return way;
  }
}

/** The ids of the events that an acknowledgement names. @param {string | null} reply */
export function eventIdsOfReply(reply) {
  try {
    const { type, eventId, eventIds } = JSON.parse(reply ?? '');
    return type === 'ack' ? [eventId, ...(eventIds ?? [])].filter((id) => typeof id === 'string') : [];
  } catch {
    return [];
  }
}

/** @param {ActivityRecord} record @returns {string[]} */
function eventIdsOf(record) {
  switch (record.kind) {
    case 'event':
      return [record.eventId];
    case 'request':
      return eventIdsOfReply(record.reply);
    case 'queued':
    case 'post':
      return record.eventIds;
    case 'invocation':
      // What a client's message came to is in the record of its request.
      return record.queue === null ? [] : record.eventIds;
    default:
      return [];
  }
}

/** @param {Way} way @param {StepRecord} record */
function addStep(way, record) {
  way.changes += 1;
  if (record.kind === 'post') countPost(way, record.status);
  if (way.steps.length >= STEPS) {
    way.leftOut += 1;
    return;
  }
  const startedAt = record.at - ('milliseconds' in record ? record.milliseconds : 0);
  const before = way.steps.findLastIndex((step) => step.startedAt <= startedAt);
  way.steps.splice(before + 1, 0, { startedAt, record });
}

/** @param {Way} way @param {number} status */
function countPost(way, status) {
  if (status === 200) way.delivered += 1;
  else if (status === 410) way.gone += 1;
  else way.failed += 1;
}
