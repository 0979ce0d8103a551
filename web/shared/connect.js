/**
 * The start of a client that shares its connection.
 *
 * @module connect
 */

import { HeraldClient } from '../herald-client.js';
import { Line } from './line.js';
import { LockWay } from './lock-way.js';
import { sharedWebSocket } from './socket.js';
import { WorkerWay } from './worker-way.js';

/** @import { SharedOptions } from './index.js' */

/** The most bytes of a request: those of a frame, less the digits by which the number of a shared request is longer. */
const MESSAGE_LIMIT = 32 * 1024 - 12;

/** @param {string} url @param {SharedOptions} [options] */
export function connect(url, { worker, ...options } = {}) {
  if (!WorkerWay.isPossible && !LockWay.isPossible) return new HeraldClient(url, options);
  const line = new Line(worker);
  try {
    const client = new HeraldClient(url, { messageLimit: MESSAGE_LIMIT, ...options, webSocket: sharedWebSocket(line) });
    client.onState(({ name }) => {
      if (name === 'stopped') line.end();
    });
    return client;
  } catch (error) {
    line.end();
    throw error;
  }
}
