// A herald-local of a test, which can be killed and started again at the same address.

import { startHeraldLocal } from '../../web/tests/herald-local.js';

/** Starts herald-local on any port. It ends after the test. */
export async function startStack(test, ...flags) {
  const stack = new Stack(flags);
  test.after(() => stack.kill());
  await stack.start();
  return stack;
}

/** A placeholder: the engine behind DynamoDB demands a signature and does not check it. */
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

  /** Starts it, at the same address as before. */
  async start() {
    const port = this.endpoint && new URL(this.endpoint).port;
    const { addresses, end } = await startHeraldLocal(this.#flags, port);
    this.#end = end;
    Object.assign(this, addresses);
  }

  /** Kills it, as a crash does. */
  async kill() {
    await this.#end?.('SIGKILL');
  }

  /** Calls an operation of SQS or another service. */
  async call(target, body) {
    const answer = await fetch(this.endpoint, {
      method: 'POST',
      headers: { 'X-Amz-Target': target, 'Content-Type': 'application/x-amz-json-1.0', ...SIGNATURE },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  /** Puts an event about an entity. */
  async put(entityId, message) {
    const entry = { Source: 'test', DetailType: 'Entity Updated', Detail: JSON.stringify({ entityId, message }) };
    const { FailedEntryCount } = await this.call('AWSEvents.PutEvents', { Entries: [entry] });
    if (FailedEntryCount !== 0) throw new Error('PutEvents refused the event');
  }

  /** Returns the number of open connections. */
  async connections() {
    const answer = await fetch(new URL('/console/connections', this.endpoint));
    return (await answer.json()).connections.length;
  }

  /** Returns the number of connections that are subscribed to an entity, from the table. */
  async listeners(entity) {
    const { Count } = await this.call('DynamoDB_20120810.Query', {
      TableName: this.tables.Table,
      KeyConditionExpression: 'pk = :audience',
      ExpressionAttributeValues: { ':audience': { S: `A#entity#${entity}` } },
    });
    return Count;
  }

  /** Writes the row that a connection leaves behind which ended an hour ago without a `$disconnect`. */
  async leaveStaleListener(entity) {
    // Rows expire after two hours and ten minutes, and a connection younger than 30 s is not taken for gone.
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
