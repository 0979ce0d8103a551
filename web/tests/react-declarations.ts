// Proof that react/index.d.ts declares what its modules export: no more and no less. It is compiled, never run.

import type * as presence from '../react/presence.js';
import type * as provider from '../react/provider.js';
import type * as state from '../react/state.js';
import type * as subscription from '../react/subscription.js';
import type * as declared from 'herald-client/react';

/** A compile error unless `Actual` can be used as `Expected`. */
type Is<Expected, Actual extends Expected> = Actual;

/** A compile error unless `Condition` is true. */
type Holds<Condition extends true> = Condition;

type Provider = Is<typeof declared.HeraldProvider, typeof provider.HeraldProvider>;
type Herald = Is<typeof declared.useHerald, typeof provider.useHerald>;
type HeraldState = Is<typeof declared.useHeraldState, typeof state.useHeraldState>;
type OfPresence = Is<typeof declared.usePresence, typeof presence.usePresence>;
type OfEntity = Is<typeof declared.useSubscription, typeof subscription.useSubscription>;

type Names = 'HeraldProvider' | 'useHerald' | 'useHeraldState' | 'usePresence' | 'useSubscription';
type Exports = Holds<[keyof typeof declared, Names] extends [Names, keyof typeof declared] ? true : false>;
