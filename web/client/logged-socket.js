/**
 * The log of an application.
 *
 * @module logged-socket
 */

import { call } from './driver/readers.js';

/** @import { LogEntry, WebSocketConstructor } from '../herald-client.js' */

/**
 * Returns a class of WebSockets that log what they do, without tokens.
 *
 * @param {WebSocketConstructor} webSocket
 * @param {(entry: LogEntry) => void} handler
 * @returns {WebSocketConstructor}
 */
export function loggedWebSocket(webSocket, handler) {
  /** @param {LogEntry} entry */
  const log = (entry) => call(handler, entry);
  return class extends webSocket {
    /** @param {string} url @param {string[]} protocols */
    constructor(url, protocols) {
      const { host, protocol, pathname } = new URL(url);
      log({ kind: 'connect', url: `${protocol}//${host}${pathname}` });
      super(url, protocols);
      this.addEventListener('message', ({ data }) => {
        if (typeof data === 'string') log({ kind: 'received', frame: data });
      });
      this.addEventListener('close', ({ code, reason }) => log({ kind: 'closed', code, reason }));
    }

    /** @param {string} text */
    send(text) {
      log({ kind: 'sent', frame: withoutToken(text) });
      super.send(text);
    }
  };
}

/** Returns the JSON of a request without its token, which only an `authenticate` has. @param {string} text */
function withoutToken(text) {
  const frame = JSON.parse(text);
  return frame.action === 'authenticate' ? JSON.stringify({ ...frame, token: '…' }) : text;
}
