/**
 * What is on the queues, and what can be done with dead letters.
 *
 * @module queues-view
 */

import { readQueues, remove, replay, replayAll } from './calls.js';
import { badge, button, byId, confirmedButton, element, KeyedList, setText } from './dom.js';
import { count, indented, timeOfDay } from './format.js';
import { Refresher } from './refresher.js';

/** @import { Message, Queue, Stack } from './calls.js' */
/** @import { Row } from './dom.js' */

/** @typedef {{ queue: Queue, message: Message }} Entry */

/** How soon to look again while messages are in flight or delayed, whose states change by themselves; milliseconds. */
const LOOK_AGAIN = 1000;

const STATES = {
  visible: badge('quiet', 'waits'),
  inFlight: badge('busy', 'in flight'),
  delayed: badge('quiet', 'delayed'),
};

export class QueuesView {
  /** @type {Queue[]} */
  #queues = [];
  #region = '';
  #onQueues;
  #refresher = new Refresher(() => this.#read());
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;
  #result = byId('queues-result', HTMLElement);
  #deadLetters = byId('dead-letter-count', HTMLElement);
  /** @type {KeyedList<Queue>} */
  #list = new KeyedList(byId('queues-list', HTMLElement), ({ logicalId }) => logicalId, (queue) => this.#panel(queue));

  /** @param {() => void} onQueues is called when it is known anew which queues there are. */
  constructor(onQueues) {
    this.#onQueues = onQueues;
  }

  /** Something has changed. */
  request() {
    this.#refresher.request();
  }

  /** @param {Stack} stack */
  show({ region }) {
    this.#region = region;
    this.request();
  }

  /** @param {string} logicalId */
  open(logicalId) {
    this.#list.find(logicalId)?.scrollIntoView({ block: 'start' });
  }

  /** Whether a queue is for dead letters. @param {string} logicalId */
  isForDeadLetters = (logicalId) => this.#queues.some((queue) => queue.logicalId === logicalId && isForDeadLetters(queue));

  async #read() {
    try {
      const queues = await readQueues();
      const changed = namesOf(queues) !== namesOf(this.#queues);
      this.#queues = queues;
      if (changed) this.#onQueues();
      this.#render();
    } catch (error) {
      this.#tell(`The queues cannot be read: ${wordsOf(error)}`);
    }
  }

  #render() {
    this.#list.render(this.#queues);
    const deadLetters = sum(this.#queues.filter(isForDeadLetters).map(total));
    this.#deadLetters.hidden = deadLetters === 0;
    this.#deadLetters.replaceChildren(
      String(deadLetters),
      element('span', { class: 'hidden-label' }, deadLetters === 1 ? ' dead letter' : ' dead letters'),
    );
    clearTimeout(this.#again);
    if (this.#queues.some(({ inFlight, delayed }) => inFlight + delayed > 0)) {
      this.#again = setTimeout(() => this.request(), LOOK_AGAIN);
    }
  }

  /** @param {Queue} first @returns {Row<Queue>} */
  #panel(first) {
    let queue = first;
    const counts = element('p', { class: 'soft small' });
    const replayed = button('Replay all', () => void this.#replayAll(queue));
    replayed.append(element('span', { class: 'hidden-label' }, ` of ${first.logicalId}`));
    const empty = element('p', { class: 'note' }, 'Empty.');
    const messages = element('ol', { class: 'rows' });
    const more = element('p', { class: 'note' });
    /** @type {KeyedList<Entry>} */
    const rows = new KeyedList(messages, ({ message }) => message.messageId, (entry) => this.#message(entry));
    const kind = isForDeadLetters(first) ? badge('quiet', 'dead letters') : null;
    const node = element(
      'section',
      { class: 'queue', 'aria-label': first.logicalId },
      element('div', { class: 'bar' }, element('h3', { class: 'grow' }, first.logicalId), kind, replayed),
      counts,
      empty,
      messages,
      more,
    );
    return {
      node,
      update(newest) {
        queue = newest;
        const { visible, inFlight, delayed } = newest;
        setText(counts, `${newest.name}: ${visible} waiting, ${inFlight} in flight, ${delayed} delayed`);
        rows.render(newest.messages.map((message) => ({ queue: newest, message })));
        empty.hidden = total(newest) > 0;
        replayed.hidden = !isForDeadLetters(newest) || newest.visible === 0;
        const left = total(newest) - newest.messages.length;
        more.hidden = left <= 0;
        setText(more, `… and ${left} more, which are younger.`);
      },
    };
  }

  /** @param {Entry} entry @returns {Row<Entry>} */
  #message({ queue, message }) {
    const state = element('span', { class: 'outcome' });
    const received = element('span', { class: 'soft lasted small' });
    const { attributes, body, messageId, sentAt } = message;
    const summary = element(
      'summary',
      {},
      element('time', { class: 'mono soft' }, timeOfDay(sentAt)),
      element('span', { class: 'kind' }, attributes.Reason ?? attributes.ERROR_CODE ?? 'Message'),
      state,
      received,
    );
    const facts = Object.entries(attributes).flatMap(([name, value]) => {
      return [element('dt', {}, name), element('dd', {}, value)];
    });
    const details = element(
      'details',
      {},
      summary,
      element('dl', { class: 'facts' }, ...facts, element('dt', {}, 'messageId'), element('dd', { class: 'mono' }, messageId)),
      element('pre', {}, indented(body)),
      isForDeadLetters(queue) ? this.#actions({ queue, message }) : null,
    );
    return {
      node: element('li', {}, details),
      update({ message: { state: now, receiveCount } }) {
        state.replaceChildren(STATES[now].cloneNode(true));
        setText(received, receiveCount === 0 ? '' : `received ${count(receiveCount, 'time')}`);
      },
    };
  }

  /** @param {Entry} entry */
  #actions({ queue, message }) {
    const id = message.messageId;
    const again = button('Replay', () => {
      void this.#do(replay(queue, message), `Message ${id} was replayed.`, `Message ${id} was not replayed`);
    });
    const away = confirmedButton('Delete', 'Really delete?', `message ${id}`, () => {
      void this.#do(remove(queue, message), `Message ${id} was deleted.`, `Message ${id} was not deleted`);
    });
    again.append(element('span', { class: 'hidden-label' }, ` message ${id}`));
    return element('p', { class: 'actions' }, again, away);
  }

  /** @param {Queue} queue */
  async #replayAll(queue) {
    const destination = this.#queues.find(({ logicalId }) => queue.deadLetterQueueOf.includes(logicalId));
    const words = `The dead letters of ${queue.logicalId} were not replayed`;
    if (!destination) return this.#tell(`${words}: no queue has it as its dead-letter queue.`);
    const moved = replayAll(queue, destination, this.#region);
    await this.#do(moved, `The dead letters of ${queue.logicalId} go back to ${destination.logicalId}.`, words);
  }

  /** @param {Promise<void>} done @param {string} success @param {string} failure */
  async #do(done, success, failure) {
    try {
      await done;
      this.#tell(success);
    } catch (error) {
      this.#tell(`${failure}: ${wordsOf(error)}`);
    }
    this.request();
  }

  /** @param {string} words */
  #tell(words) {
    this.#result.textContent = words;
  }
}

/** @param {Queue} queue */
function isForDeadLetters({ deadLetterQueueOf }) {
  return deadLetterQueueOf.length > 0;
}

/** @param {Queue} queue */
function total({ visible, inFlight, delayed }) {
  return visible + inFlight + delayed;
}

/** @param {Queue[]} queues */
function namesOf(queues) {
  return queues.map(({ logicalId }) => logicalId).join(' ');
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((all, number) => all + number, 0);
}

/** @param {unknown} error */
function wordsOf(error) {
  return error instanceof Error ? error.message : String(error);
}
