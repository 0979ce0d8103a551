/**
 * The inputs and effects of the machine.
 *
 * @module signals
 */

/** @import { Failure, Position, Presence, State, Transport } from '../../herald-client.js' */
/** @import { Audience } from './log.js' */

/** A frame, as its JSON stands on the wire. @typedef {Record<string, any>} Frame */

/**
 * A subscriber that waits for an acknowledgement. `recover` or `rewind` is the start of the first subscriber of an
 * entity. `presence` is true if it asks for presence.
 *
 * @typedef {{ request: number, entity: string, recover?: Position, rewind?: number, presence?: boolean }} Subscriber
 */

/** The audience of a message of the application. @typedef {{ to: 'entity' | 'broadcasts', entity?: string }} Target */

/** @typedef {'networkUp' | 'networkDown' | 'foreground'} Hint */

/**
 * An event for the machine. The machine numbers the sockets, its caller the requests.
 *
 * @typedef {{ kind: 'connect' }
 *   | { kind: 'token', socket: number, token: string | null, expiresIn?: number }
 *   | { kind: 'tokenFailed', socket: number }
 *   | { kind: 'opened', socket: number }
 *   | { kind: 'refused', socket: number, status: number | null }
 *   | { kind: 'failed', socket: number }
 *   | { kind: 'invalid', socket: number, reason: string }
 *   | { kind: 'received', socket: number, text: string }
 *   | { kind: 'closed', socket: number, closeFrame?: boolean }
 *   | { kind: 'answered', socket: number, request: number, status: number | null, text?: string }
 *   | { kind: 'subscribe', subscribers: Subscriber[] }
 *   | { kind: 'unsubscribe', entity: string, presence?: boolean }
 *   | { kind: 'follow', to: 'notifications' | 'broadcasts' }
 *   | { kind: 'send', request: number, frame: Frame, safeToRepeat?: boolean, timeToLive?: number }
 *   | { kind: Hint }
 *   | { kind: 'close', within: number }
 *   | { kind: 'time' }} Input
 */

/** A state, without the transport. @typedef {Exclude<State, { name: 'open' }> | { name: 'open' }} MachineState */

/**
 * A task for the driver. Effects are performed in order.
 *
 * @typedef {{ kind: 'state', state: MachineState }
 *   | { kind: 'transport', transport: Transport }
 *   | { kind: 'askToken', socket: number }
 *   | { kind: 'openSocket', socket: number, token: string | null }
 *   | { kind: 'send', socket: number, text: string }
 *   | { kind: 'post', socket: number, request: number, path: 'poll' | 'messages', token: string | null, text: string }
 *   | { kind: 'closeSocket', socket: number }
 *   | { kind: 'resolve', request: number, reply?: Frame, position?: Position }
 *   | { kind: 'reject', request: number, error: Failure }
 *   | { kind: 'deliver', to: Route, frame: Frame }
 *   | { kind: 'lost', position: Position | null } & Audience
 *   | { kind: 'recovered', messages: number } & Audience
 *   | { kind: 'presence', entity: string, presence: Presence | null, error?: Failure }
 *   | { kind: 'ended', entity: string, error: Failure }} Effect
 */

/**
 * The handlers of a push, beside those of its type.
 *
 * @typedef {'entity' | 'notifications' | 'broadcasts' | 'other'} Route
 */

/** Returns a request with its `id`. @param {string} body the JSON of an object that is not empty. @param {number} id */
export function withId(body, id) {
  return `${body.slice(0, -1)},"id":"${id}"}`;
}

/** Returns the length of a text as UTF-8. @param {string} text */
export function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}
