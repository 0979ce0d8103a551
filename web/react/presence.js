/**
 * The users at an entity, for a component.
 *
 * @module presence
 */

import { useEffect } from 'react';

import { useAnswer } from './answer.js';
import { useLatest } from './latest.js';
import { useHerald } from './provider.js';

/** @import { HeraldClient, PresenceChange } from 'herald-client' */
/** @import { PresenceState } from './index.js' */

/** The arguments of the last render. @typedef {{ entityId: string | null | undefined, onChange?: (change: PresenceChange) => void }} Latest */

/** @type {PresenceState} */
const UNKNOWN = Object.freeze({ count: null, members: null, error: null });

/**
 * @param {string | null | undefined} entityId
 * @param {(change: PresenceChange) => void} [onChange]
 * @returns {PresenceState}
 */
export function usePresence(entityId, onChange) {
  const client = useHerald();
  const latest = useLatest({ entityId, onChange });
  const [state, setState] = useAnswer(client, entityId, UNKNOWN);
  useEffect(() => {
    if (client && entityId != null) return follow(client, entityId, latest, setState);
  }, [client, entityId, latest, setState]);
  return state;
}

/**
 * Follows the presence of an entity for as long as a component is mounted.
 *
 * @param {HeraldClient} client
 * @param {string} entityId
 * @param {{ readonly current: Latest }} latest
 * @param {(state: PresenceState) => void} setState
 * @returns {() => void} ends it.
 */
function follow(client, entityId, latest, setState) {
  let isMounted = true;
  /** @param {Error} error */
  const fail = (error) => {
    if (isMounted) setState({ ...UNKNOWN, error });
  };
  /** @param {PresenceChange} change */
  const changed = (change) => {
    // The component may have been rendered with another entity, whose effect runs later.
    if (!isMounted || latest.current.entityId !== entityId) return;
    const { count, members, error = null } = change;
    setState({ count, members, error });
    latest.current.onChange?.(change);
  };
  const pending = client.subscribe(entityId, { presence: changed, onEnded: fail });
  pending.catch(fail);
  return () => {
    isMounted = false;
    setState(UNKNOWN);
    // A component that mounts in the same turn, as in StrictMode, keeps the subscription on the server.
    queueMicrotask(() => pending.unsubscribe());
  };
}
