/**
 * One client: its state, what it is subscribed to, what it sends, and every frame both ways.
 *
 * @module client-card
 */

import { sendForm, subscribeForm } from './client-forms.js';
import { stateWords, waitingWords, withoutToken } from './client-words.js';
import { badge, button, element, KeyedList, oncePerFrame, setText } from './dom.js';
import { frameRow } from './frame-node.js';
import { connect } from './herald-client.js';
import { Recent } from './recent.js';
import { watchedBy } from './watched-socket.js';

/** @import { ToSend } from './client-forms.js' */
/** @import { Row } from './dom.js' */
/** @import { FrameSeen } from './frame-node.js' */
/** @import { Options, Subscription } from './herald-client.js' */

/** How many frames are kept. */
const FRAMES = 200;

let clients = 0;

export class ClientCard {
  /** What the page shows of it. */
  node;
  #client;
  /** The socket that opened last. @type {WebSocket | undefined} */
  #socket;
  /** @type {Map<string, Subscription>} */
  #subscriptions = new Map();
  /** @type {Recent<FrameSeen>} */
  #frames = new Recent(FRAMES);
  #seen = 0;
  #waiting = 0;
  #state = element('span', { class: 'outcome', role: 'status' });
  #result = element('p', { class: 'result', role: 'status' });
  #outbox = element('p', { class: 'note', role: 'status' });
  #chips = element('ul', { class: 'chips' });
  #log = element('ol', { class: 'frames' });
  #frameless = element('p', { class: 'note small' }, 'None yet.');
  #end = button('Close', () => void this.#close());
  /** @type {KeyedList<FrameSeen>} */
  #frameRows = new KeyedList(this.#log, ({ number }) => String(number), frameRow);
  /** @type {KeyedList<string>} */
  #entityRows = new KeyedList(this.#chips, (entity) => entity, (entity) => this.#chip(entity));

  /**
   * @param {string} user
   * @param {string} address of the WebSocket.
   * @param {Options} options
   */
  constructor(user, address, options) {
    const webSocket = watchedBy({
      sent: (text) => this.#saw(true, text),
      received: (text) => this.#saw(false, text),
      opened: (socket) => (this.#socket = socket),
    });
    this.#client = connect(address, { ...options, webSocket });
    this.#client.onState(this.#showState);
    const id = `client-${++clients}`;
    this.node = element(
      'section',
      { class: 'panel client', 'aria-label': `Client ${user}` },
      element('div', { class: 'bar' }, element('h3', { class: 'grow' }, user), this.#end),
      element('p', {}, this.#state),
      subscribeForm(`${id}-subscribe`, (entity) => void this.#subscribe(entity)),
      this.#chips,
      sendForm(`${id}-send`, (what) => void this.#send(what, user)),
      this.#result,
      this.#outbox,
      element('h4', {}, 'Frames'),
      this.#frameless,
      element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Frames of ${user}` }, this.#log),
    );
    this.#showState();
    this.#render();
  }

  #showState = () => {
    const { tone, words } = stateWords(this.#client.state);
    this.#state.replaceChildren(badge(tone, words));
    const stopped = this.#client.state.name === 'stopped';
    setText(this.#end, stopped ? 'Remove' : 'Close');
    for (const controls of this.node.querySelectorAll('form, .chips')) controls.toggleAttribute('hidden', stopped);
  };

  async #close() {
    if (this.#client.state.name === 'stopped') return this.node.remove();
    await this.#client.close();
  }

  /** @param {string} entity */
  async #subscribe(entity) {
    if (this.#subscriptions.has(entity)) return this.#tell(`It is subscribed to ${entity} already.`);
    try {
      // Pushes are seen as frames.
      const subscription = await this.#client.subscribe(entity, () => {}, (error) => {
        this.#subscriptions.delete(entity);
        this.#tell(`The subscription to ${entity} has ended: ${error.message}`);
        this.#render();
      });
      this.#subscriptions.set(entity, subscription);
      this.#tell(`Subscribed to ${entity}.`);
    } catch (error) {
      this.#tell(`Not subscribed to ${entity}: ${/** @type {Error} */ (error).message}`);
    }
    this.#render();
  }

  /** @param {string} entity */
  #unsubscribe(entity) {
    this.#subscriptions.get(entity)?.unsubscribe();
    this.#subscriptions.delete(entity);
    this.#tell(`Unsubscribed from ${entity}.`);
    this.#render();
  }

  /** @param {ToSend} what @param {string} user */
  async #send(what, user) {
    if ('frame' in what) return this.#sendFrame(what.frame);
    this.#waits(1);
    try {
      await this.#client.send({ ...what.target, message: what.message, name: user });
      this.#tell('Sent, and acknowledged.');
    } catch (error) {
      this.#tell(`Not sent: ${/** @type {Error} */ (error).message}`);
    }
    this.#waits(-1);
  }

  /** Past the client, so that what the server refuses can be tried. @param {string} text */
  #sendFrame(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return this.#tell('Not sent: a frame needs an open connection.');
    this.#socket.send(text);
    this.#tell('Sent as it is.');
  }

  /** @param {1 | -1} change */
  #waits(change) {
    this.#waiting += change;
    setText(this.#outbox, waitingWords(this.#waiting));
  }

  /** @param {boolean} sent @param {string} text */
  #saw(sent, text) {
    this.#seen += 1;
    this.#frames.add({ number: this.#seen, at: Date.now(), sent, text: withoutToken(text) });
    this.#render();
  }

  #render = oncePerFrame(() => {
    this.#entityRows.render(Array.from(this.#subscriptions.keys()));
    this.#frameRows.render(this.#frames.newestFirst);
    this.#frameless.hidden = this.#seen > 0;
  });

  /** @param {string} entity @returns {Row<string>} */
  #chip(entity) {
    const leave = button('×', () => this.#unsubscribe(entity), { 'aria-label': `Unsubscribe from ${entity}` });
    return { node: element('li', { class: 'chip mono' }, entity, leave), update() {} };
  }

  /** @param {string} words */
  #tell(words) {
    this.#result.textContent = words;
  }
}
