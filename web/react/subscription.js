/**
 * The subscription of a component.
 *
 * @module subscription
 */

import { useEffect } from 'react';

import { useAnswer } from './answer.js';
import { useLatest } from './latest.js';
import { useHerald } from './provider.js';

/** @import { HeraldClient } from 'herald-client' */
/** @import { SubscriptionOptions, SubscriptionState } from './index.js' */

/** The arguments of the last render. @typedef {{ entityId: string | null | undefined, options: SubscriptionOptions<any> }} Latest */

/** @type {SubscriptionState} */
const PENDING = Object.freeze({ subscription: null, error: null });

/**
 * @param {string | null | undefined} entityId
 * @param {((push: any) => void) | SubscriptionOptions<any>} handler
 * @returns {SubscriptionState}
 */
export function useSubscription(entityId, handler) {
  const client = useHerald();
  const latest = useLatest({ entityId, options: typeof handler === 'function' ? { onMessage: handler } : handler });
  const [state, setState] = useAnswer(client, entityId, PENDING);
  useEffect(() => {
    if (client && entityId != null) return subscribe(client, entityId, latest, setState);
  }, [client, entityId, latest, setState]);
  return state;
}

/**
 * Subscribes for as long as a component is mounted.
 *
 * @param {HeraldClient} client
 * @param {string} entityId
 * @param {{ readonly current: Latest }} latest
 * @param {(state: SubscriptionState) => void} setState
 * @returns {() => void} ends it.
 */
function subscribe(client, entityId, latest, setState) {
  const { recover, rewind, state } = latest.current.options;
  let isMounted = true;
  /**
   * Calls `action` with the last options, unless the component was unmounted. It may have been rendered with another
   * entity, whose effect runs later.
   *
   * @param {(options: SubscriptionOptions<any>) => void} action
   */
  const whileMounted = (action) => {
    if (isMounted && latest.current.entityId === entityId) action(latest.current.options);
  };
  const pending = client.subscribe(entityId, {
    recover,
    rewind,
    state: state && (() => latest.current.options.state?.() ?? {}),
    onMessage: (push) => whileMounted(({ onMessage }) => onMessage?.(push)),
    onEnded: (error) =>
      whileMounted(({ onEnded }) => {
        setState({ subscription: null, error });
        onEnded?.(error);
      }),
  });
  pending.then(
    (subscription) =>
      whileMounted(() => {
        subscription.on('lost', (event) => whileMounted(({ onLost }) => onLost?.(event)));
        subscription.on('recovered', (event) => whileMounted(({ onRecovered }) => onRecovered?.(event)));
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
