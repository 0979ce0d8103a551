/**
 * One client: its state, what it is subscribed to, what it sends, and every frame both ways.
 *
 * @module client-card
 */

import { waitingWords, stateWords } from './client-words.js';
import { badge, button, element, KeyedList, oncePerFrame, setText } from './dom.js';
import { indented, isJson, timeOfDay } from './format.js';
import { connect } from './herald-client.js';
import { Recent } from './recent.js';
import { watchedBy } from './watched-socket.js';

/** @import { Row } from './dom.js' */
/** @import { Options, Subscription } from './herald-client.js' */

/** @typedef {{ number: number, at: number, sent: boolean, text: string }} FrameSeen */

/** How many frames are kept. */
const FRAMES = 200;

let clients = 0;

export class ClientCard {
  /** What the page shows of it. */
  node;
  #number = ++clients;
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
  #chips = element('p', { class: 'chips' });
  #log = element('ol', { class: 'frames' });
  #end = button('Close', () => void this.#close());
  /** @type {KeyedList<FrameSeen>} */
  #list = new KeyedList(this.#log, ({ number }) => String(number), frameRow);

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
    this.node = element(
      'section',
      { class: 'panel client', 'aria-label': `Client ${user}` },
      element('div', { class: 'bar' }, element('h3', { class: 'grow' }, user), this.#end),
      element('p', {}, this.#state),
      this.#subscribeForm(),
      this.#chips,
      this.#sendForm(user),
      this.#result,
      this.#outbox,
      element('h4', {}, 'Frames'),
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
    for (const control of this.node.querySelectorAll('form button')) control.toggleAttribute('disabled', stopped);
  };

  async #close() {
    if (this.#client.state.name === 'stopped') return this.node.remove();
    await this.#client.close();
  }

  #subscribeForm() {
    const id = `client-${this.#number}-subscribe`;
    const entity = element('input', { id, value: 'order-1', spellcheck: 'false', autocapitalize: 'off' });
    const form = element(
      'form',
      { class: 'inline', autocomplete: 'off' },
      field(id, 'Entity', entity, 'grow'),
      element('button', {}, 'Subscribe'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#subscribe(entity.value);
    });
    return form;
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

  /** @param {string} user */
  #sendForm(user) {
    const id = `client-${this.#number}-send`;
    const target = element('select', { id: `${id}-target` }, ...TARGETS.map(([value, words]) => element('option', { value }, words)));
    const entity = element('input', { id: `${id}-entity`, value: 'order-1', spellcheck: 'false', autocapitalize: 'off' });
    const message = element('textarea', { id: `${id}-message`, rows: '2', spellcheck: 'false', 'aria-describedby': `${id}-hint` });
    const hint = element('p', { class: 'hint', id: `${id}-hint` });
    message.value = 'Hello';
    const entityField = field(entity.id, 'Entity', entity, 'grow');
    const form = element(
      'form',
      { autocomplete: 'off' },
      element('div', { class: 'inline' }, field(target.id, 'Send', target, 'grow'), entityField),
      field(message.id, 'Message', message),
      hint,
      element('button', {}, 'Send'),
    );
    const explain = () => {
      entityField.hidden = target.value !== 'entity';
      setText(hint, hintOf(target.value, message.value));
    };
    form.addEventListener('input', explain);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (target.value === 'frame') this.#sendFrame(message.value);
      else void this.#send({ ...targetOf(target.value, entity.value), message: valueOf(message.value), name: user });
    });
    explain();
    return form;
  }

  /** @param {Record<string, any> & { message: unknown }} message */
  async #send(message) {
    this.#waits(1);
    try {
      await this.#client.send(message);
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
    this.#frames.add({ number: this.#seen, at: Date.now(), sent, text });
    this.#render();
  }

  #render = oncePerFrame(() => {
    const entities = Array.from(this.#subscriptions.keys());
    this.#chips.replaceChildren(...entities.map((entity) => this.#chip(entity)));
    this.#list.render(this.#frames.newestFirst);
  });

  /** @param {string} entity */
  #chip(entity) {
    const leave = button('×', () => this.#unsubscribe(entity), { 'aria-label': `Unsubscribe from ${entity}` });
    return element('span', { class: 'chip mono' }, entity, leave);
  }

  /** @param {string} words */
  #tell(words) {
    this.#result.textContent = words;
  }
}

/** @type {[string, string][]} */
const TARGETS = [
  ['entity', 'to an entity’s subscribers'],
  ['everyone', 'to everyone'],
  ['back', 'back to this client'],
  ['frame', 'a frame, as it is'],
];

/** @param {string} target @param {string} entityId */
function targetOf(target, entityId) {
  if (target === 'entity') return { entityId };
  return target === 'everyone' ? { broadcast: true } : {};
}

/** @param {string} target @param {string} text */
function hintOf(target, text) {
  if (target === 'frame') return 'Goes to the server as it is, to see what it answers.';
  return isJson(text) ? 'Goes as JSON.' : 'Is no JSON, and goes as a text.';
}

/** @param {string} text */
function valueOf(text) {
  return isJson(text) ? JSON.parse(text) : text;
}

/** @param {string} id @param {string} label @param {HTMLElement} control @param {string} [kind] */
function field(id, label, control, kind = '') {
  return element('label', { class: `field ${kind}`, for: id }, element('span', {}, label), control);
}

/** @param {FrameSeen} frame @returns {Row<FrameSeen>} */
function frameRow({ at, sent, text }) {
  const direction = element('span', { class: sent ? 'sent' : 'received' }, sent ? '↑' : '↓');
  direction.append(element('span', { class: 'hidden-label' }, sent ? 'sent' : 'received'));
  const time = element('time', { class: 'mono soft' }, timeOfDay(at));
  const preview = element('span', { class: 'mono clipped' }, text.slice(0, 300));
  const details = element('details', {}, element('summary', {}, direction, time, preview));
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(element('pre', {}, indented(text)));
  });
  return { node: element('li', {}, details), update() {} };
}
