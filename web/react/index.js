/**
 * Herald in React applications. index.d.ts documents the API.
 *
 * @module react
 */

export { HeraldProvider, useHerald } from './provider.js';
export { useHeraldState } from './state.js';
export { useSubscription } from './subscription.js';
