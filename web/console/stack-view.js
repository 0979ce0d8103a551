/**
 * The addresses of the stack, and the commands that use it from a terminal.
 *
 * @module stack-view
 */

import { connectCommand, environmentCommand, putCommand } from './commands.js';
import { byId, element, setText } from './dom.js';

/** @import { Stack } from './calls.js' */

/** @param {Stack} stack */
export function showStack(stack) {
  const { endpoint, region, authentication, tokens, faults = [] } = stack;
  const functions = stack.functions.map(({ logicalId }) => {
    const queues = stack.mappings.filter((mapping) => mapping.function === logicalId).map(({ queue }) => queue);
    return queues.length === 0 ? logicalId : `${logicalId}, fed by ${queues.join(', ')}`;
  });
  /** @type {[string, string[]][]} */
  const facts = [
    ['WebSocket', [stack.webSocket]],
    ['AWS endpoint', [endpoint]],
    ['Region', [region]],
    ['Authentication', authentication ? [authentication] : []],
    ['Tokens', tokens ? [tokens] : []],
    ['Tables', Object.values(stack.tables)],
    ['Queues', Object.values(stack.queues)],
    ['Buses', Object.values(stack.buses)],
    ['Function URLs', Object.entries(stack.functionUrls).map(([logicalId, url]) => `${url} (${logicalId})`)],
    ['Functions', functions],
    ['Injected faults', faults],
  ];
  byId('stack-facts', HTMLElement).replaceChildren(...facts.flatMap(factNodes));
  setText(byId('stack-environment', HTMLElement), environmentCommand(stack));
  setText(byId('events-command', HTMLElement), putCommand(endpoint));
  setText(byId('connections-command', HTMLElement), connectCommand(stack));
  const note = byId('faults', HTMLElement);
  note.hidden = faults.length === 0;
  setText(note, `Injected faults: ${faults.join(', ')}`);
}

/** @param {[string, string[]]} fact */
function factNodes([name, values]) {
  if (values.length === 0) return [];
  return [element('dt', {}, name), ...values.map((value) => element('dd', { class: 'mono' }, value))];
}
