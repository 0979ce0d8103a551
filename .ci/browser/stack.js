// A `herald-local` of a test's own, which can be killed and started again in the same place.

import { startHeraldLocal } from '../../web/tests/herald-local.js';

/** Starts it on any port; it ends after the test. */
export async function startStack(test, ...flags) {
  const stack = new Stack(flags);
  test.after(() => stack.kill());
  await stack.start();
  return stack;
}

class Stack {
  #flags;
  #end;

  constructor(flags) {
    this.#flags = flags;
  }

  /** Starts it, where it was if it has been there. */
  async start() {
    const port = this.endpoint && new URL(this.endpoint).port;
    const { addresses, end } = await startHeraldLocal(this.#flags, port);
    this.#end = end;
    Object.assign(this, addresses);
  }

  /** Ends it, as a crash does. */
  async kill() {
    await this.#end?.('SIGKILL');
  }

  /** Has SQS or another service do something. */
  async call(target, body) {
    const answer = await fetch(this.endpoint, {
      method: 'POST',
      headers: { 'X-Amz-Target': target, 'Content-Type': 'application/x-amz-json-1.0' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }
}
