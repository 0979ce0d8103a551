/**
 * One client of the page: its state, subscriptions and forms, and its frames in both directions.
 *
 * @module client-card
 */

import { sendForm, subscribeForm } from './client-forms.js';
import { stateText, waitingText, withoutToken } from './client-text.js';
import { badge, button, element, KeyedList, oncePerFrame, setText } from './dom.js';
import { count } from './format.js';
import { frameRow } from './frame-node.js';
import { connect } from './herald-client.js';
import { Recent } from './recent.js';
import { watchedWebSocket } from './watched-socket.js';

/** @import { ToSend } from './client-forms.js' */
/** @import { Row } from './dom.js' */
/** @import { LoggedFrame } from './frame-node.js' */
/** @import { Options, Outgoing, Subscription, Target } from './herald-client.js' */

/** The most frames that are kept. */
const FRAMES = 200;

let clients = 0;

export class ClientCard {
  /** The node in the page. */
  node;
  #client;
  /** The last socket that opened. @type {WebSocket | undefined} */
  #socket;
  /** @type {Map<string, Subscription>} */
  #subscriptions = new Map();
  /** @type {Recent<LoggedFrame>} */
  #frames = new Recent(FRAMES);
  #frameCount = 0;
  #waiting = 0;
  #state = element('span', { class: 'outcome', role: 'status' });
  #result = element('p', { class: 'result', role: 'status' });
  #outbox = element('p', { class: 'note', role: 'status' });
  #chips = element('ul', { class: 'chips' });
  #log = element('ol', { class: 'frames' });
  #noFrames = element('p', { class: 'note small' }, 'No frames yet.');
  #end = button('Close', () => void this.#close());
  /** @type {KeyedList<LoggedFrame>} */
  #frameRows = new KeyedList(this.#log, ({ number }) => String(number), frameRow);
  /** @type {KeyedList<string>} */
  #entityRows = new KeyedList(this.#chips, (entity) => entity, (entity) => this.#chip(entity));

  /**
   * @param {string} user
   * @param {string} address the address of the WebSocket.
   * @param {Options} options
   */
  constructor(user, address, options) {
    const webSocket = watchedWebSocket({
      sent: (text) => this.#addFrame(true, text),
      received: (text) => this.#addFrame(false, text),
      opened: (socket) => (this.#socket = socket),
    });
    this.#client = connect(address, { ...options, webSocket });
    const id = `client-${++clients}`;
    this.node = element(
      'section',
      { class: 'panel client', 'aria-label': `Client ${user}` },
      element('div', { class: 'bar' }, element('h3', { class: 'grow' }, user), this.#end),
      element('p', {}, this.#state),
      subscribeForm(`${id}-subscribe`, (entity, withPresence) => void this.#subscribe(entity, withPresence)),
      this.#chips,
      sendForm(`${id}-send`, (toSend) => void this.#send(toSend, user)),
      this.#result,
      this.#outbox,
      element('h4', {}, 'Frames'),
      this.#noFrames,
      element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Frames of ${user}` }, this.#log),
    );
    this.#client.onState(this.#showState);
    this.#render();
  }

  #showState = () => {
    const { tone, text } = stateText(this.#client.state);
    this.#state.replaceChildren(badge(tone, text));
    const stopped = this.#client.state.name === 'stopped';
    setText(this.#end, stopped ? 'Remove' : 'Close');
    for (const controls of this.node.querySelectorAll('form, .chips')) controls.toggleAttribute('hidden', stopped);
  };

  async #close() {
    if (this.#client.state.name === 'stopped') return this.node.remove();
    await this.#client.close();
  }

  /** @param {string} entity @param {boolean} withPresence */
  async #subscribe(entity, withPresence) {
    if (this.#subscriptions.has(entity)) return this.#showResult(`Already subscribed to ${entity}.`);
    try {
      // The card shows pushes and changes as frames.
      const subscription = await this.#client.subscribe(entity, {
        onMessage() {},
        onEnded: (error) => {
          this.#subscriptions.delete(entity);
          this.#showResult(`The subscription to ${entity} ended: ${error.message}`);
          this.#render();
        },
        presence: withPresence,
      });
      subscription.on('recovered', ({ messages }) => {
        this.#showResult(`Recovered ${count(messages, 'message')} of ${entity}.`);
      });
      subscription.on('lost', () => this.#showResult(`Messages of ${entity} are lost.`));
      this.#subscriptions.set(entity, subscription);
      this.#showResult(`Subscribed to ${entity}.`);
    } catch (error) {
      this.#showResult(`Not subscribed to ${entity}: ${/** @type {Error} */ (error).message}`);
    }
    this.#render();
  }

  /** @param {string} entity */
  #unsubscribe(entity) {
    this.#subscriptions.get(entity)?.unsubscribe();
    this.#subscriptions.delete(entity);
    this.#showResult(`Unsubscribed from ${entity}.`);
    this.#render();
  }

  /** @param {ToSend} toSend @param {string} user */
  async #send(toSend, user) {
    if ('frame' in toSend) return this.#sendFrame(toSend.frame);
    this.#addWaiting(1);
    try {
      await this.#client.send(/** @type {Outgoing & Target} */ ({ ...toSend.target, message: toSend.message, name: user }));
      this.#showResult('Sent and acknowledged.');
    } catch (error) {
      this.#showResult(`Not sent: ${/** @type {Error} */ (error).message}`);
    }
    this.#addWaiting(-1);
  }

  /** Sends a frame directly on the socket, so that the page can show the refusals of the server. @param {string} text */
  #sendFrame(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      return this.#showResult('Not sent: a frame needs an open connection.');
    }
    this.#socket.send(text);
    this.#showResult('Sent as is.');
  }

  /** @param {1 | -1} change */
  #addWaiting(change) {
    this.#waiting += change;
    setText(this.#outbox, waitingText(this.#waiting));
  }

  /** @param {boolean} sent @param {string} text */
  #addFrame(sent, text) {
    this.#frameCount += 1;
    this.#frames.add({ number: this.#frameCount, at: Date.now(), sent, text: withoutToken(text) });
    this.#render();
  }

  #render = oncePerFrame(() => {
    this.#entityRows.render(Array.from(this.#subscriptions.keys()));
    this.#frameRows.render(this.#frames.newestFirst);
    this.#noFrames.hidden = this.#frameCount > 0;
  });

  /** @param {string} entity @returns {Row<string>} */
  #chip(entity) {
    const leave = button('×', () => this.#unsubscribe(entity), { 'aria-label': `Unsubscribe from ${entity}` });
    return { node: element('li', { class: 'chip mono' }, entity, leave), update() {} };
  }

  /** @param {string} text */
  #showResult(text) {
    this.#result.textContent = text;
  }
}
