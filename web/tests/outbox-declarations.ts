// Proof that outbox/index.d.ts declares what the module exports. It is compiled, never run.

import type * as declared from 'herald-client/outbox';
import type * as outbox from '../outbox/persistent-outbox.js';

/** A compile error unless `Actual` can be used as `Expected`. */
type Is<Expected, Actual extends Expected> = Actual;

type IndexedDbOutbox = Is<typeof declared.indexedDbOutbox, typeof outbox.indexedDbOutbox>;
type Exports = Is<keyof typeof declared, keyof typeof outbox>;
