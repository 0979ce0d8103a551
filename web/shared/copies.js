/**
 * The pushes of a message for the clients that share the connection of its sender.
 *
 * @module copies
 */

/** @import { Frame } from './connection.js' */

/**
 * Returns a push for each message of a `sendMessage`, as the server sends it to other connections.
 *
 * @param {Frame} frame
 * @param {Frame} ack
 * @returns {Frame[]}
 */
export function copiesOf({ entityId, message, name, messages = [{ message, name }] }, ack) {
  const { eventIds = [ack.eventId], positions = [{ epoch: ack.epoch, offset: ack.offset }] } = ack;
  const time = new Date().toISOString();
  return messages.map((/** @type {Frame} */ sent, /** @type {number} */ index) => ({
    type: 'message',
    message: sent.message,
    name: sent.name,
    entityId,
    eventId: eventIds[index],
    time,
    ...positions[index],
  }));
}
