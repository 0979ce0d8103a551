/**
 * The node of one step of a trace.
 *
 * @module step-node
 */

import { element } from './dom.js';
import { bytes, count, duration, indented } from './format.js';
import { logNode, outcomeBadge } from './invocation-node.js';
import { logTitle, positionText } from './positions.js';
import { causeOf, outcomeOfPost } from './trace-summary.js';

/** @import { ClientRequest, Invocation, Post, PutEvent, Queued } from './records.js' */
/** @import { Group } from './trace-summary.js' */

/** The most posts that a table lists. */
const POSTS = 100;

/**
 * @param {Group} group
 * @param {number} since the time at which the trace began.
 * @param {(queue: string) => boolean} isForDeadLetters
 */
export function stepNode(group, since, isForDeadLetters) {
  const [{ record }] = group.steps;
  const offset = element('span', { class: 'offset mono soft' }, `+${duration(group.startedAt - since)}`);
  const body = element('div', { class: 'step' });
  switch (record.kind) {
    case 'event':
      body.append(...putNodes(record));
      break;
    case 'request':
      body.append(...requestNodes(record));
      break;
    case 'queued':
      body.append(queuedNode(record, isForDeadLetters(record.queue)));
      break;
    case 'invocation':
      body.append(...invocationNodes(record));
      break;
    case 'post':
      body.append(...postNodes(/** @type {Post[]} */ (group.steps.map((step) => step.record))));
  }
  return element('li', { class: record.kind }, offset, body);
}

/** @param {PutEvent} event */
function putNodes({ bus, source, rules, detail, cut }) {
  const matched = rules.length === 0 ? 'No rule matched, so the event is not delivered.' : `Matched ${rules.join(', ')}.`;
  const summary = element('p', {}, 'Put on bus ', strong(bus), ' by source ', strong(source), `. ${matched}`);
  return [summary, cut ? note('The detail is too long to show.') : jsonNode(JSON.stringify(detail))];
}

/** @param {ClientRequest} request */
function requestNodes({ connectionId, routeKey, function: name, milliseconds, body, reply, cut }) {
  const sent = ['Sent as ', strong(routeKey), ' by ', code(connectionId)];
  const replied = `${name ?? 'The gateway'} replied after ${duration(milliseconds)}.`;
  const summary = element('p', {}, ...sent, `. ${replied}`);
  const nodes = [summary, jsonNode(body), note('Reply:'), jsonNode(reply ?? '')];
  return cut ? [...nodes, note('The texts are cut: only their beginnings were kept.')] : nodes;
}

/** @param {Queued} queued @param {boolean} isForDeadLetters */
function queuedNode(queued, isForDeadLetters) {
  const link = element('a', { href: `#queues/${encodeURIComponent(queued.queue)}` }, queued.queue);
  const cause = `${causeOf(queued, isForDeadLetters)} `;
  return element('p', {}, cause, link, ' as message ', code(queued.messageId));
}

/** @param {Invocation} invocation */
function invocationNodes(invocation) {
  const { function: name, milliseconds, records, requestId, error, logs } = invocation;
  const link = requestId ? element('a', { href: `#functions/${encodeURIComponent(requestId)}` }, name) : strong(name);
  const took = ` took ${duration(milliseconds)} for ${count(records ?? 0, 'record')} `;
  const nodes = [element('p', {}, link, took, outcomeBadge(invocation))];
  if (error) nodes.push(element('p', { class: 'error' }, error));
  if (logs.length === 0) return nodes;
  return [...nodes, folded(count(logs.length, 'log line'), logNode(logs))];
}

/** @param {Post[]} posts */
export function postNodes(posts) {
  const rows = posts.slice(0, POSTS).map((post) => {
    const { tone, text } = outcomeOfPost(post);
    const href = `#events/connection/${encodeURIComponent(post.connectionId)}`;
    return element(
      'tr',
      {},
      element('td', { class: 'recipient' }, userOf(post), ' ', element('a', { class: 'mono', href }, post.connectionId)),
      element('td', {}, element('span', { class: `badge ${tone}` }, String(post.status), wide(` ${text}`))),
      element('td', { class: 'mono number' }, duration(post.milliseconds)),
      element('td', { class: 'mono number wide' }, bytes(post.bytes)),
    );
  });
  const heads = [head('Connection'), head('Status'), head('Took', 'number'), head('Size', 'number wide')];
  const table = element(
    'div',
    { class: 'posts' },
    element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows)),
  );
  const summary = element('p', {}, `Posted to ${count(posts.length, 'connection')}`, ...positionNodes(posts), '.');
  return posts.length > POSTS ? [summary, table, note(`… and ${posts.length - POSTS} more.`)] : [summary, table];
}

/** @param {Post} post */
function userOf({ userId, status }) {
  return userId ?? (status === 410 ? 'unknown' : 'anonymous');
}

/** Returns the position of the posts, which all have the same. @param {Post[]} posts */
function positionNodes([{ position }]) {
  if (!position) return [];
  const text = `${logTitle(position.log)} at ${positionText(position)}`;
  const isNamed = position.log !== 'user';
  return [' as ', isNamed ? element('a', { href: `#logs/${encodeURIComponent(position.log)}` }, text) : strong(text)];
}

/** @param {string} name @param {string} [kind] */
function head(name, kind = '') {
  return element('th', { scope: 'col', class: kind }, name);
}

/** @param {string} summary @param {Node} content */
function folded(summary, content) {
  return element('details', { class: 'inner' }, element('summary', {}, summary), content);
}

/** Returns a text that is hidden on a phone. @param {string} text */
function wide(text) {
  return element('span', { class: 'wide' }, text);
}

/** @param {string} text */
function jsonNode(text) {
  return element('pre', {}, indented(text));
}

/** @param {string} text */
function strong(text) {
  return element('strong', {}, text);
}

/** @param {string} text */
function code(text) {
  return element('code', {}, text);
}

/** @param {string} text */
function note(text) {
  return element('p', { class: 'soft small' }, text);
}
