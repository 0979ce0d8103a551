/**
 * The SharedWorker that holds the connection of all tabs of an origin.
 *
 * @module worker
 */

import { Host } from './host.js';
import { LOOK_EVERY } from './messages.js';

const host = new Host((/** @type {MessagePort} */ port, message) => port.postMessage(message), WebSocket);

globalThis.addEventListener('connect', (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  port.onmessage = ({ data }) => host.receive(port, data);
});
setInterval(() => host.look(), LOOK_EVERY);
