/**
 * The messages between the tabs and the holder of their connection.
 *
 * @module messages
 */

/** The name of the worker and of the lock, with the version of the messages: tabs of another version do not share. */
export const NAME = 'herald 1';

/** The time between two looks of the holder at its tabs, and between two questions of a tab to its holder. */
export const LOOK_EVERY = 5000;

/** The code with which a socket closes that has lost its holder, or that its holder has given up. */
export const GOING_AWAY = 1001;

/**
 * A message of a tab, which numbers its sockets. The holder answers `ask` with `look`.
 *
 * @typedef {{ kind: 'open', socket: number, url: string, protocols: string[] }
 *   | { kind: 'send', socket: number, text: string }
 *   | { kind: 'close', socket: number }
 *   | { kind: 'ask' }
 *   | { kind: 'present' }
 *   | { kind: 'leave' }} FromTab
 */

/**
 * A message to a tab. It answers `look` with `present`.
 *
 * @typedef {{ kind: 'look' }
 *   | { kind: 'opened', socket: number }
 *   | { kind: 'received', socket: number, text: string }
 *   | { kind: 'closed', socket: number, code: number, reason: string }} ToTab
 */
