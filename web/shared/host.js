/**
 * The holder of the connections: it gives each socket of a tab a channel on one of them.
 *
 * @module host
 */

import { Channel } from './channel.js';
import { Connection } from './connection.js';
import { GOING_AWAY } from './messages.js';

/** @import { WebSocketConstructor } from '../herald-client.js' */
/** @import { FromTab, ToTab } from './messages.js' */

/** The looks that a tab may leave unanswered. With more, it is frozen, or has crashed. */
const UNANSWERED_LOOKS = 2;

/**
 * A tab. Its next channel is on a connection that is younger than `newest`: a tab that asks again renews its connection,
 * or has found it broken.
 *
 * @typedef {{ channels: Map<number, Channel>, looks: number, newest: number }} Tab
 */

/** The code of a socket that could not be opened. */
const ABNORMAL = 1006;

/** @template Address what identifies a tab to `post`. */
export class Host {
  #post;
  #webSocket;
  /** @type {Map<Address, Tab>} */
  #tabs = new Map();
  /** From the oldest to the newest. @type {Connection[]} */
  #connections = [];
  #lastConnection = 0;

  /** @param {(tab: Address, message: ToTab) => void} post @param {WebSocketConstructor} webSocket */
  constructor(post, webSocket) {
    this.#post = post;
    this.#webSocket = webSocket;
  }

  /** @param {Address} address @param {FromTab} message */
  receive(address, message) {
    const tab = this.#tabs.get(address) ?? { channels: new Map(), looks: 0, newest: 0 };
    tab.looks = 0;
    switch (message.kind) {
      case 'open':
        this.#tabs.set(address, tab);
        return this.#open(address, tab, message);
      case 'send':
        return tab.channels.get(message.socket)?.send(message.text);
      case 'close':
        tab.channels.get(message.socket)?.leave();
        return void tab.channels.delete(message.socket);
      case 'ask':
        return this.#post(address, { kind: 'look' });
      case 'leave':
        return this.#drop(address, tab);
    }
  }

  /** Drops the tabs that did not answer, and looks at the others. */
  look() {
    for (const [address, tab] of Array.from(this.#tabs)) {
      tab.looks += 1;
      if (tab.looks > UNANSWERED_LOOKS) this.#drop(address, tab);
      else this.#post(address, { kind: 'look' });
    }
    for (const connection of this.#connections) connection.expireRequests();
  }

  /** Closes every connection. */
  end() {
    for (const connection of Array.from(this.#connections)) connection.close();
  }

  /** @param {Address} address @param {Tab} tab @param {Extract<FromTab, { kind: 'open' }>} message */
  #open(address, tab, { socket, url, protocols }) {
    /** @param {ToTab} message */
    const post = (message) => {
      if (tab.channels.get(socket) !== channel) return;
      if (message.kind === 'closed') tab.channels.delete(socket);
      this.#post(address, message);
    };
    const channel = new Channel(url, protocols, socket, post);
    tab.channels.set(socket, channel);
    this.#place(tab, channel);
  }

  /**
   * Puts a channel on the newest connection that it may join, or on a new one.
   *
   * @param {Tab} tab
   * @param {Channel} channel
   */
  #place(tab, channel) {
    const { newest } = tab;
    const mayJoin = (/** @type {Connection} */ connection) => connection.number > newest && connection.mayHave(channel);
    try {
      const connection = this.#connections.findLast(mayJoin) ?? this.#connect(channel);
      tab.newest = connection.number;
      connection.join(channel, () => {
        tab.newest = newest;
        channel.refusedBy.add(connection);
        this.#place(tab, channel);
      });
    } catch (error) {
      channel.closed(ABNORMAL, String(error));
    }
  }

  /** @param {Channel} channel */
  #connect(channel) {
    const ended = () => {
      this.#connections = this.#connections.filter((other) => other !== connection);
    };
    const webSocket = new this.#webSocket(channel.url, channel.protocols);
    const connection = new Connection({ number: ++this.#lastConnection, channel, webSocket, ended });
    this.#connections.push(connection);
    return connection;
  }

  /** Gives up the channels of a tab. It may come back, and share the connection again. @param {Address} address @param {Tab} tab */
  #drop(address, tab) {
    this.#tabs.delete(address);
    for (const [socket, channel] of tab.channels) {
      channel.leave();
      this.#post(address, { kind: 'closed', socket, code: GOING_AWAY, reason: 'the tab did not answer' });
    }
  }
}
