/**
 * The commands that use the stack from a terminal. Each works as it is pasted, in any folder and without another
 * configuration.
 *
 * @module commands
 */

import { shellQuoted } from './format.js';

/** @import { Stack } from './calls.js' */
/** @import { Entry } from './event-entry.js' */

/** Placeholders, without which the AWS CLI sends nothing. */
const CREDENTIALS = 'AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local';

/** An entry that reaches the subscribers of an entity. */
const ENTRY = {
  Source: 'herald.console',
  DetailType: 'Entity Updated',
  Detail: '{"entityId":"order-1","message":{"state":"shipped"}}',
};

/** Returns the command of the AWS CLI that puts an entry. @param {string} endpoint @param {Entry} [entry] */
export function putCommand(endpoint, entry = ENTRY) {
  const entries = shellQuoted(JSON.stringify([entry]));
  // The stack has one Region, and takes calls for any.
  return `${CREDENTIALS} aws events put-events --region us-east-1 --endpoint-url ${endpoint} --entries ${entries}`;
}

/** Returns the command that connects a client, with a token if one is needed. @param {Stack} stack */
export function connectCommand({ webSocket, tokens, authentication }) {
  const subscribe = shellQuoted('{"action":"subscribe","entityId":"order-1"}');
  const client = `npx wscat -c ${webSocket} -x ${subscribe} -w -1`;
  if (tokens) return `${client} -H "Authorization: Bearer ${mintedToken(tokens)}"`;
  return (authentication ?? 'open') === 'open' ? client : `${client} -H "Authorization: Bearer $HERALD_TOKEN"`;
}

/** Returns the variables with which the AWS CLI and every SDK use the stack. @param {Stack} stack */
export function environmentCommand({ endpoint, region }) {
  return `export AWS_ENDPOINT_URL=${endpoint} AWS_DEFAULT_REGION=${region} AWS_REGION=${region} ${CREDENTIALS}`;
}

/** Returns the command substitution that mints a token. @param {string} tokens the address of the local issuer. */
function mintedToken(tokens) {
  const request = shellQuoted('{"userId":"alice","permissions":{"**":["subscribe","publish","broadcast"]}}');
  const token = shellQuoted(String.raw`s/.*"token":"\([^"]*\)".*/\1/`);
  return `$(curl -s ${tokens} -d ${request} | sed ${token})`;
}
