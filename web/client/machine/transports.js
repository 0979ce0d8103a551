/**
 * The choice between a WebSocket and polling.
 *
 * A network may admit no WebSocket: its handshakes fail though the server is well, or its connections are cut soon after
 * they opened. The first poll shows that HTTPS does pass.
 *
 * @module transports
 */

/** @import { Machine } from '../machine.js' */
/** @import { Link } from './link.js' */

/**
 * Returns true if the next attempt is to poll. After one that failed, a WebSocket is tried.
 *
 * @param {Machine} machine
 */
export function pollsNext(machine) {
  const { rules, killed, pollFailed, current } = machine;
  machine.pollFailed = false;
  const isObstructed = isBlocked(machine) || killed >= rules.obstacleLimit;
  return rules.poll && isObstructed && !pollFailed && !current;
}

/**
 * Returns true if enough handshakes in a row failed, over a long enough time. A browser hides the 429 of a server that
 * throttles many clients, and a throttle lasts for seconds.
 *
 * @param {Machine} machine
 */
function isBlocked({ rules, blocked, blockedFor }) {
  return blocked >= rules.obstacleLimit && blockedFor >= rules.obstacleAfter;
}

/**
 * Notes that a handshake failed. A status of the server itself is no obstacle of the network.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {number | null} status
 */
export function handshakeFailed(machine, link, status) {
  if (link.isPolling || !link.isOpening) return;
  const isOfTheServer = status !== null && (status === 401 || status === 403 || status === 429 || status >= 500);
  if (machine.blocked === 0) machine.blockedSince = link.startedAt;
  machine.blocked = isOfTheServer ? 0 : machine.blocked + 1;
  machine.blockedFor = machine.now - machine.blockedSince;
}

/**
 * Notes that a connection ended.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {boolean} closeFrame true if it ended with a close frame.
 */
export function connectionEnded(machine, link, closeFrame) {
  const wasKilled = !closeFrame && machine.now - link.openedAt <= machine.rules.killedWithin;
  machine.killed = wasKilled ? machine.killed + 1 : 0;
}

/** Notes that a WebSocket opened. While the client polls, it counts once it is stable. @param {Machine} machine */
export function webSocketOpened(machine) {
  if (!machine.current?.isPolling) machine.blocked = 0;
}

/** @param {Machine} machine */
export function webSocketStable(machine) {
  machine.blocked = machine.killed = 0;
}

/** Tells the application which transport the client uses, if that changed. @param {Machine} machine */
export function announceTransport(machine) {
  const { current } = machine;
  if (!current?.isOpen) return;
  const transport = current.isPolling ? 'poll' : 'websocket';
  if (transport === machine.transport) return;
  machine.transport = transport;
  machine.perform({ kind: 'transport', transport });
}
