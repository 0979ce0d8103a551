/**
 * The row of an event: a summary that opens to the steps of its trace.
 *
 * @module event-row
 */

import { badge, element, setText } from './dom.js';
import { duration, timeOfDay } from './format.js';
import { positionText } from './positions.js';
import { stepNode } from './step-node.js';
import { groupsOf, durationOf, outcomeOf, titleOf } from './trace-summary.js';

/** @import { Row } from './dom.js' */
/** @import { Trace } from './traces.js' */

/** @typedef {(queue: string) => boolean} IsForDeadLetters */

/** @param {IsForDeadLetters} isForDeadLetters @returns {Row<Trace>} */
export function eventRow(isForDeadLetters) {
  const line = lineRow(isForDeadLetters);
  const id = element('p', { class: 'soft small' });
  const steps = element('ol', { class: 'steps' });
  const details = element('details', {}, line.node, id, steps);
  /** @type {Trace | undefined} */
  let trace;
  let shown = '';
  const showSteps = () => {
    if (!trace || !details.open || shown === stateOf(trace, isForDeadLetters)) return;
    shown = stateOf(trace, isForDeadLetters);
    steps.replaceChildren(...stepNodes(trace, isForDeadLetters));
  };
  details.addEventListener('toggle', showSteps);
  return {
    node: element('li', {}, details),
    update(newest) {
      trace = newest;
      line.update(newest);
      setText(id, `eventId ${newest.eventId}`);
      showSteps();
    },
  };
}

/** @param {IsForDeadLetters} isForDeadLetters @returns {Row<Trace>} */
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
    update(trace) {
      const state = stateOf(trace, isForDeadLetters);
      if (shown === state) return;
      shown = state;
      const title = titleOf(trace);
      const { tone, text } = outcomeOf(trace, isForDeadLetters);
      setText(time, timeOfDay(trace.steps[0].startedAt));
      setText(kind, title.kind);
      const { position } = trace;
      audience.replaceChildren(title.audience);
      if (position) audience.append(element('span', { class: 'soft' }, ` ${positionText(position)}`));
      setText(content, title.content.slice(0, 300));
      setText(lasted, duration(durationOf(trace)));
      outcome.replaceChildren(badge(tone, text));
    },
  };
}

/**
 * Returns a text that differs when a trace has to be rendered again: for another step, and once the page knows which
 * queues are for dead letters.
 *
 * @param {Trace} trace
 * @param {IsForDeadLetters} isForDeadLetters
 */
function stateOf(trace, isForDeadLetters) {
  const isDead = trace.steps.some(({ record }) => record.kind === 'queued' && isForDeadLetters(record.queue));
  return `${trace.eventId} ${trace.changes} ${isDead}`;
}

/** @param {Trace} trace @param {IsForDeadLetters} isForDeadLetters */
function stepNodes(trace, isForDeadLetters) {
  const [first] = trace.steps;
  const nodes = groupsOf(trace).map((group) => stepNode(group, first.startedAt, isForDeadLetters));
  if (trace.leftOut > 0) nodes.push(element('li', {}, `… and ${trace.leftOut} more steps, which were not kept`));
  return nodes;
}
