/**
 * The addresses of the stack, and the commands that use it from a terminal.
 *
 * @module stack-view
 */

import { byId, element } from './dom.js';
import { shellQuoted } from './format.js';

/** @import { Stack } from './calls.js' */

/** @param {Stack} stack */
export function showStack(stack) {
  const { endpoint, region, authentication, tokens } = stack;
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
  ];
  byId('stack-facts', HTMLElement).replaceChildren(...facts.flatMap(factNodes));
  byId('stack-environment', HTMLElement).textContent = environmentOf(stack);
  byId('events-command', HTMLElement).textContent =
    `aws events put-events --endpoint-url ${endpoint} --entries file://events/entity-updated.json`;
  byId('connections-command', HTMLElement).textContent = connectCommand(stack);
}

/** @param {[string, string[]]} fact */
function factNodes([name, values]) {
  if (values.length === 0) return [];
  return [element('dt', {}, name), ...values.map((value) => element('dd', { class: 'mono' }, value))];
}

/** @param {Stack} stack */
function environmentOf({ endpoint, region }) {
  const variables = `AWS_ENDPOINT_URL=${endpoint} AWS_DEFAULT_REGION=${region} AWS_REGION=${region}`;
  return `export ${variables} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local`;
}

/** @param {Stack} stack */
function connectCommand({ webSocket, tokens }) {
  const subscribe = shellQuoted('{"action":"subscribe","entityId":"order-1"}');
  if (!tokens) return `npx wscat -c ${webSocket} -x ${subscribe} -w -1`;
  const request = shellQuoted('{"userId":"alice","permissions":{"**":["subscribe","publish","broadcast"]}}');
  const token = `$(curl -s ${tokens} -d ${request} | jq -r .token)`;
  return `npx wscat -c ${webSocket} -H "Authorization: Bearer ${token}" -x ${subscribe} -w -1`;
}
