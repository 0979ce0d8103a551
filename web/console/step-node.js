/**
 * One step of an event's way, as it is shown.
 *
 * @module step-node
 */

import { badge, element } from './dom.js';
import { bytes, count, duration, indented } from './format.js';
import { logNode, outcomeBadge } from './invocation-node.js';
import { answerOf, causeOf } from './way-summary.js';

/** @import { ClientRequest, Invocation, Post, PutEvent, Queued } from './records.js' */
/** @import { Group } from './way-summary.js' */

/** How many posts are listed; each is a row of a table. */
const POSTS = 100;

/**
 * @param {Group} group
 * @param {number} since when the way began.
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
  const matched = rules.length === 0 ? 'No rule matched, so nothing comes of it.' : `Matched ${rules.join(', ')}.`;
  const words = element('p', {}, 'Put on the bus ', strong(bus), ' by ', strong(source), `. ${matched}`);
  return [words, cut ? note('Its detail is too long to be kept here.') : jsonNode(JSON.stringify(detail))];
}

/** @param {ClientRequest} request */
function requestNodes({ connectionId, routeKey, function: name, milliseconds, body, reply, cut }) {
  const sent = ['Sent as ', strong(routeKey), ' by ', code(connectionId)];
  const words = element('p', {}, ...sent, '; ', strong(name), ` answered after ${duration(milliseconds)}.`);
  const nodes = [words, jsonNode(body), note('The reply:'), jsonNode(reply ?? '')];
  return cut ? [...nodes, note('Only the beginning was kept.')] : nodes;
}

/** @param {Queued} queued @param {boolean} isForDeadLetters */
function queuedNode(queued, isForDeadLetters) {
  const link = element('a', { href: `#queues/${encodeURIComponent(queued.queue)}` }, queued.queue);
  const words = [`${causeOf(queued, isForDeadLetters)} `, link, ' as message ', code(queued.messageId)];
  return element('p', {}, ...words);
}

/** @param {Invocation} invocation */
function invocationNodes(invocation) {
  const { function: name, milliseconds, records = 0, requestId, error, logs } = invocation;
  const link = element('a', { href: `#functions/${encodeURIComponent(requestId)}` }, name);
  const took = ` took ${duration(milliseconds)} for ${count(records, 'record')} `;
  const nodes = [element('p', {}, link, took, outcomeBadge(invocation))];
  if (error) nodes.push(element('p', { class: 'error' }, error));
  return logs.length > 0 ? [...nodes, folded(count(logs.length, 'line of its log', 'lines of its log'), logNode(logs))] : nodes;
}

/** @param {Post[]} posts */
function postNodes(posts) {
  const rows = posts.slice(0, POSTS).map((post) => {
    const { tone, words } = answerOf(post);
    return element(
      'tr',
      {},
      element('td', { class: 'mono' }, post.connectionId),
      element('td', {}, badge(tone, `${post.status} ${words}`)),
      element('td', { class: 'mono number' }, duration(post.milliseconds)),
      element('td', { class: 'mono number' }, bytes(post.bytes)),
    );
  });
  const heads = ['Connection', 'Answer', 'Took', 'Size'].map((head) => element('th', { scope: 'col' }, head));
  const table = element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows));
  const words = element('p', {}, `Posted to ${count(posts.length, 'connection')}.`);
  return posts.length > POSTS ? [words, table, note(`… and ${posts.length - POSTS} more.`)] : [words, table];
}

/** @param {string} summary @param {Node} content */
function folded(summary, content) {
  return element('details', { class: 'inner' }, element('summary', {}, summary), content);
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
