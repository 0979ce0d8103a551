// The client as an application in TypeScript uses it. It is compiled, never run.

import { connect, HeraldError, type Position, type Push, type State } from 'herald-client';

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
  // @ts-expect-error: several messages need a target.
  await client.send({ messages: [{ message: 1 }] });
} catch (error) {
  if (error instanceof HeraldError && error.retryable) console.log(error.kind);
}

subscription.unsubscribe();
await client.close({ within: 1000 });
