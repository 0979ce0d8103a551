// A `herald-local` of a test's own, which can be killed and started again in the same place.

import { startHeraldLocal } from '../../web/tests/herald-local.js';

/** Starts it on any port; it ends after the test. */
export async function startStack(test, ...flags) {
  const stack = new Stack(flags);
  test.after(() => stack.kill());
  await stack.start();
  return stack;
}

/** The engine behind DynamoDB wants a signature, and looks no closer. */
const SIGNATURE = {
  'X-Amz-Date': '20000101T000000Z',
  Authorization: 'AWS4-HMAC-SHA256 Credential=test/20000101/test/test/aws4_request, SignedHeaders=host, Signature=0',
};

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
      headers: { 'X-Amz-Target': target, 'Content-Type': 'application/x-amz-json-1.0', ...SIGNATURE },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  /** Returns how many connections are subscribed to an entity, as the table has it. */
  async listeners(entity) {
    const { Count } = await this.call('DynamoDB_20120810.Query', {
      TableName: this.tables.Table,
      KeyConditionExpression: 'pk = :audience',
      ExpressionAttributeValues: { ':audience': { S: `A#entity#${entity}` } },
    });
    return Count;
  }

  /** Leaves what a connection leaves behind that ended an hour ago without a `$disconnect`. */
  async leaveBehind(entity) {
    // Rows are kept for two hours and ten minutes, and connections younger than 30 s are not found gone.
    const expiresAt = Math.floor(Date.now() / 1000) + 70 * 60;
    await this.call('DynamoDB_20120810.PutItem', {
      TableName: this.tables.Table,
      Item: {
        pk: { S: `A#entity#${entity}` },
        sk: { S: 'b1#PcQeDRO4gIEm4LQ=' },
        change: { N: '1' },
        expiresAt: { N: String(expiresAt) },
      },
    });
  }
}
