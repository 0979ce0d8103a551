/**
 * The times at which the client asks for missing messages.
 *
 * @module gaps
 */

/** @import { Machine } from '../machine.js' */
/** @import { Request } from './link.js' */
/** @import { Log } from './log.js' */

/**
 * Starts the wait after which the client asks for missing messages, or ends it if none is missing. Its delay is random,
 * so that the clients that miss a message do not all ask at once.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {number} [delay]
 */
export function watch(machine, log, delay) {
  const { gaps, rules } = machine;
  if (!log.isBehind || log.hasEnded) return cancelGap(machine, log);
  if (gaps.has(log) || isAsked(machine, log)) return;
  gaps.set(log, machine.now + (delay ?? Math.round(rules.gapAfter + rules.gapSpread * machine.random())));
  scheduleGaps(machine);
}

/** @param {Machine} machine @param {Log} log */
function cancelGap(machine, log) {
  if (machine.gaps.delete(log)) scheduleGaps(machine);
}

/**
 * Asks again after a request failed.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {number} jitter the random share of the delay.
 */
export function askLater(machine, log, jitter) {
  if (log.hasEnded) return;
  log.isDoubtful = log.position !== undefined;
  machine.gaps.set(log, machine.now + log.backOff.next(machine.rules, jitter));
  scheduleGaps(machine);
}

/** @param {Machine} machine @param {Log} log */
export function askNow(machine, log) {
  cancelGap(machine, log);
  machine.toSync.add(log);
}

/** @param {Machine} machine */
function scheduleGaps(machine) {
  const { gaps, timers } = machine;
  if (gaps.size === 0) return timers.cancel('gap');
  timers.set('gap', Math.min(...gaps.values()), () => askForGaps(machine));
}

/** Asks for what is missing. Without a connection, the next one does. @param {Machine} machine */
function askForGaps(machine) {
  for (const [log, at] of machine.gaps) {
    if (at > machine.now) continue;
    machine.gaps.delete(log);
    const isMissing = log.isBehind || log.isStarting;
    if (isMissing && machine.current?.isOpen && !isAsked(machine, log)) machine.toSync.add(log);
  }
  scheduleGaps(machine);
}

/** Returns true if an answer of the log is on its way. @param {Machine} machine @param {Log} log */
export function isAsked(machine, log) {
  const requests = machine.links.flatMap(({ inFlight }) => Array.from(inFlight.values()));
  const names = (/** @type {Request} */ request) => 'asked' in request && request.asked.some((asked) => asked.log === log);
  const isWaiting = machine.heldAnswers.some((answer) => answer.log === log);
  return isWaiting || machine.toRead.has(log) || machine.toSync.has(log) || requests.some(names);
}

/** Plans anew what was to be asked at once, on a connection that ended. @param {Machine} machine */
export function postponeRequests(machine) {
  const logs = [...machine.toSync, ...machine.toRead];
  machine.toSync.clear();
  machine.toRead.clear();
  for (const log of logs) watch(machine, log);
}

/** Ends the session of an entity, and forgets what is planned for its log. @param {Machine} machine @param {string} entity */
export function endSession(machine, entity) {
  const log = machine.logs.remove(entity);
  if (!log) return;
  machine.toSync.delete(log);
  machine.toRead.delete(log);
  cancelGap(machine, log);
}
