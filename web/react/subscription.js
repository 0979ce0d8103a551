/**
 * The subscription of a component.
 *
 * @module subscription
 */

import { useEffect, useState } from 'react';

import { useLatest } from './latest.js';
import { useHerald } from './provider.js';

/** @import { HeraldClient } from 'herald-client' */
/** @import { SubscriptionOptions, SubscriptionState } from './index.js' */

/** @type {SubscriptionState} */
const PENDING = Object.freeze({ subscription: null, error: null });

/**
 * @param {string | null | undefined} entityId
 * @param {((push: any) => void) | SubscriptionOptions<any>} handler
 * @returns {SubscriptionState}
 */
export function useSubscription(entityId, handler) {
  const client = useHerald();
  const latest = useLatest(typeof handler === 'function' ? { onMessage: handler } : handler);
  const [state, setState] = useState(PENDING);
  useEffect(() => {
    if (client && entityId != null) return subscribe(client, entityId, latest, setState);
  }, [client, entityId, latest]);
  return state;
}

/**
 * Subscribes for as long as a component is mounted.
 *
 * @param {HeraldClient} client
 * @param {string} entityId
 * @param {{ readonly current: SubscriptionOptions<any> }} latest
 * @param {(state: SubscriptionState) => void} setState
 * @returns {() => void} ends it.
 */
function subscribe(client, entityId, latest, setState) {
  const { recover, rewind, state } = latest.current;
  let isMounted = true;
  /** Runs `action` unless the component was unmounted. @param {() => void} action */
  const whileMounted = (action) => {
    if (isMounted) action();
  };
  const pending = client.subscribe(entityId, {
    recover,
    rewind,
    state: state && (() => latest.current.state?.() ?? {}),
    onMessage: (push) => whileMounted(() => latest.current.onMessage?.(push)),
    onEnded: (error) =>
      whileMounted(() => {
        setState({ subscription: null, error });
        latest.current.onEnded?.(error);
      }),
  });
  pending.then(
    (subscription) =>
      whileMounted(() => {
        subscription.on('lost', (event) => whileMounted(() => latest.current.onLost?.(event)));
        subscription.on('recovered', (event) => whileMounted(() => latest.current.onRecovered?.(event)));
        setState({ subscription, error: null });
      }),
    (error) => whileMounted(() => setState({ subscription: null, error })),
  );
  return () => {
    isMounted = false;
    setState(PENDING);
    // A component that mounts in the same turn, as in StrictMode, keeps the subscription on the server.
    queueMicrotask(() => pending.unsubscribe());
  };
}
