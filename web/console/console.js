/**
 * The console page of herald-local: hands what happens to those who keep it, and shows the view that the address names.
 *
 * @module console
 */

import { follow } from './activity.js';
import { readStack } from './calls.js';
import { ClientsView } from './clients-view.js';
import { ConnectionsView } from './connections-view.js';
import { byId, offerToCopy, setText } from './dom.js';
import { EventsView } from './events-view.js';
import { count } from './format.js';
import { FunctionsView } from './functions-view.js';
import { PutEventView } from './put-event-view.js';
import { QueuesView } from './queues-view.js';
import { Recent } from './recent.js';
import { showStack } from './stack-view.js';
import { Ways } from './ways.js';

/** @import { ActivityRecord, Invocation } from './records.js' */

/** How many events and how many invocations are kept. */
const KEPT = 1000;

const ways = new Ways(KEPT);
/** @type {Recent<Invocation>} */
const invocations = new Recent(KEPT);
let missed = 0;

const queues = new QueuesView(() => events.request());
const events = new EventsView(ways, queues.isForDeadLetters);
const connections = new ConnectionsView();
const functions = new FunctionsView(invocations);
const clients = new ClientsView();
new PutEventView();

const link = byId('link', HTMLElement);
const banner = byId('banner', HTMLElement);

follow({
  opened() {
    forget();
    tellLink('ok', `Live at ${location.host}`);
    banner.hidden = true;
    void learnStack();
  },
  happened,
  missed(lost) {
    missed += lost;
    const note = byId('events-missed', HTMLElement);
    note.hidden = false;
    setText(note, `${count(missed, 'record')} came too fast to be shown: ways may have gaps.`);
  },
  lost() {
    tellLink('bad', 'Not reached');
    banner.hidden = false;
    setText(banner, `herald-local does not answer at ${location.host}. Start it again: this page goes on by itself.`);
  },
});

addEventListener('hashchange', () => {
  showView();
  const heading = document.querySelector('.view.current h2');
  // Where a row took the focus, it stays there.
  if (!document.activeElement?.closest('.view.current') && heading instanceof HTMLElement) heading.focus();
});
showView();
offerToCopy(document);

/** @param {ActivityRecord} record */
function happened(record) {
  if (ways.add(record)) events.request();
  connections.add(record);
  if (record.kind === 'invocation') {
    invocations.add(record);
    functions.request();
  }
  const touchesQueue = record.kind === 'queued' || (record.kind === 'invocation' && record.queue !== null);
  if (touchesQueue) queues.request();
}

/** What a herald-local said that may have been another one. */
function forget() {
  ways.clear();
  invocations.clear();
  missed = 0;
  byId('events-missed', HTMLElement).hidden = true;
  connections.clear();
  events.request();
  functions.request();
}

async function learnStack() {
  try {
    const stack = await readStack();
    showStack(stack);
    clients.show(stack);
    connections.show(stack);
    queues.show(stack);
    functions.offer(stack.functions.map(({ logicalId }) => logicalId));
  } catch (error) {
    tellLink('bad', /** @type {Error} */ (error).message);
  }
}

/** @param {string} tone @param {string} words */
function tellLink(tone, words) {
  link.className = `link ${tone}`;
  setText(link, words);
}

/** `#events`, or `#events/<id>` for one of them. */
function showView() {
  const [name = '', id] = location.hash.slice(1).split('/').map(decodeURIComponent);
  const views = Array.from(document.querySelectorAll('.view'));
  const current = views.find((view) => view.id === name) ?? views[0];
  for (const view of views) view.classList.toggle('current', view === current);
  for (const anchor of document.querySelectorAll('nav a')) {
    if (anchor.getAttribute('data-view') === current.id) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  if (id === undefined) return;
  if (current.id === 'events') events.open(id);
  if (current.id === 'functions') functions.open(id);
  if (current.id === 'queues') queues.open(id);
}
