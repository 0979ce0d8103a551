/**
 * An outbox that survives a reload of the page. index.d.ts documents the API.
 *
 * @module outbox
 */

export { indexedDbOutbox } from './persistent-outbox.js';
