/**
 * What is on the queues, and what can be done with dead letters.
 *
 * @module queues-view
 */

import { readQueues, remove, replay } from './calls.js';
import { badge, button, byId, confirmedButton, element, KeyedList, setText } from './dom.js';
import { count, indented, timeOfDay } from './format.js';
import { Refresher } from './refresher.js';

/** @import { Message, Queue } from './calls.js' */
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
  #onQueues;
  #refresher = new Refresher(() => this.#read());
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;
  #result = byId('queues-result', HTMLElement);
  #error = byId('queues-error', HTMLElement);
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
      setText(this.#error, '');
      this.#render();
    } catch (error) {
      setText(this.#error, `The queues cannot be read: ${wordsOf(error)}`);
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
    const counts = element('span');
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
      element('p', { class: 'soft small' }, counts, element('span', { class: 'wide' }, ` in ${first.name}`)),
      empty,
      messages,
      more,
    );
    return {
      node,
      update(newest) {
        queue = newest;
        const { visible, inFlight, delayed } = newest;
        setText(counts, `${visible} waiting, ${inFlight} in flight, ${delayed} delayed`);
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
    const { body, messageId, sentAt } = message;
    const { Reason: reason, ...attributes } = message.attributes;
    const summary = element(
      'summary',
      {},
      element('time', { class: 'mono soft' }, timeOfDay(sentAt)),
      element('span', { class: 'kind' }, reason ?? attributes.ERROR_CODE ?? 'Message'),
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

  /**
   * One by one, since SQS's own task takes only queues that a redrive policy names. No more than there are now: some
   * come back.
   *
   * @param {Queue} queue
   */
  async #replayAll({ logicalId, visible }) {
    let replayed = 0;
    try {
      while (replayed < visible) {
        const queue = (await readQueues()).find((each) => each.logicalId === logicalId);
        const messages = queue?.messages.filter(({ state }) => state === 'visible') ?? [];
        if (!queue || messages.length === 0) break;
        for (const message of messages.slice(0, visible - replayed)) {
          await replay(queue, message);
          replayed += 1;
        }
        this.#tell(`${count(replayed, 'dead letter')} of ${logicalId} replayed.`);
      }
    } catch (error) {
      this.#tell(`${count(replayed, 'dead letter')} of ${logicalId} replayed, and not the rest: ${wordsOf(error)}`);
    }
    this.request();
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
