/**
 * A client of Herald for browsers and Node.js: one WebSocket connection for a whole application.
 *
 * docs/clients.md of Herald's repository describes its behaviour, rule by rule. It depends on nothing, and leaves two
 * things to the application: getting a token, and the meaning of a message.
 *
 * @module herald-client
 */

export { connect, HeraldClient } from './client/client.js';
export { HeraldError } from './client/error.js';
