// The client as an application in TypeScript uses it. It is compiled, never run.

import { connect, HeraldError, type Push, type State } from 'herald-client';

interface Order {
  state: 'packed' | 'shipped';
}

const client = connect('wss://example.com/prod', {
  token: async () => (await fetch('/token')).text(),
  outboxFull: 'dropOldest',
});
client.onState((state: State) => {
  if (state.name === 'stopped' && state.reason.kind === 'refused') console.log(state.reason.status);
});

const shipped = (push: Push<Order>) => push.message.state === 'shipped';
const subscription = await client.subscribe<Order>('order-1', shipped, (error) => console.log(error.code));
client.onNotification((push) => console.log(push.callback));

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
