/**
 * The state of the connection.
 *
 * @module state
 */

import { useCallback, useSyncExternalStore } from 'react';

import { useHerald } from './provider.js';

/** @import { State } from 'herald-client' */

/** The state without a client, on a server and at the first render. @type {State} */
const CONNECTING = Object.freeze({ name: 'connecting' });

/** @returns {State} */
export function useHeraldState() {
  const client = useHerald();
  const watch = useCallback(
    /** @param {() => void} changed */ (changed) => client?.onState(changed) ?? (() => {}),
    [client],
  );
  return useSyncExternalStore(
    watch,
    () => client?.state ?? CONNECTING,
    () => CONNECTING,
  );
}
