/**
 * The options of a client, checked and completed.
 *
 * @module options
 */

import { IN_BROWSERS } from './machine/rules.js';

/** @import { Options, WebSocketConstructor } from '../herald-client.js' */
/** @import { Settings } from './driver.js' */

/**
 * @param {string} address
 * @param {Options} [options]
 * @returns {Settings}
 * @throws {TypeError} if the address is not one of a WebSocket, or the environment has no WebSocket.
 */
export function settingsOf(address, options = {}) {
  const { token, hints = true, webSocket = globalThis.WebSocket, ...rules } = options;
  const url = new URL(address);
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(`the address must start with wss:// or ws://, got ${address}`);
  if (!webSocket) {
    throw new TypeError('this environment has no WebSocket: pass that of the package ws as the option webSocket');
  }
  return { url, webSocket, token, hints, rules: { ...IN_BROWSERS, ...definedOf(rules), token: token !== undefined } };
}

/** Returns the options that are not `undefined`. @template {object} T @param {T} options @returns {Partial<T>} */
function definedOf(options) {
  return /** @type {Partial<T>} */ (
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  );
}
