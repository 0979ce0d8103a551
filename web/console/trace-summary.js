/**
 * The summary of a trace: the title and the outcome of its event, and its steps in groups.
 *
 * @module trace-summary
 */

import { count } from './format.js';
import { logTitle } from './positions.js';

/** @import { Post, Queued } from './records.js' */
/** @import { Deliveries, Step, Trace } from './traces.js' */

/** @typedef {'ok' | 'warn' | 'bad' | 'busy' | 'quiet'} Tone */

/** The outcome of an event or a post. @typedef {{ tone: Tone, text: string }} Outcome */

/**
 * The kind of an event, its audience and its content. Empty if the records do not contain them.
 *
 * @typedef {{ kind: string, audience: string, content: string }} Title
 */

/** Steps that are shown as one: consecutive posts are a group. @typedef {{ startedAt: number, steps: Step[] }} Group */

/**
 * Returns the title of an event. If the beginning of its trace is unknown, as for a message that was published over HTTP, the
 * content is the id, and the audience that of the log that numbered the message.
 *
 * @param {Trace} trace
 * @returns {Title}
 */
export function titleOf({ eventId, steps, position }) {
  for (const { record } of steps) {
    if (record.kind === 'event') {
      return {
        kind: record.detailType,
        audience: audienceOf(record.detail, record.detailType),
        content: contentOf(record.detail),
      };
    }
    if (record.kind === 'request') {
      const frame = parsed(record.body);
      return { kind: 'Client message', audience: audienceOf(frame), content: contentOf(frame) };
    }
  }
  return { kind: 'Event', audience: position ? logTitle(position.log) : '', content: eventId };
}

/**
 * @param {Trace} trace
 * @param {(queue: string) => boolean} isForDeadLetters
 * @returns {Outcome}
 */
export function outcomeOf(trace, isForDeadLetters) {
  const records = trace.steps.map(({ record }) => record);
  const queued = records.filter((record) => record.kind === 'queued');
  const lastQueued = queued.at(-1);
  const event = records.find((record) => record.kind === 'event');
  if (!lastQueued && event?.rules.length === 0) return { tone: 'warn', text: 'no rule matched' };
  if (lastQueued && isForDeadLetters(lastQueued.queue)) return { tone: 'bad', text: 'dead letter' };

  const lastRun = trace.steps.findLast(({ record }) => record.kind === 'invocation');
  if (!lastRun || (lastQueued && lastQueued.at > lastRun.startedAt)) {
    const again = lastRun !== undefined || queued.length > 1;
    return again ? { tone: 'warn', text: 'retry pending' } : { tone: 'busy', text: 'in flight' };
  }
  if (lastRun.record.kind === 'invocation' && lastRun.record.outcome !== 'ok') {
    return { tone: 'bad', text: 'function failed' };
  }
  return deliveryOutcome(trace);
}

/**
 * Returns the time from the beginning of the first step to the end of the last, in milliseconds.
 *
 * @param {Trace} trace
 */
export function durationOf({ steps }) {
  const ends = steps.map(({ record }) => record.at);
  return ends.length === 0 ? 0 : Math.max(...ends) - steps[0].startedAt;
}

/** @param {Trace} trace @returns {Group[]} */
export function groupsOf({ steps }) {
  /** @type {Group[]} */
  const groups = [];
  for (const step of steps) {
    const last = groups.at(-1);
    const follows = step.record.kind === 'post' && last?.steps[0].record.kind === 'post';
    if (last && follows) last.steps.push(step);
    else groups.push({ startedAt: step.startedAt, steps: [step] });
  }
  return groups;
}

/** @param {Post} post @returns {Outcome} */
export function outcomeOfPost({ status }) {
  if (status === 200) return { tone: 'ok', text: 'delivered' };
  if (status === 410) return { tone: 'quiet', text: 'gone' };
  if (status === 429) return { tone: 'warn', text: 'throttled' };
  return { tone: 'bad', text: 'failed' };
}

/**
 * Returns the beginning of a sentence that ends with the queue.
 *
 * @param {Queued} queued
 * @param {boolean} isForDeadLetters
 */
export function causeOf({ cause, delay }, isForDeadLetters) {
  if (cause === 'replayed') return 'Replayed to';
  if (cause === 'redriven') return 'Received too many times, moved to';
  if (isForDeadLetters) return 'Delivery failed, moved to';
  return delay > 0 ? `Queued with a delay of ${count(delay, 'second')} on` : 'Queued on';
}

/** @param {Deliveries} deliveries @returns {Outcome} */
export function deliveryOutcome({ delivered, gone, failed }) {
  const parts = [];
  if (delivered > 0) parts.push(`delivered to ${delivered.toLocaleString('en')}`);
  if (gone > 0) parts.push(`${gone.toLocaleString('en')} gone`);
  if (failed > 0) parts.push(`${count(failed, 'failed post')}`);
  if (parts.length === 0) return { tone: 'quiet', text: 'no recipients' };
  if (delivered === 0) return { tone: failed > 0 ? 'bad' : 'quiet', text: parts.join(', ') };
  return { tone: 'ok', text: parts.join(', ') };
}

/** @param {any} content a detail or a frame. @param {string} [detailType] */
function audienceOf(content, detailType) {
  if (typeof content?.entityId === 'string') return content.entityId;
  if (typeof content?.userId === 'string') return `user ${content.userId}`;
  return content?.broadcast === true || detailType === 'Broadcast' ? 'everyone' : '';
}

/** @param {any} content @returns {string} one line of JSON. */
function contentOf(content) {
  if (content === null || content === undefined) return '';
  const shown = [content.message, content.messages, content.reason, content].find((value) => value !== undefined);
  return JSON.stringify(shown);
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
