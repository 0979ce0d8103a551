/**
 * The requests of the page to herald-local, which are AWS's own operations where AWS has them.
 *
 * Every function rejects with an `Error` whose message the page shows.
 *
 * @module calls
 */

/** @import { Entry } from './event-entry.js' */

/**
 * @typedef {object} Stack
 * @property {string} webSocket
 * @property {string} endpoint
 * @property {'open' | 'secret' | 'jwks' | null} [authentication]
 * @property {string} [tokens] the address of the local issuer, if there is one.
 * @property {Record<string, string>} tables
 * @property {Record<string, string>} queues
 * @property {Record<string, string>} buses
 * @property {Record<string, string>} functionUrls the addresses of the functions' URLs by logical id.
 * @property {string | null} [presence] the template's parameter `Presence`, if it has one.
 * @property {string[]} [faults] the injected faults, if there are any.
 * @property {string} region
 * @property {{ logicalId: string, name: string }[]} functions
 * @property {{ queue: string, function: string }[]} mappings
 */

/**
 * @typedef {object} Connection
 * @property {string} connectionId
 * @property {string | null} userId
 * @property {string} sourceIp
 * @property {string | null} userAgent
 * @property {number} connectedAt
 * @property {number} lastActiveAt
 */

/**
 * A queue, with the oldest of its messages.
 *
 * @typedef {object} Queue
 * @property {string} logicalId
 * @property {string} name
 * @property {string} url
 * @property {string[]} deadLetterQueueOf
 * @property {number} visible
 * @property {number} inFlight
 * @property {number} delayed
 * @property {Message[]} messages
 */

/**
 * @typedef {object} Message
 * @property {string} messageId
 * @property {string} body
 * @property {Record<string, string>} attributes
 * @property {'visible' | 'inFlight' | 'delayed'} state
 * @property {number} sentAt
 * @property {number} receiveCount
 */

/** @typedef {{ token: string, expiresAt: number }} Token */

/** The most pages of a scan, of at most 1 MB each: more connections than the page shows. */
const SCAN_PAGES = 5;

/** A placeholder: the engine behind DynamoDB demands a signature and does not check it. */
const SIGNATURE = {
  'X-Amz-Date': '20000101T000000Z',
  Authorization: 'AWS4-HMAC-SHA256 Credential=local/20000101/local/local/aws4_request, SignedHeaders=host, Signature=0',
};

/** @returns {Promise<Stack>} */
export function readStack() {
  return json('/console/stack.json');
}

/** @returns {Promise<Connection[]>} */
export async function readConnections() {
  return (await json('/console/connections')).connections;
}

/** @param {string} connectionId */
export async function closeConnection(connectionId) {
  await send(`/console/connections/${encodeURIComponent(connectionId)}`, { method: 'DELETE' });
}

/**
 * Reads the subscriptions of all connections from the table.
 *
 * @param {string} table
 * @returns {Promise<Map<string, string[]>>} the entities of each connection, by its id.
 */
export async function readSubscriptions(table) {
  /** @type {Map<string, string[]>} */
  const subscriptions = new Map();
  let from;
  for (let page = 0; page < SCAN_PAGES; page += 1) {
    const { Items, LastEvaluatedKey } = await scan(table, from);
    for (const { pk, entities } of Items) {
      subscriptions.set(pk.S.slice('C#'.length), entities?.SS ?? []);
    }
    from = LastEvaluatedKey;
    if (!from) break;
  }
  return subscriptions;
}

/** @returns {Promise<Queue[]>} */
export async function readQueues() {
  return (await json('/console/queues')).queues;
}

/** Moves a dead letter back to its source queue. @param {Queue} queue @param {Message} message */
export async function replay(queue, message) {
  await send(`${messagePath(queue, message)}/replay`, { method: 'POST' });
}

/** @param {Queue} queue @param {Message} message */
export async function remove(queue, message) {
  await send(messagePath(queue, message), { method: 'DELETE' });
}

/** @param {Entry} entry @returns {Promise<string>} the id of the event. */
export async function putEvent(entry) {
  const { Entries } = await aws('AWSEvents.PutEvents', '1.1', { Entries: [entry] });
  const [{ EventId, ErrorCode, ErrorMessage }] = Entries;
  if (!EventId) throw new Error(`EventBridge refused the event: ${ErrorCode}: ${ErrorMessage}`);
  return EventId;
}

/**
 * Requests a token from the local issuer.
 *
 * @param {string} address
 * @param {{ userId: string, permissions?: unknown, info?: unknown, expiresIn?: number }} request
 * @returns {Promise<Token>}
 */
export async function mintToken(address, request) {
  const answer = await send(new URL(address).pathname, { method: 'POST', body: JSON.stringify(request) });
  return answer.json();
}

/** @param {Queue} queue @param {Message} message */
function messagePath({ logicalId }, { messageId }) {
  return `/console/queues/${encodeURIComponent(logicalId)}/messages/${encodeURIComponent(messageId)}`;
}

/** @param {string} table @param {unknown} from @returns {Promise<any>} */
function scan(table, from) {
  return call('DynamoDB_20120810.Scan', {
    TableName: table,
    ProjectionExpression: 'pk, entities',
    FilterExpression: 'attribute_exists(entities)',
    ExclusiveStartKey: from,
  });
}

/** Calls an operation of DynamoDB. @param {string} target @param {unknown} body @returns {Promise<any>} */
export function call(target, body) {
  return aws(target, '1.0', body);
}

/**
 * @param {string} target
 * @param {string} version the version of AWS's JSON protocol.
 * @param {unknown} body
 * @returns {Promise<any>}
 */
async function aws(target, version, body) {
  const headers = {
    'X-Amz-Target': target,
    'Content-Type': `application/x-amz-json-${version}`,
    ...SIGNATURE,
  };
  return (await send('/', { method: 'POST', headers, body: JSON.stringify(body) })).json();
}

/** @param {string} path @returns {Promise<any>} */
async function json(path) {
  return (await send(path)).json();
}

/** @param {string} path @param {RequestInit} [init] */
async function send(path, init) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new Error('herald-local does not respond');
  }
  if (!answer.ok) throw new Error(errorMessage(await answer.text()) || `herald-local responded with ${answer.status}`);
  return answer;
}

/** Returns the message of an error, or the body itself if it has none. @param {string} body @returns {string} */
function errorMessage(body) {
  try {
    const { message, Message } = JSON.parse(body);
    return message ?? Message ?? body;
  } catch {
    return body;
  }
}
