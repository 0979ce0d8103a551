// A herald-local of a test, and helpers of its tests.

import WebSocket from 'ws';

import { connect } from '../herald-client.js';
import { startHeraldLocal } from './herald-local.js';
import { Proxy } from './proxy.js';

/** Builds herald-local if it is stale, and starts it on any port. */
export async function startStack(...flags) {
  const { addresses, end } = await startHeraldLocal(flags);
  return new Stack(addresses, () => end('SIGINT'));
}

class Stack {
  #tokens;

  constructor({ webSocket, endpoint, tokens, functionUrls }, end) {
    this.webSocket = webSocket;
    this.pollUrl = functionUrls.PollFunctionUrl;
    this.endpoint = endpoint;
    this.#tokens = tokens;
    this.end = end;
  }

  /** Returns a token of the local issuer, as `token` and `expiresAt`. */
  async token(claims) {
    const answer = await fetch(this.#tokens, { method: 'POST', body: JSON.stringify(claims) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  /** Puts events about an entity. */
  put(entityId, ...messages) {
    return this.putEvents('Entity Updated', ...messages.map((message) => ({ entityId, message })));
  }

  /** Puts at most 10 events in one call of EventBridge's PutEvents. */
  async putEvents(detailType, ...details) {
    const entries = details.map((detail) => ({
      Source: 'test',
      DetailType: detailType,
      Detail: JSON.stringify(detail),
    }));
    const answer = await fetch(this.endpoint, {
      method: 'POST',
      headers: { 'X-Amz-Target': 'AWSEvents.PutEvents', 'Content-Type': 'application/x-amz-json-1.1' },
      body: JSON.stringify({ Entries: entries }),
    });
    const { FailedEntryCount } = await answer.json();
    if (FailedEntryCount !== 0) throw new Error(`PutEvents refused ${FailedEntryCount} events`);
  }

  /** Starts a client that is closed after the test. */
  connect(test, options = {}, url = this.webSocket) {
    const client = connect(url, { webSocket: WebSocket, backoffBase: 50, ...options });
    test.after(() => client.close({ within: 0 }));
    return client;
  }

  /** Starts a proxy in front of the WebSocket. It ends after the test. */
  async proxy(test) {
    const proxy = new Proxy(new URL(this.webSocket));
    await proxy.listen();
    test.after(() => proxy.end());
    return proxy;
  }
}

/** Returns a handler that collects its values and can wait for them. */
export function collector() {
  const values = [];
  let check = () => {};
  const collect = (value) => {
    values.push(value);
    check();
  };
  collect.values = values;
  /** Resolves once `condition` holds for the values. */
  collect.until = (condition) =>
    new Promise((resolve) => {
      check = () => condition(values) && resolve(values);
      check();
    });
  collect.count = (count) => collect.until(({ length }) => length >= count);
  return collect;
}

/** Returns a class of WebSockets that counts how many opened. */
export function countedWebSocket() {
  return class Counted extends WebSocket {
    static opened = 0;

    constructor(...args) {
      super(...args);
      this.addEventListener('open', () => (Counted.opened += 1));
    }
  };
}
