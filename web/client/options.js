/**
 * The options of a client, checked and completed.
 *
 * @module options
 */

import { positionOf } from './machine/positions.js';
import { IN_BROWSERS, WITH_POLLING } from './machine/rules.js';

/** @import { Options, Position, SubscribeOptions } from '../herald-client.js' */
/** @import { Settings } from './driver.js' */

/**
 * @param {string} address
 * @param {Options} [options]
 * @returns {Settings}
 * @throws {TypeError} if the address is not one of a WebSocket, the `pollUrl` is not one of HTTP, or the environment has no WebSocket.
 */
export function settingsOf(address, options = {}) {
  const { token, pollUrl: pollAddress, hints = true, webSocket = globalThis.WebSocket, ...rules } = options;
  const url = parsed(address);
  if (!url || !/^wss?:$/.test(url.protocol)) {
    throw new TypeError(`the address must start with wss:// or ws:// and have a host, got ${address}`);
  }
  if (!webSocket) {
    throw new TypeError('this environment has no WebSocket: pass that of the package ws as the option webSocket');
  }
  const pollUrl = pollAddress === undefined ? undefined : pollUrlOf(pollAddress);
  const defaults = { ...IN_BROWSERS, ...(pollUrl && WITH_POLLING) };
  const given = { token: token !== undefined, poll: pollUrl !== undefined };
  return { url, webSocket, pollUrl, token, hints, rules: { ...defaults, ...definedOf(rules), ...given } };
}

/** Returns the URL that the paths of the function `poll` are relative to. @param {string} address */
function pollUrlOf(address) {
  const url = parsed(address);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`pollUrl must start with https:// or http:// and have a host, got ${address}`);
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** Returns the URL of a text. `undefined` if it is none. @param {string} text */
function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/**
 * Returns the options of a subscription, from the arguments in any of their forms.
 *
 * @param {((push: any) => void) | SubscribeOptions<any>} handler
 * @param {((error: any) => void) | SubscribeOptions<any>} [options]
 * @returns {SubscribeOptions<any>}
 */
export function subscribeOptionsOf(handler, options = {}) {
  const further = typeof options === 'function' ? { onEnded: options } : options;
  return typeof handler === 'function' ? { ...further, onMessage: handler } : { ...handler, ...further };
}

/**
 * Returns the start of a subscription.
 *
 * @param {{ recover?: Position | null, rewind?: number }} options
 * @returns {{ recover?: Position, rewind?: number }}
 * @throws {TypeError} if `recover` is not a position, or `rewind` is there too.
 */
export function startOf({ recover, rewind }) {
  if (!recover) return rewind ? { rewind } : {};
  const position = positionOf(recover);
  if (!position) throw new TypeError(`recover must be a position, got ${JSON.stringify(recover)}`);
  if (rewind) throw new TypeError('recover and rewind exclude each other: pass one of them');
  return { recover: position };
}

/** Returns the options that are not `undefined`. @template {object} T @param {T} options @returns {Partial<T>} */
function definedOf(options) {
  return /** @type {Partial<T>} */ (
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  );
}
