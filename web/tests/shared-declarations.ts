// Proof that shared/index.d.ts declares what the module exports. It is compiled, never run.

import type * as declared from 'herald-client/shared';
import type * as shared from '../shared/connect.js';

/** A compile error unless `Actual` can be used as `Expected`. */
type Is<Expected, Actual extends Expected> = Actual;

type Connect = Is<typeof declared.connect, typeof shared.connect>;
type Exports = Is<keyof typeof declared, keyof typeof shared>;
