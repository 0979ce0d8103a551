/**
 * What the way of an event means: where it came from, whom it is for, what became of it, and its steps as they are shown.
 *
 * @module way-summary
 */

import { count } from './format.js';

/** @import { Post, Queued } from './records.js' */
/** @import { Step, Way } from './ways.js' */

/** @typedef {'ok' | 'warn' | 'bad' | 'busy' | 'quiet'} Tone */

/** What became of an event, in two words, and how good that is. @typedef {{ tone: Tone, words: string }} Outcome */

/**
 * What an event is: its kind, whom it is for, and its content, as far as the records say.
 *
 * @typedef {{ kind: string, audience: string, content: string }} Title
 */

/** A step as it is shown: posts that follow each other are one. @typedef {{ startedAt: number, steps: Step[] }} Group */

/** @param {Way} way @returns {Title} */
export function titleOf({ steps }) {
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
      return { kind: 'Message of a client', audience: audienceOf(frame), content: contentOf(frame) };
    }
  }
  return { kind: 'Event', audience: '', content: '' };
}

/**
 * @param {Way} way
 * @param {(queue: string) => boolean} isForDeadLetters
 * @returns {Outcome}
 */
export function outcomeOf(way, isForDeadLetters) {
  const records = way.steps.map(({ record }) => record);
  const queued = records.filter((record) => record.kind === 'queued');
  const lastQueued = queued.at(-1);
  const event = records.find((record) => record.kind === 'event');
  if (!lastQueued && event?.rules.length === 0) return { tone: 'warn', words: 'no rule matched' };
  if (lastQueued && isForDeadLetters(lastQueued.queue)) return { tone: 'bad', words: 'dead letter' };

  const lastRun = way.steps.findLast(({ record }) => record.kind === 'invocation');
  if (!lastRun || (lastQueued && lastQueued.at > lastRun.startedAt)) {
    const again = lastRun !== undefined || queued.length > 1;
    return again ? { tone: 'warn', words: 'to be tried again' } : { tone: 'busy', words: 'on its way' };
  }
  if (lastRun.record.kind === 'invocation' && lastRun.record.outcome !== 'ok') {
    return { tone: 'bad', words: 'the function failed' };
  }
  return reached(way);
}

/** From the beginning of the first step to the end of the last, in milliseconds. @param {Way} way */
export function lastedFor({ steps }) {
  const ends = steps.map(({ record }) => record.at);
  return ends.length === 0 ? 0 : Math.max(...ends) - steps[0].startedAt;
}

/** @param {Way} way @returns {Group[]} */
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

/** What an answer to a post means. @param {Post} post @returns {Outcome} */
export function answerOf({ status }) {
  if (status === 200) return { tone: 'ok', words: 'delivered' };
  if (status === 410) return { tone: 'quiet', words: 'gone' };
  if (status === 429) return { tone: 'warn', words: 'throttled' };
  return { tone: 'bad', words: 'failed' };
}

/** Why a message came onto a queue. @param {Queued} queued @param {boolean} isForDeadLetters */
export function causeOf({ cause, delay }, isForDeadLetters) {
  if (cause === 'replayed') return 'Replayed onto';
  if (cause === 'redriven') return 'Received too often, moved to';
  if (isForDeadLetters) return 'Given up, put on';
  return delay > 0 ? `Queued for ${count(delay, 'second')} on` : 'Queued on';
}

/** @param {Way} way @returns {Outcome} */
function reached({ delivered, gone, failed }) {
  const parts = [];
  if (delivered > 0) parts.push(`delivered to ${delivered.toLocaleString('en')}`);
  if (gone > 0) parts.push(`${gone.toLocaleString('en')} gone`);
  if (failed > 0) parts.push(`${count(failed, 'failed post')}`);
  if (parts.length === 0) return { tone: 'quiet', words: 'nobody to reach' };
  if (delivered === 0) return { tone: failed > 0 ? 'bad' : 'quiet', words: parts.join(', ') };
  return { tone: 'ok', words: parts.join(', ') };
}

/** @param {any} content a detail or a frame. @param {string} [detailType] */
function audienceOf(content, detailType) {
  if (typeof content?.entityId === 'string') return content.entityId;
  if (typeof content?.userId === 'string') return `user ${content.userId}`;
  return content?.broadcast === true || detailType === 'Broadcast' ? 'everyone' : '';
}

/** @param {any} content @returns {string} what it says, as a line of JSON. */
function contentOf(content) {
  const said = content?.message ?? content?.messages ?? content?.reason ?? content;
  return said === null || said === undefined ? '' : JSON.stringify(said);
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
