/**
 * The life of the connection: attempts, breaks, renewal and the end.
 *
 * @module connecting
 */

import { postponeRequests } from './gaps.js';
import { ping, planPing, stopPings } from './keep-alive.js';
import { Link } from './link.js';
import { poll } from './polling.js';
import { presenceLinkEnded } from './presence.js';
import { deliverAllHeld } from './pushes.js';
import { endRequests, sendRequest, sendPending, takeMessages } from './requests.js';
import { connectionEnded, handshakeFailed, pollsNext, webSocketOpened, webSocketStable } from './transports.js';

/** @import { StopReason } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */

/** @param {Machine} machine */
export function connect(machine) {
  machine.announce({ name: 'connecting' });
  startAttempt(machine);
}

/** Opens the next socket, for the current link or for its successor. @param {Machine} machine */
function startAttempt(machine) {
  const link = new Link(++machine.sockets, pollsNext(machine), machine.now);
  const { socket } = link;
  if (machine.current) machine.next = link;
  else machine.current = link;
  machine.timers.set(`attempt ${socket}`, machine.now + machine.rules.connectTimeout, () => attemptTimedOut(machine, link));
  if (machine.rules.token) machine.perform({ kind: 'askToken', socket });
  else open(machine, link, null);
}

/** Begins the handshake. That of a link that polls is a poll of one log, whose answer has no further use. @param {Machine} machine @param {Link} link @param {string | null} token */
function open(machine, link, token) {
  link.isOpening = true;
  link.token = token;
  if (link.isPolling) sendRequest(machine, link, { action: 'open' }, JSON.stringify({ action: 'sync', everyone: {} }));
  else machine.perform({ kind: 'openSocket', socket: link.socket, token });
}

/** @param {Machine} machine @param {Link} link */
function attemptTimedOut(machine, link) {
  handshakeFailed(machine, link, null);
  disconnect(machine, link);
}

/** @param {Machine} machine */
function retry(machine) {
  machine.timers.cancel('retry');
  machine.retries += 1;
  startAttempt(machine);
}

/** @param {Machine} machine @param {Link} link @param {string | null} token @param {number} [expiresIn] */
export function tokenSupplied(machine, link, token, expiresIn) {
  if (expiresIn !== undefined) {
    const delay = Math.max(expiresIn - machine.rules.renewTokenBefore, expiresIn / 2);
    authenticateAt(machine, link, machine.now + delay);
  } else {
    link.authenticateAt = undefined;
    machine.timers.cancel(`authenticate ${link.socket}`);
  }
  if (!link.isOpen) return open(machine, link, token);
  link.token = token;
  if (!link.isPolling) sendRequest(machine, link, { action: 'authenticate' }, JSON.stringify({ action: 'authenticate', token }));
}

/** @param {Machine} machine @param {Link} link */
export function tokenFailed(machine, link) {
  if (link.isOpen) authenticateLater(machine, link);
  else socketEnded(machine, link);
}

/** @param {Machine} machine @param {Link} link */
export function opened(machine, link) {
  const { socket } = link;
  link.isOpen = true;
  link.receivedAt = link.pingedAt = link.openedAt = machine.now;
  link.renewAt = machine.now + renewDelay(machine, link);
  link.toCheck = new Set(machine.subscriptions.inOrder);
  machine.refusals = 0;
  machine.networkIsDown = false;
  machine.timers.cancel(`attempt ${socket}`);
  machine.timers.set(`stable ${socket}`, machine.now + machine.rules.stableAfter, () => becameStable(machine, link));
  if (!link.isPolling) webSocketOpened(machine);
  if (link === machine.current) use(machine, link);
}

/** Returns the time after which a link is replaced: by a younger one, or, if it polls, by a WebSocket. @param {Machine} machine @param {Link} link */
function renewDelay({ rules, random }, { isPolling }) {
  return Math.round((isPolling ? rules.webSocketRetry : rules.renewAfter) * (1 - 0.1 * random()));
}

/** @param {Machine} machine @param {Link} link */
function becameStable(machine, link) {
  link.isStable = true;
  machine.backOff.reset();
  if (!link.isPolling) webSocketStable(machine);
}

/** @param {Machine} machine @param {Link} link */
export function failed(machine, link) {
  handshakeFailed(machine, link, null);
  socketEnded(machine, link);
}

/** @param {Machine} machine @param {Link} link @param {boolean} [closeFrame] true if the connection ended with a close frame. */
export function closed(machine, link, closeFrame = false) {
  connectionEnded(machine, link, closeFrame);
  socketEnded(machine, link);
}

/**
 * Counts a refused handshake, and stops at the limit.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {number | null} status
 */
export function refused(machine, link, status) {
  handshakeFailed(machine, link, status);
  // While the client polls, the polls tell if the token is refused, and a proxy may refuse every WebSocket.
  const isBesidePolls = machine.current?.isPolling && link === machine.next;
  const isLingering = machine.lingering.includes(link);
  if (!isBesidePolls && !isLingering && countsAsRefusal(machine, status)) machine.refusals += 1;
  if (machine.refusals < machine.rules.refusalLimit) return socketEnded(machine, link);
  remove(machine, link);
  stop(machine, { kind: 'refused', status });
}

/**
 * Returns true if a refusal is about the token. Without a status it may have been 429 or 5xx, which are transient, so
 * such refusals count only if they are far enough apart, and not at all if the client may poll: a poll has a status.
 *
 * @param {Machine} machine
 * @param {number | null} status
 */
function countsAsRefusal(machine, status) {
  if (status !== null) return status === 401 || status === 403;
  if (machine.rules.poll) return false;
  const counts = machine.now >= machine.lastGuess + machine.rules.refusalSpacing;
  if (counts) machine.lastGuess = machine.now;
  return counts;
}

/** Stops because no attempt can succeed. @param {Machine} machine @param {Link} link @param {string} reason */
export function invalid(machine, link, reason) {
  remove(machine, link);
  stop(machine, { kind: 'invalid', reason });
}

/** Closes a socket, and treats it as broken. @param {Machine} machine @param {Link} link */
export function disconnect(machine, link) {
  machine.perform({ kind: 'closeSocket', socket: link.socket });
  socketEnded(machine, link);
}

/** Removes a link that broke, or that never opened. @param {Machine} machine @param {Link} link */
export function socketEnded(machine, link) {
  const { current, next } = machine;
  remove(machine, link);
  if (link === next) renewalFailed(machine);
  if (link === current) lostCurrent(machine);
}

/** @param {Machine} machine */
function lostCurrent(machine) {
  if (!machine.next) return reconnectLater(machine);
  machine.retries = 1;
  use(machine, machine.next);
  machine.announce({ name: 'reconnecting', attempt: 1, delay: 0 });
}

/** @param {Machine} machine */
function renewalFailed(machine) {
  const delay = nextDelay(machine);
  if (!machine.current) return;
  machine.current.renewAt = machine.now + (machine.current.isPolling ? renewDelay(machine, machine.current) : delay);
  use(machine, machine.current);
}

/** @param {Machine} machine @param {Link} link */
function remove(machine, link) {
  if (link === machine.current) machine.current = undefined;
  if (link === machine.next) machine.next = undefined;
  machine.lingering = machine.lingering.filter((other) => other !== link);
  if (link.isPolling && !link.isOpen) machine.pollFailed = true;
  stopTimers(machine, link);
  endRequests(machine, [link]);
  if (!machine.current) postponeRequests(machine);
  presenceLinkEnded(machine);
}

/** @param {Machine} machine */
function reconnectLater(machine) {
  if (machine.isClosing && !machine.hasUnansweredMessages) return;
  const delay = machine.networkIsDown ? null : nextDelay(machine);
  machine.timers.set('retry', machine.now + (delay ?? offlineDelay(machine)), () => retry(machine));
  machine.announce({ name: 'reconnecting', attempt: machine.retries + 1, delay });
}

/** @param {Machine} machine */
function nextDelay(machine) {
  return machine.backOff.next(machine.rules, machine.random());
}

/**
 * Returns the delay while the network is reported down, which a wrong hint must not make endless.
 *
 * @param {Machine} machine
 */
function offlineDelay({ rules, random }) {
  return Math.round(rules.offlineRetry * (1 - 0.5 * random()));
}

/** Makes a link the current one. @param {Machine} machine @param {Link} link */
function use(machine, link) {
  machine.current = link;
  if (link === machine.next) machine.next = undefined;
  if (!link.isOpen) return;
  machine.timers.set(`renew ${link.socket}`, link.renewAt, () => renew(machine));
  if (link.authenticateAt !== undefined) authenticateAt(machine, link, link.authenticateAt);
  planPing(machine, link);
}

/** @param {Machine} machine @param {Link} link */
function stopUsing(machine, link) {
  for (const timer of ['renew', 'authenticate', 'subscribe', 'poll']) machine.timers.cancel(`${timer} ${link.socket}`);
  stopPings(machine, link);
  link.retries.clear();
}

/** @param {Machine} machine @param {Link} link */
function stopTimers(machine, link) {
  for (const timer of ['attempt', 'stable', 'linger']) machine.timers.cancel(`${timer} ${link.socket}`);
  stopUsing(machine, link);
}

/**
 * Makes the successor the current link once every subscription is established on it, and, if the client polls, once it
 * is stable. The old link stays for late replies and pushes.
 *
 * @param {Machine} machine
 */
export function handOverIfEstablished(machine) {
  const { current, next } = machine;
  if (!next?.isEstablished || (current?.isPolling && !next.isStable)) return;
  use(machine, next);
  if (current) {
    stopUsing(machine, current);
    current.toCheck.clear();
    machine.lingering.push(current);
    machine.timers.set(`linger ${current.socket}`, machine.now + machine.rules.lingerFor, () => {});
  }
  sendPending(machine);
}

/** @param {Machine} machine */
export function closeLingering(machine) {
  for (const link of machine.lingering) {
    if (machine.timers.has(`linger ${link.socket}`) || link.inFlight.size > 0) continue;
    machine.perform({ kind: 'closeSocket', socket: link.socket });
    remove(machine, link);
  }
}

/** @param {Machine} machine */
export function announceOpenIfEstablished(machine) {
  if (machine.state === 'open' || !machine.current?.isEstablished) return;
  machine.retries = 0;
  machine.announce({ name: 'open' });
}

/** Starts the next link, unless an attempt is in progress. @param {Machine} machine */
export function renew(machine) {
  if (!machine.isClosing && !machine.next) startAttempt(machine);
}

/** @param {Machine} machine @param {Link} link @param {number} time */
function authenticateAt(machine, link, time) {
  link.authenticateAt = time;
  if (link !== machine.current || !link.isOpen) return;
  machine.timers.set(`authenticate ${link.socket}`, time, () => {
    // A callback that does not answer in time is asked again.
    authenticateAt(machine, link, machine.now + machine.rules.connectTimeout);
    machine.perform({ kind: 'askToken', socket: link.socket });
  });
}

/** @param {Machine} machine @param {Link} link */
export function authenticateLater(machine, link) {
  authenticateAt(machine, link, machine.now + link.authentication.next(machine.rules, machine.random()));
}

/** @param {Machine} machine */
export function networkUp(machine) {
  machine.networkIsDown = false;
  foreground(machine);
}

/** @param {Machine} machine */
export function networkDown(machine) {
  if (machine.networkIsDown || machine.hasStopped) return;
  machine.networkIsDown = true;
  machine.timers.cancel('retry');
  endRequests(machine, closeAllSockets(machine));
  reconnectLater(machine);
}

/**
 * Ends the delay before the next attempt, or pings an open connection, or polls.
 *
 * @param {Machine} machine
 */
export function foreground(machine) {
  if (machine.hasStopped) return;
  const { current } = machine;
  if (!current) retry(machine);
  else if (current.isOpen && current.isPolling) poll(machine, current);
  else if (current.isOpen) ping(machine, current);
}

/** @param {Machine} machine @param {number} within */
export function close(machine, within) {
  if (machine.refusesRequests) return;
  machine.isClosing = true;
  machine.timers.set('close', machine.now + within, () => stop(machine, { kind: 'closed' }));
}

/** @param {Machine} machine */
export function stopIfClosed(machine) {
  if (machine.isClosing && !machine.hasUnansweredMessages) stop(machine, { kind: 'closed' });
}

/** @param {Machine} machine @param {StopReason} reason */
export function stop(machine, reason) {
  deliverAllHeld(machine);
  for (const { message } of takeMessages(machine, closeAllSockets(machine))) {
    machine.reject(message.request, { kind: 'outcomeUnknown' });
  }
  while (machine.outbox.length > 0) machine.reject(machine.outbox.takeFirst().request, { kind: 'stopped' });
  for (const entity of machine.subscriptions.inOrder) {
    for (const request of machine.subscriptions.remove(entity)) machine.reject(request, { kind: 'stopped' });
  }
  machine.timers.clear();
  machine.announce({ name: 'stopped', reason });
}

/** Closes every socket. Returns their links. @param {Machine} machine */
function closeAllSockets(machine) {
  const { links } = machine;
  for (const link of links) {
    machine.perform({ kind: 'closeSocket', socket: link.socket });
    stopTimers(machine, link);
  }
  machine.current = machine.next = undefined;
  machine.lingering = [];
  postponeRequests(machine);
  presenceLinkEnded(machine);
  return links;
}
