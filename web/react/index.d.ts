/**
 * Herald in React and React Native: a client for a tree of components, and hooks on it.
 *
 * docs/react.md of Herald's repository is the guide.
 */

import type {
  HeraldClient,
  Options,
  Presence,
  PresenceChange,
  Push,
  State,
  SubscribeOptions,
  Subscription,
  SubscriptionEvents,
} from 'herald-client';
import type { ReactElement, ReactNode } from 'react';

/**
 * Gives the components in it a client: the one that it is passed, or one of its own, which is connected to `url` while
 * the provider is mounted. On a server it connects nothing.
 */
export function HeraldProvider(props: HeraldProviderProps): ReactElement;

export type HeraldProviderProps = { children?: ReactNode } & (
  | {
      /** The address of the WebSocket. A new address makes a new client. */
      url: string;
      /**
       * The options of the client, read when it is made. `token` and `log` may change with every render: the last
       * ones are called.
       */
      options?: Options;
      client?: undefined;
    }
  | {
      /** A client of the application, which starts it and closes it. */
      client: HeraldClient;
      url?: undefined;
      options?: undefined;
    }
);

/**
 * Returns the client of the nearest provider. `null` on a server, and until a provider with a `url` is mounted.
 *
 * @throws {Error} if there is no provider.
 */
export function useHerald(): HeraldClient | null;

/** Returns the state of the connection, and renders at its changes. It is `connecting` while there is no client. */
export function useHeraldState(): State;

/**
 * Subscribes to an entity while the component is mounted. Components with the same entity share one subscription on
 * the server.
 *
 * @param entityId the entity. `null` or `undefined` for no subscription. A new id ends the subscription and makes another.
 * @param handler is called with every push about the entity. It may change with every render: the last one is called.
 */
export function useSubscription<Message = unknown>(
  entityId: string | null | undefined,
  handler: (push: Push<Message>) => void,
): SubscriptionState;

/** Subscribes with options. The callbacks may change with every render; `recover` and `rewind` are read once. */
export function useSubscription<Message = unknown>(
  entityId: string | null | undefined,
  options: SubscriptionOptions<Message>,
): SubscriptionState;

/** The options of a client's `subscribe`, and the listeners of the subscription. */
export interface SubscriptionOptions<Message = unknown> extends Omit<SubscribeOptions<Message>, 'presence' | 'signal'> {
  /** Is called when messages may be lost, before the next message. */
  onLost?: (event: SubscriptionEvents['lost']) => void;
  /** Is called when every message was delivered after a reconnect, or from the position `recover`. */
  onRecovered?: (event: SubscriptionEvents['recovered']) => void;
}

/**
 * Follows the users at an entity while the component is mounted, and renders at every change. It shares one subscription
 * on the server with the components that subscribe to the entity.
 *
 * @param entityId the entity. `null` or `undefined` for none.
 * @param onChange is called with every change, first with everybody who is there. It may change with every render: the
 *   last one is called.
 */
export function usePresence(
  entityId: string | null | undefined,
  onChange?: (change: PresenceChange) => void,
): PresenceState;

/** The users at an entity. All is `null` until the server has answered. */
export interface PresenceState {
  /** The number of users, and of connections without a user. `null` if it is unknown. */
  count: number | null;
  /** The users by their ids, in order. `null` if they are unknown: there are more than the stack lists, or there is no presence. */
  members: Presence['members'];
  /** The reason for which the server refused presence or the subscription, or ended it. */
  error: Error | null;
}

/** The state of a subscription. Both are `null` until the server has answered. */
export interface SubscriptionState {
  /** The subscription that the server has acknowledged. */
  subscription: Subscription | null;
  /** The reason for which the server refused the subscription or ended it, or the error of `state`. */
  error: Error | null;
}
