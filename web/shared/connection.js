/**
 * One connection to Herald, and the channels that share it.
 *
 * @module connection
 */

import { copiesOf } from './copies.js';
import { Entities } from './entities.js';
import { GOING_AWAY } from './messages.js';

/** @import { WebSocketLike } from '../herald-client.js' */
/** @import { Channel } from './channel.js' */

/** A frame, as its JSON stands on the wire. @typedef {Record<string, any>} Frame */

/**
 * A request in flight. The holder's own have no channel. `answered` gets the reply, or `undefined` if none came.
 *
 * @typedef {{ channel?: Channel, frame: Frame, answered: (reply: Frame | undefined) => void, sentAt: number }} Request
 */

/** The time after which a request without a reply is forgotten. The clients have given it up before. */
const REPLY_TIMEOUT = 60_000;

export class Connection {
  #webSocket;
  #ended;
  #url;
  /** The token that the server has accepted last. @type {string | null} */
  #token;
  #isOpen = false;
  #hasEnded = false;
  /** @type {Set<Channel>} */
  #channels = new Set();
  /** The channels that wait for the handshake, or for the server to accept their token. @type {Map<Channel, () => void>} */
  #joining = new Map();
  /** @type {Map<string, Request>} */
  #requests = new Map();
  #lastRequest = 0;
  #entities = new Entities((frame, channel, answered) => this.#request(frame, channel, answered));

  /** @param {{ number: number, channel: Channel, webSocket: WebSocketLike, ended: () => void }} parts */
  constructor({ number, channel, webSocket, ended }) {
    this.number = number;
    this.#url = channel.url;
    this.#token = channel.token;
    this.#webSocket = webSocket;
    this.#ended = ended;
    webSocket.addEventListener('open', () => this.#opened());
    webSocket.addEventListener('message', ({ data }) => this.#received(data));
    // Node.js sends no `close` after a failed handshake.
    webSocket.addEventListener('error', ({ message }) => this.#isOpen || this.#end(1006, message ?? ''));
    webSocket.addEventListener('close', ({ code, reason }) => this.#end(code, reason));
  }

  /** Returns true if a channel is for the same server, and its token may be of the same user. @param {Channel} channel */
  mayHave(channel) {
    const hasToken = (/** @type {string | null} */ token) => token !== null;
    const isAlike = channel.url === this.#url && hasToken(channel.token) === hasToken(this.#token);
    return isAlike && !channel.refusedBy.has(this);
  }

  /** @param {Channel} channel @param {() => void} refused is called if the token is not one of this connection. */
  join(channel, refused) {
    channel.connection = this;
    this.#joining.set(channel, refused);
    if (this.#isOpen) this.#admit(channel);
  }

  /** @param {Channel} channel */
  leave(channel) {
    this.#channels.delete(channel);
    this.#joining.delete(channel);
    if (this.#channels.size + this.#joining.size === 0) this.close();
    else this.#entities.leave(channel);
  }

  close() {
    if (this.#hasEnded) return;
    this.#webSocket.close(1000);
    this.#end(GOING_AWAY, 'the connection was closed');
  }

  /** @param {Channel} channel @param {string} text */
  send(channel, text) {
    if (!this.#channels.has(channel)) return;
    /** @type {Frame} */
    const frame = JSON.parse(text);
    switch (frame.action) {
      case 'ping':
        return this.#webSocket.send(text);
      case 'subscribe':
        return this.#entities.subscribe(channel, frame);
      case 'unsubscribe':
        this.#entities.unsubscribe(channel, frame.entityId);
        return channel.received({ type: 'ack', action: 'unsubscribe', entityId: frame.entityId, id: frame.id });
      default:
        return this.#request(frame, channel, (reply) => this.#answered(channel, frame, reply));
    }
  }

  /** Forgets requests that are without a reply for long. */
  expireRequests() {
    for (const [id, { sentAt, answered }] of this.#requests) {
      if (Date.now() - sentAt < REPLY_TIMEOUT) continue;
      this.#requests.delete(id);
      answered(undefined);
    }
  }

  #opened() {
    this.#isOpen = true;
    for (const channel of Array.from(this.#joining.keys())) this.#admit(channel);
  }

  /**
   * Opens a channel. The server first compares another token with the user and the permissions of this connection, and
   * the connection then lasts as long as that token.
   *
   * @param {Channel} channel
   */
  #admit(channel) {
    const { token } = channel;
    if (token === this.#token) return this.#admitted(channel);
    this.#request({ action: 'authenticate', token }, undefined, (reply) => {
      const refused = this.#joining.get(channel);
      if (!refused) return;
      if (reply?.type !== 'ack') {
        this.#joining.delete(channel);
        refused();
        return this.leave(channel);
      }
      this.#token = token;
      this.#admitted(channel);
    });
  }

  /** @param {Channel} channel */
  #admitted(channel) {
    this.#joining.delete(channel);
    this.#channels.add(channel);
    channel.opened();
  }

  /** Sends a request under a number of this connection. @param {Frame} frame @param {Channel | undefined} channel @param {Request['answered']} answered */
  #request(frame, channel, answered) {
    if (this.#hasEnded) return;
    const id = String(++this.#lastRequest);
    this.#requests.set(id, { channel, frame, answered, sentAt: Date.now() });
    this.#webSocket.send(JSON.stringify({ ...frame, id }));
  }

  /** @param {unknown} data */
  #received(data) {
    const frame = objectOf(data);
    if (!frame) return;
    const id = frame.id ?? this.#onlyRequest(frame);
    if (id === undefined) return this.#pushed(frame);
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.delete(id);
    // The channel may have left meanwhile.
    const { channel } = request;
    if (channel && this.#channels.has(channel)) channel.received(frame.id ? { ...frame, id: request.frame.id } : frame);
    request.answered(frame);
    if (frame.code === 'unknown_connection') this.close();
  }

  /** Returns the number of the only request in flight, to which an error without an `id` belongs. @param {Frame} frame */
  #onlyRequest({ type }) {
    const [id] = this.#requests.keys();
    const mayBeItsError = type === undefined || type === 'error';
    return mayBeItsError && this.#requests.size === 1 ? id : undefined;
  }

  /** @param {Frame} frame */
  #pushed(frame) {
    // An error of a request that it does not name.
    if (frame.type === undefined || frame.type === 'error') return;
    const { entityId } = frame;
    const channels = typeof entityId === 'string' ? this.#entities.membersOf(entityId) : this.#channels;
    for (const channel of Array.from(channels)) channel.received(frame);
  }

  /** @param {Channel} channel @param {Frame} frame @param {Frame | undefined} reply */
  #answered(channel, frame, reply) {
    if (reply?.type !== 'ack') return;
    if (frame.action === 'authenticate') this.#token = frame.token;
    if (frame.action === 'sendMessage') this.#copyToOthers(channel, frame, reply);
  }

  /**
   * Gives the other channels a message of one of them: the server pushes it to every connection but this one.
   *
   * @param {Channel} sender
   * @param {Frame} frame
   * @param {Frame} ack
   */
  #copyToOthers(sender, frame, ack) {
    const { entityId } = frame;
    const channels = entityId === undefined ? this.#channels : this.#entities.membersOf(entityId);
    for (const copy of copiesOf(frame, ack)) {
      for (const channel of Array.from(channels)) if (channel !== sender) channel.received(copy);
    }
  }

  /** @param {number} code @param {string} reason */
  #end(code, reason) {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#ended();
    for (const channel of this.#channels) channel.closed(code, reason);
    for (const [channel, refused] of this.#joining) {
      // A handshake that failed says nothing about another token.
      if (this.#isOpen || channel.token === this.#token) channel.closed(code, reason);
      else refused();
    }
    this.#channels.clear();
    this.#joining.clear();
  }
}

/** Returns the object that a text is. `undefined` if it is no JSON, or another value. @param {unknown} data @returns {Frame | undefined} */
function objectOf(data) {
  try {
    const value = JSON.parse(String(data));
    return typeof value === 'object' ? (value ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}
