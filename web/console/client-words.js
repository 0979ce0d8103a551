/**
 * The state of a client, and the end of a connection, in words.
 *
 * @module client-words
 */

import { count, duration } from './format.js';

/** @import { State, StopReason } from './herald-client.js' */
/** @import { Tone } from './way-summary.js' */

/** @param {State} state @returns {{ tone: Tone, words: string }} */
export function stateWords(state) {
  switch (state.name) {
    case 'connecting':
      return { tone: 'busy', words: 'Connecting' };
    case 'open':
      return { tone: 'ok', words: 'Open' };
    case 'reconnecting':
      return { tone: 'warn', words: `Reconnecting: ${attemptWords(state)}${causeWords(state.cause)}` };
    case 'stopped':
      return stopWords(state.reason);
  }
}

/** @param {{ attempt: number, delay: number | null }} state */
function attemptWords({ attempt, delay }) {
  if (delay === null) return 'waits for the network';
  return `attempt ${attempt} in ${duration(delay)}`;
}

/** @param {unknown} cause */
function causeWords(cause) {
  return cause instanceof Error ? ` (${cause.message})` : '';
}

/** @param {StopReason} reason @returns {{ tone: Tone, words: string }} */
function stopWords(reason) {
  switch (reason.kind) {
    case 'closed':
      return { tone: 'quiet', words: 'Closed' };
    case 'refused':
      return { tone: 'bad', words: 'Stopped: the server refused it, again and again. It will not try any more.' };
    case 'invalid':
      return { tone: 'bad', words: `Stopped: it cannot connect (${reason.reason})` };
    case 'disconnected': {
      const { code, reason: why } = reason;
      return { tone: 'bad', words: `Stopped: the server threw it out (${[code, why].filter(Boolean).join(': ')})` };
    }
  }
}

/**
 * What a frame is, on one line: its type or action, what it is about, and what it says.
 *
 * @param {string} text
 */
export function frameWords(text) {
  const frame = parsed(text);
  const kind = frame?.type ?? frame?.action;
  if (typeof kind !== 'string') return text;
  const about = kind === 'ack' ? [frame.action, frame.entityId] : [frame.code, frame.entityId];
  const said = [frame.message, frame.messages, frame.reason].find((value) => value !== undefined);
  return [kind, ...about, said === undefined ? undefined : JSON.stringify(said)].filter(Boolean).join(' · ');
}

/** A frame as it may be shown to whoever looks over a shoulder: its token is left out. @param {string} text */
export function withoutToken(text) {
  if (typeof parsed(text)?.token !== 'string') return text;
  return text.replace(/("token"\s*:\s*)"(?:[^"\\]|\\.)*"/g, '$1"…"');
}

/** How many messages wait for a connection or a reply. @param {number} waiting */
export function waitingWords(waiting) {
  return waiting === 0 ? '' : `${count(waiting, 'message waits', 'messages wait')} for a reply`;
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
