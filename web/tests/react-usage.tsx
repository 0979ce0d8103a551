// The hooks as an application in TypeScript uses them. It is compiled, never run.

import { HeraldProvider, useHerald, useHeraldState, usePresence, useSubscription } from 'herald-client/react';
import { connect } from 'herald-client';
import { useState } from 'react';

interface Order {
  state: 'packed' | 'shipped';
}

function OrderView({ id }: { id: string | undefined }) {
  const herald = useHerald();
  const connection = useHeraldState();
  const [order, setOrder] = useState<Order>();
  const { subscription, error } = useSubscription<Order>(id, ({ message }) => setOrder(message));
  const { name } = connection;
  if (error) return <p>{error.message}</p>;
  const say = () => herald?.send({ entityId: 'room-1', message: order ?? 'none', name: subscription?.entityId });
  return <button onClick={say} disabled={name !== 'open'} />;
}

function Room() {
  const { count, members, error } = usePresence('room-1', ({ joined }) => console.log(joined[0]?.userId));
  useSubscription<string>('room-1', {
    rewind: 20,
    onMessage: ({ message }) => console.log(message.length),
    onLost: ({ position }) => console.log(position?.offset),
  });
  // @ts-expect-error: the hook ends the subscription itself.
  useSubscription('room-1', { signal: new AbortController().signal });
  if (error) return <p>{error.message}</p>;
  return <p title={members?.get('alice')?.userId}>{count}</p>;
}

export const one = (
  <HeraldProvider url="wss://example.com/prod" options={{ token: async () => (await fetch('/token')).text() }}>
    <OrderView id="order-1" />
  </HeraldProvider>
);
export const other = (
  <HeraldProvider client={connect('wss://example.com/prod')}>
    <Room />
  </HeraldProvider>
);
// @ts-expect-error: neither a client nor an address.
export const none = <HeraldProvider />;
