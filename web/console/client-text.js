/**
 * The texts that the page shows of a client: its state, its frames, its pending messages.
 *
 * @module client-text
 */

import { count, duration } from './format.js';
import { positionIn, positionText } from './positions.js';
import { presencesIn, presenceText } from './presence-frame.js';

/** @import { State, StopReason } from './herald-client.js' */
/** @import { Tone } from './trace-summary.js' */

/** @param {State} state @returns {{ tone: Tone, text: string }} */
export function stateText(state) {
  switch (state.name) {
    case 'connecting':
      return { tone: 'busy', text: 'Connecting' };
    case 'open':
      return { tone: 'ok', text: 'Open' };
    case 'reconnecting':
      return { tone: 'warn', text: `Reconnecting: ${attemptText(state)}${causeText(state.cause)}` };
    case 'stopped':
      return stopText(state.reason);
  }
}

/** @param {{ attempt: number, delay: number | null }} state */
function attemptText({ attempt, delay }) {
  if (delay === null) return 'waiting for the network';
  return `attempt ${attempt} in ${duration(delay)}`;
}

/** @param {unknown} cause */
function causeText(cause) {
  return cause instanceof Error ? ` (${cause.message})` : '';
}

/** @param {StopReason} reason @returns {{ tone: Tone, text: string }} */
function stopText(reason) {
  switch (reason.kind) {
    case 'closed':
      return { tone: 'quiet', text: 'Closed' };
    case 'refused':
      return { tone: 'bad', text: 'Stopped: the server refused the connection repeatedly. There is no retry.' };
    case 'invalid':
      return { tone: 'bad', text: `Stopped: no connection is possible (${reason.reason})` };
    case 'disconnected': {
      const { code, reason: why } = reason;
      return { tone: 'bad', text: `Stopped: disconnected by the server (${[code, why].filter(Boolean).join(': ')})` };
    }
  }
}

/**
 * Returns a frame on one line: its type or action, its entity, its content, and its position in a log.
 *
 * @param {string} text
 */
export function framePreview(text) {
  const frame = parsed(text);
  const kind = frame?.type ?? frame?.action;
  if (typeof kind !== 'string') return text;
  const about = kind === 'ack' ? [frame.action, frame.entityId] : [frame.code, frame.entityId];
  const position = positionIn(frame);
  const log = position ? [recoveredText(frame), positionText(position)] : [];
  const presences = presencesIn(frame).map(presenceText);
  // The messages of a log are many, and each is a frame.
  const messages = kind === 'ack' ? undefined : frame.messages;
  const content = [frame.message, messages, frame.reason].find((value) => value !== undefined);
  const shown = content === undefined ? undefined : JSON.stringify(content);
  return [kind, ...about, shown, ...log, ...presences].filter(Boolean).join(' · ');
}

/** @param {{ recovered?: boolean, messages?: unknown[] }} frame */
function recoveredText({ recovered, messages }) {
  if (recovered === false) return 'messages lost';
  return recovered ? `${count(messages?.length ?? 0, 'message')} recovered` : undefined;
}

/** Returns a frame without its token, which must not show on a screen. @param {string} text */
export function withoutToken(text) {
  if (typeof parsed(text)?.token !== 'string') return text;
  return text.replace(/("token"\s*:\s*)"(?:[^"\\]|\\.)*"/g, '$1"…"');
}

/** @param {number} waiting the number of messages that wait for a connection or a reply. */
export function waitingText(waiting) {
  return waiting === 0 ? '' : `${count(waiting, 'message')} waiting for a reply`;
}

/** Returns the JSON of a text; `undefined` if it is none. @param {string} text @returns {any} */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
