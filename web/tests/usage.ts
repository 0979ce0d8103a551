// The client as an application in TypeScript uses it. It is compiled, never run.

import { connect, HeraldError, type Position, type PresenceChange, type Push, type State } from 'herald-client';
import { indexedDbOutbox } from 'herald-client/outbox';
import { connect as connectShared } from 'herald-client/shared';

interface Order {
  state: 'packed' | 'shipped';
}

const client = connect('wss://example.com/prod', {
  token: async () => (await fetch('/token')).text(),
  outboxFull: 'dropOldest',
  pollUrl: 'https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/',
});
client.onState((state: State) => {
  if (state.name === 'stopped' && state.reason.kind === 'refused') console.log(state.reason.status);
  if (state.name === 'open' && state.transport === 'poll') console.log(client.transport === 'poll');
});

const shipped = (push: Push<Order>) => push.message.state === 'shipped';
const subscription = await client.subscribe<Order>('order-1', shipped, (error) => console.log(error.code));
client.onNotification((push) => console.log(push.callback));
client.onLost(({ to, entityId, position }) => console.log(to, entityId, position?.offset));

// A page that goes on where it was before a reload.
const saved = JSON.parse(sessionStorage.getItem('room-1') ?? 'null') as Position | null;
const room = await client.subscribe<string>('room-1', (push) => console.log(push.message, push.offset), {
  ...(saved ? { recover: saved } : { rewind: 20 }),
});
room.on('lost', ({ position }) => console.log('messages may be lost before', position));
room.on('recovered', ({ messages }) => console.log('recovered', messages));
addEventListener('pagehide', () => sessionStorage.setItem('room-1', JSON.stringify(room.position ?? null)));
const { messages, position, more } = await client.history<string>('room-1', { last: 50 });
if (more) await client.history('room-1', { since: position, limit: 100 });
await client.history({ everyone: true }, { before: messages[0]?.offset ?? 1 });

// A page that shows who is there.
const show = ({ joined, left, count, members, error }: PresenceChange) => {
  for (const { userId, info } of joined) console.log(userId, 'joined', info);
  console.log(left.length, count, members?.get('alice')?.connections, error?.code);
};
const watched = await client.subscribe('room-2', (push) => console.log(push.message), { presence: show });
console.log(watched.presence?.count);
const { members: watchers } = await client.presence('room-2');
console.log(watchers?.size, (await client.subscribe('room-3', { presence: true })).presence);

// A page that loads its state: first the position, then the data.
const loaded = await client.subscribe<Order>('order-2', {
  state: async () => {
    const { position } = await (await fetch('/orders/2/position')).json();
    console.log(await (await fetch('/orders/2')).json());
    return { position };
  },
  onMessage: shipped,
  onEnded: (error) => console.log(error.code),
});
// @ts-expect-error: an event that does not exist.
loaded.on('message', shipped);

try {
  const greeting = { entityId: 'room-1', message: 'Hello', name: 'Aseem' };
  const { eventId } = await client.send(greeting, { safeToRepeat: true });
  const { message } = await client.send({ message: eventId });
  console.log(message);
  const { eventIds } = await client.send({ broadcast: true, messages: [{ message: 1 }, { message: null }] });
  const texts: string[] = eventIds;
  await client.send({ entityId: 'room-1', messages: texts.map((text) => ({ message: text })) });
  const one: string = eventId;
  console.log(one.length);
} catch (error) {
  if (error instanceof HeraldError && error.retryable) console.log(error.kind);
}

// What must not compile.

// @ts-expect-error: several messages need a target.
client.send({ messages: [{ message: 1 }] });
// @ts-expect-error: a typo of the target.
client.send({ entityid: 'room-1', message: 1 });
// @ts-expect-error: a typo of the target of several messages.
client.send({ entityid: 'room-1', messages: [{ message: 1 }] });
// @ts-expect-error: two targets.
client.send({ entityId: 'room-1', broadcast: true, message: 1 });
// @ts-expect-error: no messages.
client.send({ entityId: 'room-1', messages: [] });
// @ts-expect-error: a message without a JSON form.
client.send({ entityId: 'room-1', message: undefined });
// @ts-expect-error: one of several messages without a JSON form.
client.send({ entityId: 'room-1', messages: [{ message: undefined }] });
// @ts-expect-error: no message.
client.send({ entityId: 'room-1' });
// @ts-expect-error: both one message and several.
client.send({ entityId: 'room-1', message: 1, messages: [{ message: 2 }] });
// @ts-expect-error: one message has one eventId.
client.send({ entityId: 'room-1', message: 1 }).then(({ eventIds }) => eventIds);
// @ts-expect-error: several messages have no eventId of their own.
client.send({ entityId: 'room-1', messages: [{ message: 1 }] }).then(({ eventId }) => eventId);

// A subscription that ends with a page, acknowledged or not.
const page = new AbortController();
const pending = client.subscribe<Order>('order-3', shipped, { signal: page.signal });
pending.unsubscribe();
const logged = connect('wss://example.com/prod', { log: (entry) => entry.kind === 'sent' && console.log(entry.frame) });
logged.networkUp();

// Handlers that end with a page, one connection for all tabs, and an outbox that survives a reload.
client.onState(() => {}, { signal: page.signal });
client.onState(({ name, transport, delay, reason }) => {
  const words: [string, string | undefined, number | null | undefined, string | undefined] = [name, transport, delay, reason?.kind];
  console.log(words);
});
client.onType<Order>('Entity Updated', shipped, { signal: page.signal });
const outbox = indexedDbOutbox('orders', { limit: 100, onFailed: ({ message }, { kind }) => console.log(message, kind) });
const tab = connectShared('wss://example.com/prod', { outbox, worker: '/herald-worker.js' });
await tab.send({ entityId: 'room-1', message: 1 }, { keep: false });
// @ts-expect-error: the shared connection has a WebSocket of its own.
connectShared('wss://example.com/prod', { webSocket: WebSocket });

subscription.unsubscribe();
await client.close({ within: 1000 });
