/**
 * The numbers of docs/clients.md, by the names they have there.
 *
 * @module rules
 */

/** @import { Options } from '../../herald-client.js' */

/** @typedef {Required<Omit<Options, 'token' | 'hints' | 'webSocket' | 'log' | 'pollUrl' | 'outbox'>> & { token: boolean, poll: boolean }} Rules */

/** @type {Rules} */
export const DEFAULTS = {
  token: false,
  poll: false,
  connectTimeout: 45_000,
  backoffBase: 1000,
  backoffCap: 30_000,
  stableAfter: 30_000,
  refusalLimit: 3,
  refusalSpacing: 0,
  offlineRetry: 60_000,
  unansweredAfter: 10_000,
  pingAfter: 4 * 60_000,
  pongTimeout: 10_000,
  replyTimeout: 30_000,
  inFlightLimit: 32,
  outboxLimit: 1000,
  outboxFull: 'refuseNewest',
  timeToLive: 5 * 60_000,
  messageLimit: 128 * 1024,
  repeatWindow: 1000,
  renewAfter: 110 * 60_000,
  lingerFor: 10_000,
  renewTokenBefore: 60_000,
  gapAfter: 1000,
  gapSpread: 4000,
  heldLimit: 256,
  heldWhileAsking: 1000,
  presenceSpread: 2000,
  obstacleLimit: 3,
  obstacleAfter: 30_000,
  killedWithin: 10_000,
  webSocketRetry: 5 * 60_000,
};

/** The defaults in browsers, which send a message as one frame and hide the status of a refusal. */
export const IN_BROWSERS = { messageLimit: 32 * 1024, refusalSpacing: 10_000 };

/** The defaults of a client that may poll: three handshakes that hang are over within a minute. */
export const WITH_POLLING = { connectTimeout: 15_000 };
