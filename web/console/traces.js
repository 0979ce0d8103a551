/**
 * The traces of events, from their source to the connections that they reached, joined from activity records.
 *
 * Records of one event share its `eventId`, and are reported when a step has ended. A trace has its steps in the order
 * in which they began.
 *
 * @module traces
 */

/** @import { ActivityRecord, ClientRequest, Invocation, Post, PutEvent, Queued } from './records.js' */

/** @typedef {ClientRequest | PutEvent | Queued | Invocation | Post} StepRecord */

/** @typedef {{ startedAt: number, record: StepRecord }} Step */

/** The numbers of posts. @typedef {{ delivered: number, gone: number, failed: number }} Deliveries */

/**
 * The trace of one event. It keeps the first `STEPS` steps, and `leftOut` counts the others. `delivered`, `gone` and
 * `failed` count all posts. `position` is that of the frame in the log of its audience. `changes` grows with every record, so
 * that a view knows whether it shows the newest.
 *
 * @typedef {object} Trace
 * @property {string} eventId
 * @property {Step[]} steps
 * @property {number} leftOut
 * @property {number} delivered
 * @property {number} gone
 * @property {number} failed
 * @property {number} changes
 * @property {Post['position']} position
 */

/** The most steps of a trace. */
export const STEPS = 400;

export class Traces {
  #limit;
  /** @type {Map<string, Trace>} */
  #traces = new Map();

  /** @param {number} limit the most traces. The oldest are removed first. */
  constructor(limit) {
    this.#limit = limit;
  }

  /** @param {ActivityRecord} record @returns {boolean} true if it is a step of a trace. */
  add(record) {
    const eventIds = eventIdsOf(record);
    for (const eventId of eventIds) addStep(this.#traceOf(eventId), /** @type {StepRecord} */ (record));
    return eventIds.length > 0;
  }

  clear() {
    this.#traces.clear();
  }

  /** The traces by the time of their first record. @returns {Trace[]} */
  get newestFirst() {
    return Array.from(this.#traces.values()).reverse();
  }

  /** @param {string} eventId */
  #traceOf(eventId) {
    const known = this.#traces.get(eventId);
    if (known) return known;
    const trace = { eventId, steps: [], leftOut: 0, delivered: 0, gone: 0, failed: 0, changes: 0, position: undefined };
    this.#traces.set(eventId, trace);
    const [oldest] = this.#traces.keys();
    if (this.#traces.size > this.#limit) this.#traces.delete(oldest);
    return trace;
  }
}

/** @param {ActivityRecord} record @returns {string[]} */
function eventIdsOf(record) {
  switch (record.kind) {
    case 'event':
      return [record.eventId];
    case 'request':
    case 'queued':
    case 'post':
      return record.eventIds;
    case 'invocation':
      // The record of the request shows the invocation for a client's message.
      return record.queue === null ? [] : record.eventIds;
    default:
      return [];
  }
}

/** @param {Trace} trace @param {StepRecord} record */
function addStep(trace, record) {
  trace.changes += 1;
  if (record.kind === 'post') {
    countPost(trace, record.status);
    trace.position = record.position;
  }
  if (trace.steps.length >= STEPS) {
    trace.leftOut += 1;
    return;
  }
  const startedAt = record.at - ('milliseconds' in record ? record.milliseconds : 0);
  const before = trace.steps.findLastIndex((step) => step.startedAt <= startedAt);
  trace.steps.splice(before + 1, 0, { startedAt, record });
}

/** Counts a post. @param {Deliveries} deliveries @param {number} status */
export function countPost(deliveries, status) {
  if (status === 200) deliveries.delivered += 1;
  else if (status === 410) deliveries.gone += 1;
  else deliveries.failed += 1;
}
