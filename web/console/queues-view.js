/**
 * The queues with their messages, and the actions on dead letters.
 *
 * @module queues-view
 */

import { readQueues, remove, replay } from './calls.js';
import { badge, button, byId, element, KeyedList, setText } from './dom.js';
import { count } from './format.js';
import { messageRow } from './message-row.js';
import { Refresher } from './refresher.js';

/** @import { Message, Queue } from './calls.js' */
/** @import { Row } from './dom.js' */
/** @import { Actions } from './message-row.js' */

/** The delay between reads while messages are in flight or delayed, since those change by themselves; milliseconds. */
const READ_AGAIN_AFTER = 1000;

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
  #list;

  /** @param {() => void} onQueues is called when the list of queues has changed. */
  constructor(onQueues) {
    this.#onQueues = onQueues;
    const list = byId('queues-list', HTMLElement);
    /** @type {KeyedList<Queue>} */
    this.#list = new KeyedList(list, ({ logicalId }) => logicalId, (queue) => this.#panel(queue));
  }

  /** Requests a read of the queues. */
  request() {
    this.#refresher.request();
  }

  /** Scrolls to a queue. @param {string} logicalId */
  open(logicalId) {
    this.#list.find(logicalId)?.scrollIntoView({ block: 'start' });
  }

  /** Returns true if a queue is for dead letters. @param {string} logicalId */
  isForDeadLetters = (logicalId) => {
    return this.#queues.some((queue) => queue.logicalId === logicalId && isForDeadLetters(queue));
  };

  async #read() {
    try {
      const queues = await readQueues();
      const changed = namesOf(queues) !== namesOf(this.#queues);
      this.#queues = queues;
      if (changed) this.#onQueues();
      setText(this.#error, '');
      this.#render();
    } catch (error) {
      setText(this.#error, `Could not read the queues: ${messageOf(error)}`);
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
      this.#again = setTimeout(() => this.request(), READ_AGAIN_AFTER);
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
    const actions = this.#actions(first);
    /** @type {KeyedList<Message>} */
    const rows = new KeyedList(messages, ({ messageId }) => messageId, (message) => messageRow(message, actions));
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
        rows.render(newest.messages);
        empty.hidden = total(newest) > 0;
        replayed.hidden = !isForDeadLetters(newest) || newest.visible === 0;
        const left = total(newest) - newest.messages.length;
        more.hidden = left <= 0;
        setText(more, `… and ${count(left, 'newer message')}.`);
      },
    };
  }

  /** @param {Queue} queue @returns {Actions | null} */
  #actions(queue) {
    if (!isForDeadLetters(queue)) return null;
    return {
      replay: (message) => {
        const subject = `Message ${message.messageId} was`;
        void this.#do(replay(queue, message), `${subject} replayed.`, `${subject} not replayed`);
      },
      remove: (message) => {
        const subject = `Message ${message.messageId} was`;
        void this.#do(remove(queue, message), `${subject} deleted.`, `${subject} not deleted`);
      },
    };
  }

  /**
   * Replays all dead letters one by one, since SQS's own task accepts only queues that a redrive policy names. It
   * replays no more than there are now, because some come back.
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
        this.#showResult(`Replayed ${count(replayed, 'dead letter')} of ${logicalId}.`);
      }
    } catch (error) {
      const done = `Replayed ${count(replayed, 'dead letter')} of ${logicalId}`;
      this.#showResult(`${done}, but not the rest: ${messageOf(error)}`);
    }
    this.request();
  }

  /** @param {Promise<void>} done @param {string} success @param {string} failure */
  async #do(done, success, failure) {
    try {
      await done;
      this.#showResult(success);
      // The button, which has the focus, is removed with its message.
      byId('queues-heading', HTMLElement).focus({ preventScroll: true });
    } catch (error) {
      this.#showResult(`${failure}: ${messageOf(error)}`);
    }
    this.request();
  }

  /** @param {string} text */
  #showResult(text) {
    this.#result.textContent = text;
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
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
