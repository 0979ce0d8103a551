/**
 * One event in the list: a line about it, which opens to the steps of its way.
 *
 * @module event-row
 */

import { badge, element, setText } from './dom.js';
import { duration, timeOfDay } from './format.js';
import { stepNode } from './step-node.js';
import { groupsOf, lastedFor, outcomeOf, titleOf } from './way-summary.js';

/** @import { Row } from './dom.js' */
/** @import { Way } from './ways.js' */

/** @typedef {(queue: string) => boolean} IsForDeadLetters */

/** @param {IsForDeadLetters} isForDeadLetters @returns {Row<Way>} */
export function eventRow(isForDeadLetters) {
  const line = lineRow(isForDeadLetters);
  const id = element('p', { class: 'soft small' });
  const steps = element('ol', { class: 'steps' });
  const details = element('details', {}, line.node, id, steps);
  /** @type {Way | undefined} */
  let way;
  let shown = '';
  const showSteps = () => {
    if (!way || !details.open || shown === stateOf(way, isForDeadLetters)) return;
    shown = stateOf(way, isForDeadLetters);
    steps.replaceChildren(...stepNodes(way, isForDeadLetters));
  };
  details.addEventListener('toggle', showSteps);
  return {
    node: element('li', {}, details),
    update(newest) {
      way = newest;
      line.update(newest);
      setText(id, `eventId ${newest.eventId}`);
      showSteps();
    },
  };
}

/** @param {IsForDeadLetters} isForDeadLetters @returns {Row<Way>} */
function lineRow(isForDeadLetters) {
  const time = element('time', { class: 'mono soft' });
  const kind = element('span', { class: 'kind' });
  const audience = element('span', { class: 'audience mono' });
  const content = element('span', { class: 'content mono soft' });
  const lasted = element('span', { class: 'mono soft lasted' });
  const outcome = element('span', { class: 'outcome' });
  let shown = '';
  return {
    node: element('summary', {}, time, kind, audience, outcome, lasted, content),
    update(way) {
      const state = stateOf(way, isForDeadLetters);
      if (shown === state) return;
      shown = state;
      const title = titleOf(way);
      const { tone, words } = outcomeOf(way, isForDeadLetters);
      setText(time, timeOfDay(way.steps[0].startedAt));
      setText(kind, title.kind);
      setText(audience, title.audience);
      setText(content, title.content.slice(0, 300));
      setText(lasted, duration(lastedFor(way)));
      outcome.replaceChildren(badge(tone, words));
    },
  };
}

/**
 * A way looks different with another step, and once it is known which queues are for dead letters.
 *
 * @param {Way} way
 * @param {IsForDeadLetters} isForDeadLetters
 */
function stateOf(way, isForDeadLetters) {
  const isDead = way.steps.some(({ record }) => record.kind === 'queued' && isForDeadLetters(record.queue));
  return `${way.eventId} ${way.changes} ${isDead}`;
}

/** @param {Way} way @param {IsForDeadLetters} isForDeadLetters */
function stepNodes(way, isForDeadLetters) {
  const [first] = way.steps;
  const nodes = groupsOf(way).map((group) => stepNode(group, first.startedAt, isForDeadLetters));
  if (way.leftOut > 0) nodes.push(element('li', {}, `… and ${way.leftOut} more steps, which are not kept`));
  return nodes;
}
