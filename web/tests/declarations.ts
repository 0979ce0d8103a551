// Proof that herald-client.d.ts declares what the modules export: no more and no less. It is compiled, never run.

import type * as client from '../client/client.js';
import type * as error from '../client/error.js';
import type * as declared from '../herald-client.js';

/** A compile error unless `Actual` can be used as `Expected`. */
type Is<Expected, Actual extends Expected> = Actual;

/** A compile error unless `Condition` is true. */
type Holds<Condition extends true> = Condition;

type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;

type Connect = Is<typeof declared.connect, typeof client.connect>;
type Client = Is<typeof declared.HeraldClient, typeof client.HeraldClient>;
type ClientMembers = Holds<Same<keyof declared.HeraldClient, keyof client.HeraldClient>>;
type ErrorClass = Is<typeof declared.HeraldError, typeof error.HeraldError>;
type ErrorMembers = Holds<Same<keyof declared.HeraldError, keyof error.HeraldError>>;

// bundle.test.js proves the same of the modules and of the bundle.
type Exports = Holds<Same<keyof typeof declared, 'connect' | 'HeraldClient' | 'HeraldError'>>;
