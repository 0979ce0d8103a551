/**
 * The console page of herald-local: it passes activity records to the views, and shows the view that the address names.
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
import { LogsView } from './logs-view.js';
import { PresenceView } from './presence-view.js';
import { PutEventView } from './put-event-view.js';
import { QueuesView } from './queues-view.js';
import { Recent } from './recent.js';
import { showStack } from './stack-view.js';
import { Traces } from './traces.js';

/** @import { ActivityRecord, Invocation } from './records.js' */

/** The most events, and the most invocations, that are kept. */
const KEPT = 1000;

const traces = new Traces(KEPT);
/** @type {Recent<Invocation>} */
const invocations = new Recent(KEPT);
let lagged = 0;

const queues = new QueuesView(() => events.request());
const events = new EventsView(traces, queues.isForDeadLetters);
const connections = new ConnectionsView();
const functions = new FunctionsView(invocations);
const presence = new PresenceView();
const logs = new LogsView();
const clients = new ClientsView();
new PutEventView();

const link = byId('link', HTMLElement);
const banner = byId('banner', HTMLElement);

follow({
  opened() {
    forget();
    showLink('ok', `Live at ${location.host}`);
    banner.hidden = true;
    void loadStack();
  },
  recorded,
  lagged(dropped) {
    lagged += dropped;
    const note = byId('events-lagged', HTMLElement);
    note.hidden = false;
    setText(note, `This page was too slow for ${count(lagged, 'record')}, so traces may have gaps.`);
  },
  lost() {
    showLink('bad', 'Disconnected');
    banner.hidden = false;
    setText(banner, `herald-local does not respond at ${location.host}. Start it again; this page will reconnect.`);
  },
});

addEventListener('hashchange', () => {
  showView();
  // A row that has the focus keeps it.
  if (!document.activeElement?.closest('.view.current')) focusView();
});
byId('skip', HTMLElement).addEventListener('click', (event) => {
  event.preventDefault();
  focusView();
});
showView();
offerToCopy(document);

/** @param {ActivityRecord} record */
function recorded(record) {
  if (traces.add(record)) events.request();
  connections.add(record);
  presence.add(record);
  logs.request();
  if (record.kind === 'invocation') {
    invocations.add(record);
    functions.request();
  }
  const touchesQueue = record.kind === 'queued' || (record.kind === 'invocation' && record.queue !== null);
  if (touchesQueue) queues.request();
}

/** Forgets all records: those that follow may be of another herald-local. */
function forget() {
  traces.clear();
  invocations.clear();
  lagged = 0;
  byId('events-lagged', HTMLElement).hidden = true;
  connections.clear();
  presence.clear();
  events.request();
  functions.request();
}

async function loadStack() {
  try {
    const stack = await readStack();
    showStack(stack);
    clients.show(stack);
    connections.show(stack);
    presence.show(stack);
    logs.show(stack);
    queues.request();
    functions.setFunctions(stack.functions.map(({ logicalId }) => logicalId));
  } catch (error) {
    showLink('bad', /** @type {Error} */ (error).message);
  }
}

/** @param {string} tone @param {string} text */
function showLink(tone, text) {
  link.className = `link ${tone}`;
  setText(link, text);
}

function focusView() {
  const heading = document.querySelector('.view.current h2');
  if (heading instanceof HTMLElement) heading.focus();
}

/**
 * Shows the view of an address such as `#events`, one item of it, such as `#events/<id>`, or the events of one connection:
 * `#events/connection/<id>`.
 */
function showView() {
  const [name = '', id, connectionId] = location.hash.slice(1).split('/').map(decodeURIComponent);
  const views = Array.from(document.querySelectorAll('.view'));
  const current = views.find((view) => view.id === name) ?? views[0];
  for (const view of views) view.classList.toggle('current', view === current);
  for (const anchor of document.querySelectorAll('nav a')) {
    if (anchor.getAttribute('data-view') === current.id) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  presence.request();
  logs.request();
  if (id === undefined) return;
  if (current.id === 'events' && connectionId !== undefined) events.narrow(connectionId);
  else if (current.id === 'events') events.open(id);
  if (current.id === 'connections') connections.open(id);
  if (current.id === 'presence') presence.open(id);
  if (current.id === 'functions') functions.open(id);
  if (current.id === 'logs') logs.open(id);
  if (current.id === 'queues') queues.open(id);
}
