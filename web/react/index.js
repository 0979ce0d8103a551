/**
 * Herald in React applications. index.d.ts documents the API.
 *
 * @module react
 */

export { usePresence } from './presence.js';
export { HeraldProvider, useHerald } from './provider.js';
export { useHeraldState } from './state.js';
export { useSubscription } from './subscription.js';
