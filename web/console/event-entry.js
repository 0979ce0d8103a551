/**
 * From what stands in the form to an entry of EventBridge's PutEvents, or to what is wrong with it.
 *
 * It refuses only what cannot become an entry, so that what Herald refuses can be tried.
 *
 * @module event-entry
 */

import { shellWord } from './format.js';

/**
 * What stands in the form.
 *
 * @typedef {object} Fields
 * @property {'entity' | 'user' | 'broadcast' | 'disconnect'} kind
 * @property {string} entity
 * @property {string} user
 * @property {'json' | 'text'} format of the message.
 * @property {string} message
 * @property {string} reason
 * @property {string} source
 * @property {string} callback JSON, or nothing.
 * @property {string} key
 */

/** @typedef {{ Source: string, DetailType: string, Detail: string }} Entry */

/** What is wrong with the fields, by name. @typedef {Partial<Record<keyof Fields, string>>} Errors */

const DETAIL_TYPES = {
  entity: 'Entity Updated',
  user: 'Send User Push Notification',
  broadcast: 'Broadcast',
  disconnect: 'Disconnect User',
};

/** @param {Fields} fields @returns {{ entry?: Entry, errors: Errors }} an entry if there are no errors. */
export function entryOf(fields) {
  const errors = errorsOf(fields);
  if (Object.keys(errors).length > 0) return { errors };
  const entry = { Source: fields.source, DetailType: DETAIL_TYPES[fields.kind], Detail: detailOf(fields) };
  return { entry, errors };
}

/** What puts an entry from a terminal, with the AWS CLI. @param {Entry} entry @param {string} endpoint */
export function commandOf(entry, endpoint) {
  const entries = shellWord(JSON.stringify([entry]));
  return `aws events put-events --endpoint-url ${endpoint} --entries ${entries}`;
}

/** Why a text is no JSON, or nothing. @param {string} text @returns {string | undefined} */
export function jsonError(text) {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    if (text.trim() === '') return 'This is empty. JSON needs a value: "" is an empty text.';
    const words = error instanceof Error ? error.message : String(error);
    return `This is no JSON: ${words}. Choose “Text” to send it as it is.`;
  }
}

/** @param {Fields} fields @returns {Errors} */
function errorsOf(fields) {
  /** @type {Errors} */
  const errors = {};
  const { kind } = fields;
  if (kind === 'entity' && fields.entity === '') errors.entity = 'Say which entity has changed.';
  if ((kind === 'user' || kind === 'disconnect') && fields.user === '') errors.user = 'Say which user.';
  if (kind !== 'disconnect' && fields.format === 'json') errors.message = jsonError(fields.message);
  if (kind === 'user' && fields.callback !== '') errors.callback = jsonError(fields.callback);
  if (fields.source === '') errors.source = 'An event needs a source: any text.';
  for (const name of /** @type {(keyof Fields)[]} */ (Object.keys(errors))) {
    if (errors[name] === undefined) delete errors[name];
  }
  return errors;
}

/** JSON as it was written, for its numbers to keep their digits. @param {Fields} fields @returns {string} */
function detailOf(fields) {
  const { kind, reason, callback, key } = fields;
  const parts = [];
  if (kind === 'entity') parts.push(member('entityId', JSON.stringify(fields.entity)));
  if (kind === 'user' || kind === 'disconnect') parts.push(member('userId', JSON.stringify(fields.user)));
  if (kind !== 'disconnect') parts.push(member('message', messageOf(fields)));
  if (kind === 'disconnect' && reason !== '') parts.push(member('reason', JSON.stringify(reason)));
  if (kind === 'user' && callback !== '') parts.push(member('callback', callback.trim()));
  if (key !== '') parts.push(member('idempotencyKey', JSON.stringify(key)));
  return `{${parts.join(',')}}`;
}

/** @param {Fields} fields */
function messageOf({ format, message }) {
  return format === 'json' ? message.trim() : JSON.stringify(message);
}

/** @param {string} name @param {string} value JSON. */
function member(name, value) {
  return `${JSON.stringify(name)}:${value}`;
}
