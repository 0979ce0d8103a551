/**
 * The line of one client to the holder of its connection: its sockets, and the way that their frames take.
 *
 * @module line
 */

import { LockWay } from './lock-way.js';
import { GOING_AWAY, LOOK_EVERY } from './messages.js';
import { OwnWay } from './own-way.js';
import { WorkerWay } from './worker-way.js';

/** @import { FromTab, ToTab } from './messages.js' */

/**
 * A socket of the client. `tell` dispatches an event of it.
 *
 * @typedef {{ url: string, protocols: string[], tell: (name: string, fields?: object) => void, isOpen?: boolean }} Socket
 */

/**
 * A way to the holder. `leave` and `comeBack` are for a page that may sleep or end, `unanswered` for a holder that does
 * not answer.
 *
 * @typedef {{ post: (message: FromTab) => void, leave: () => void, comeBack: () => void, unanswered: () => void, end: () => void }} Way
 */

/**
 * The events of a way: a message arrived; another holder is there, which knows none of the sockets; the way leads
 * nowhere.
 *
 * @typedef {{ received: (message: ToTab) => void, replaced: () => void, failed: () => void }} WayEvents
 */

/** The questions that a holder may leave unanswered. With more, it is frozen, or has crashed. */
const UNANSWERED_QUESTIONS = 3;

export class Line {
  /** @type {Map<number, Socket>} */
  #sockets = new Map();
  #lastSocket = 0;
  /** @type {Way} */
  #way;
  /** True while the page is frozen, or ends. It may run on for a moment, and opens nothing then. */
  #isAway = false;
  /** The questions to the holder since it was last heard. */
  #questions = 0;
  #timer = setInterval(() => this.#ask(), LOOK_EVERY);
  #stopListening;

  /** @param {string | URL} [worker] the address of the worker's script. */
  constructor(worker) {
    const events = {
      /** @param {ToTab} message */
      received: (message) => this.#received(message),
      replaced: () => this.#replaced(),
    };
    const failed = () => {
      if (!(this.#way instanceof WorkerWay)) return;
      this.#way.end();
      this.#way = LockWay.isPossible ? new LockWay(events) : new OwnWay(events);
      this.#replaced();
    };
    this.#way = WorkerWay.isPossible ? new WorkerWay({ ...events, failed }, worker) : new LockWay(events);
    this.#stopListening = listenToPage(
      () => this.#leave(),
      () => this.#comeBack(),
    );
  }

  /** Opens a socket. Returns its number. @param {Socket} socket */
  open(socket) {
    const number = ++this.#lastSocket;
    this.#sockets.set(number, socket);
    this.#open(number, socket);
    return number;
  }

  /** @param {FromTab} message */
  post(message) {
    if (!this.#isAway) this.#way.post(message);
  }

  /** Closes a socket, which is told nothing more but that. @param {number} number */
  close(number) {
    const socket = this.#sockets.get(number);
    if (!socket) return;
    this.#sockets.delete(number);
    this.post({ kind: 'close', socket: number });
    queueMicrotask(() => socket.tell('close', { code: 1000, reason: '' }));
  }

  /** Leaves the connection to the other clients. */
  end() {
    clearInterval(this.#timer);
    this.#stopListening();
    this.#leave();
    this.#way.end();
  }

  #leave() {
    if (this.#isAway) return;
    this.#way.leave();
    this.#isAway = true;
  }

  #comeBack() {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#way.comeBack();
    this.#replaced();
  }

  /** @param {number} number @param {Socket} socket */
  #open(number, { url, protocols }) {
    this.post({ kind: 'open', socket: number, url, protocols });
  }

  /** Asks the holder if it is there. Its own looks may be rare: browsers slow the timers of a hidden tab. */
  #ask() {
    if (this.#isAway || this.#sockets.size === 0) return void (this.#questions = 0);
    this.#questions += 1;
    if (this.#questions <= UNANSWERED_QUESTIONS) return this.post({ kind: 'ask' });
    this.#questions = 0;
    this.#way.unanswered();
  }

  /** @param {ToTab} message */
  #received(message) {
    this.#questions = 0;
    if (message.kind === 'look') return this.post({ kind: 'present' });
    const socket = this.#sockets.get(message.socket);
    if (!socket) return;
    if (message.kind === 'received') return socket.tell('message', { data: message.text });
    if (message.kind === 'closed') return this.#closed(message.socket, socket, message);
    socket.isOpen = true;
    socket.tell('open');
  }

  /** Gives up the open sockets, whose holder is gone, and asks for the others anew. */
  #replaced() {
    for (const [number, socket] of Array.from(this.#sockets)) {
      if (!socket.isOpen) this.#open(number, socket);
      else this.#closed(number, socket, { code: GOING_AWAY, reason: 'another tab holds the connection' });
    }
  }

  /** @param {number} number @param {Socket} socket @param {{ code: number, reason: string }} end */
  #closed(number, socket, { code, reason }) {
    this.#sockets.delete(number);
    socket.tell('close', { code, reason });
  }
}

/**
 * Calls `left` when the page ends or is frozen, and `cameBack` if it goes on after that.
 *
 * @param {() => void} left
 * @param {() => void} cameBack
 * @returns {() => void} removes the listeners.
 */
function listenToPage(left, cameBack) {
  const { window, document } = /** @type {{ window?: Window, document?: Document }} */ (globalThis);
  /** @type {[EventTarget | undefined, string, (event: any) => void][]} */
  const listeners = [
    [window, 'pagehide', left],
    [document, 'freeze', left],
    [window, 'pageshow', ({ persisted }) => persisted && cameBack()],
    [document, 'resume', cameBack],
  ];
  for (const [target, event, listener] of listeners) target?.addEventListener(event, listener);
  return () => {
    for (const [target, event, listener] of listeners) target?.removeEventListener(event, listener);
  };
}
