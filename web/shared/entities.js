/**
 * The subscriptions of one connection, which its channels share: the server has one as long as a channel does.
 *
 * @module entities
 */

/** @import { Channel } from './channel.js' */
/** @import { Frame, Request } from './connection.js' */

/**
 * One entity: its channels, and those among them that ask for presence. `subscribing` is the number of requests in flight,
 * `hasPresence` is true if the last of them asks for presence, `isSubscribed` if the server may have the subscription, and
 * `isEnding` while an `unsubscribe` is in flight.
 *
 * @typedef {{ members: Set<Channel>, asking: Set<Channel>, subscribing: number, hasPresence: boolean, isSubscribed: boolean, isEnding: boolean }} Entity
 */

export class Entities {
  #request;
  /** @type {Map<string, Entity>} */
  #entities = new Map();
  /** The `subscribe`s that wait for a reply, because API Gateway may carry out requests in any order. @type {[Channel, Frame][]} */
  #waiting = [];

  /** @param {(frame: Frame, channel: Channel | undefined, answered: Request['answered']) => void} request makes a request. */
  constructor(request) {
    this.#request = request;
  }

  /** @param {string} id @returns {Set<Channel>} */
  membersOf(id) {
    return this.#entities.get(id)?.members ?? new Set();
  }

  /** Subscribes a channel. The server answers each with the log from its own position. @param {Channel} channel @param {Frame} frame */
  subscribe(channel, frame) {
    const ids = frame.entities ? Object.keys(frame.entities) : [frame.entityId];
    const mustWait = ids.some((id) => this.#mustWait(id, channel, frame.entities?.[id] ?? frame));
    if (mustWait) return void this.#waiting.push([channel, frame]);
    const starts = ids.map((id) => [id, this.#join(id, channel, frame.entities?.[id] ?? frame)]);
    const merged = frame.entities ? { ...frame, entities: Object.fromEntries(starts) } : starts[0][1];
    this.#request(merged, channel, (reply) => {
      for (const id of ids) this.#answered(id, channel, frame.entities ? resultOf(reply, id) : reply);
    });
  }

  /**
   * Adds a channel to an entity. Returns the start of its subscription, which asks for presence if any channel does: the
   * server takes it from a connection that subscribes again without.
   *
   * @param {string} id
   * @param {Channel} channel
   * @param {Frame} start
   * @returns {Frame}
   */
  #join(id, channel, start) {
    const entity = this.#entities.get(id) ?? newEntity();
    this.#entities.set(id, entity);
    entity.members.add(channel);
    entity.subscribing += 1;
    if (start.presence) entity.asking.add(channel);
    else entity.asking.delete(channel);
    entity.hasPresence = entity.asking.size > 0;
    return entity.hasPresence ? { ...start, presence: true } : start;
  }

  /**
   * Returns true if another request about an entity is in flight whose effect depends on the order of the two.
   *
   * @param {string} id
   * @param {Channel} channel
   * @param {Frame} start
   */
  #mustWait(id, channel, { presence }) {
    const entity = this.#entities.get(id);
    if (!entity?.subscribing) return entity?.isEnding === true;
    const others = Array.from(entity.asking).some((other) => other !== channel);
    return entity.hasPresence !== (others || presence === true);
  }

  /** @param {Channel} channel @param {string} id */
  unsubscribe(channel, id) {
    const entity = this.#entities.get(id);
    entity?.members.delete(channel);
    entity?.asking.delete(channel);
    this.#endIfUnused(id);
  }

  /** @param {Channel} channel */
  leave(channel) {
    this.#waiting = this.#waiting.filter(([other]) => other !== channel);
    for (const id of Array.from(this.#entities.keys())) this.unsubscribe(channel, id);
  }

  /** @param {string} id @param {Channel} channel @param {Frame | undefined} result */
  #answered(id, channel, result) {
    const entity = this.#entities.get(id);
    if (!entity) return;
    entity.subscribing -= 1;
    // Without a refusal by the server itself, the subscription may have been stored.
    const isRefused = result?.type === 'error' || result?.error !== undefined;
    if (!isRefused) entity.isSubscribed = true;
    if (isRefused) this.unsubscribe(channel, id);
    else this.#endIfUnused(id);
    this.#retryWaiting();
  }

  /** Ends the subscription on the server if no channel has it. @param {string} id */
  #endIfUnused(id) {
    const entity = this.#entities.get(id);
    if (!entity || entity.members.size + entity.subscribing > 0 || entity.isEnding) return;
    if (!entity.isSubscribed) return void this.#entities.delete(id);
    entity.isEnding = true;
    this.#request({ action: 'unsubscribe', entityId: id }, undefined, () => {
      this.#entities.delete(id);
      this.#retryWaiting();
    });
  }

  #retryWaiting() {
    for (const [channel, frame] of this.#waiting.splice(0)) this.subscribe(channel, frame);
  }
}

/** @returns {Entity} */
function newEntity() {
  return { members: new Set(), asking: new Set(), subscribing: 0, hasPresence: false, isSubscribed: false, isEnding: false };
}

/** Returns the result of one entity of several. @param {Frame | undefined} reply @param {string} id @returns {Frame | undefined} */
function resultOf(reply, id) {
  return reply?.type === 'error' ? reply : reply?.entities?.[id];
}
