/**
 * The client of a tree of components.
 *
 * @module provider
 */

import { connect } from 'herald-client';
import { createContext, createElement, useContext, useEffect, useRef, useState } from 'react';

import { useLatest } from './latest.js';

/** @import { HeraldClient, Options } from 'herald-client' */
/** @import { HeraldProviderProps } from './index.js' */

/**
 * A client, and the number of mounts of its component that have not ended.
 *
 * @typedef {{ url: string, client: HeraldClient, mounts: number }} Kept
 */

const Context = createContext(/** @type {HeraldClient | null | undefined} */ (undefined));

/** @param {HeraldProviderProps} props */
export function HeraldProvider({ client, url, options, children }) {
  const own = useOwnClient(client ? undefined : url, options);
  return createElement(Context.Provider, { value: client ?? own }, children);
}

export function useHerald() {
  const client = useContext(Context);
  if (client === undefined) throw new Error('useHerald needs a HeraldProvider around its component');
  return client;
}

/**
 * Returns a client that is connected while the component is mounted, and `null` before. Effects do not run on a
 * server, so nothing connects there.
 *
 * @param {string | undefined} url
 * @param {Options | undefined} options
 */
function useOwnClient(url, options) {
  const [client, setClient] = useState(/** @type {HeraldClient | null} */ (null));
  const latest = useLatest(options);
  const kept = useRef(/** @type {Kept | null} */ (null));
  useEffect(() => {
    if (url === undefined) return;
    if (kept.current?.url !== url) kept.current = { url, client: connect(url, followed(latest)), mounts: 0 };
    const own = kept.current;
    own.mounts += 1;
    setClient(own.client);
    return () => {
      own.mounts -= 1;
      // StrictMode mounts again in the same turn, and keeps the connection.
      queueMicrotask(() => {
        if (own.mounts > 0) return;
        if (kept.current === own) kept.current = null;
        setClient((current) => (current === own.client ? null : current));
        void own.client.close();
      });
    };
  }, [url, latest]);
  return client;
}

/**
 * Returns the options of a new client. Its callbacks are those of the last render.
 *
 * @param {{ readonly current: Options | undefined }} latest
 * @returns {Options}
 */
function followed(latest) {
  const { token, log } = latest.current ?? {};
  return {
    ...latest.current,
    ...(token && { token: () => latest.current?.token?.() }),
    ...(log && { log: (entry) => latest.current?.log?.(entry) }),
  };
}
