/**
 * A client of Herald whose connection all tabs of an origin share.
 *
 * docs/clients.md of Herald's repository has its rules.
 */

import type { HeraldClient, Options } from 'herald-client';

/**
 * Starts a client like `connect` of `herald-client`. The clients of all tabs of the origin with the same `url` and the
 * same user share one connection: in a SharedWorker, or, where there is none, in one of the tabs, which a Web Lock
 * chooses. In an environment that has neither, the client has a connection of its own.
 */
export function connect(url: string, options?: SharedOptions): HeraldClient;

/** The options of a client, and of its sharing. */
export interface SharedOptions extends Omit<Options, 'webSocket'> {
  /**
   * The address of this package's `shared/worker.js`, for applications whose bundler does not find it. If the worker
   * cannot be loaded, a tab holds the connection.
   */
  worker?: string | URL;
}
