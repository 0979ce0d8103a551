/**
 * The entry of EventBridge's PutEvents that the form describes, or the errors of its fields.
 *
 * Only what cannot become an entry is an error, so that the page can put events that Herald refuses.
 *
 * @module event-entry
 */

/**
 * The contents of the form.
 *
 * @typedef {object} Fields
 * @property {'entity' | 'user' | 'broadcast' | 'disconnect'} kind
 * @property {string} entity
 * @property {string} user
 * @property {'json' | 'text'} format the format of the message.
 * @property {string} message
 * @property {string} reason
 * @property {string} source
 * @property {string} callback JSON, or empty.
 * @property {string} key
 */

/** @typedef {{ Source: string, DetailType: string, Detail: string }} Entry */

/** Error texts, by field. @typedef {Partial<Record<keyof Fields, string>>} Errors */

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

/** Returns an error text, or `undefined` if a text is valid JSON. @param {string} text @returns {string | undefined} */
function jsonError(text) {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    if (text.trim() === '') return 'Enter JSON; "" is an empty string.';
    const reason = error instanceof Error ? error.message : String(error);
    return `Not valid JSON: ${reason}. Correct it, or choose “Text” to send it as a string.`;
  }
}

/** @param {Fields} fields @returns {Errors} */
function errorsOf(fields) {
  /** @type {Errors} */
  const errors = {};
  const { kind } = fields;
  if (kind === 'entity' && fields.entity === '') errors.entity = 'Enter an entity id.';
  if ((kind === 'user' || kind === 'disconnect') && fields.user === '') errors.user = 'Enter a user id.';
  if (kind !== 'disconnect' && fields.format === 'json') errors.message = jsonError(fields.message);
  if (kind === 'user' && fields.callback !== '') errors.callback = jsonError(fields.callback);
  if (fields.source === '') errors.source = 'Enter a source; any text will do.';
  for (const name of /** @type {(keyof Fields)[]} */ (Object.keys(errors))) {
    if (errors[name] === undefined) delete errors[name];
  }
  return errors;
}

/**
 * Returns the detail. It keeps JSON as text, so that numbers keep their digits.
 *
 * @param {Fields} fields
 * @returns {string}
 */
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

/** @param {string} name @param {string} value its JSON. */
function member(name, value) {
  return `${JSON.stringify(name)}:${value}`;
}
