// A `herald-local` of a test's own, and a proxy before it that can break what lies between.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

import WebSocket from 'ws';

import { connect } from '../herald-client.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/** Builds it if need be, and starts it on any port. */
export async function startStack(...flags) {
  const command = ['run', '--quiet', '-p', 'herald-local', '--', '--port', '0', '--json', '--log', 'error', ...flags];
  const herald = spawn('cargo', command, { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(herald, 'exit');
  const [line] = await Promise.race([
    once(createInterface(herald.stdout), 'line'),
    ended.then(([code]) => Promise.reject(new Error(`herald-local ended with ${code}`))),
  ]);
  return new Stack(JSON.parse(line), async () => {
    herald.kill('SIGINT');
    await ended;
  });
}

class Stack {
  #tokens;

  constructor({ webSocket, endpoint, tokens }, end) {
    this.webSocket = webSocket;
    this.endpoint = endpoint;
    this.#tokens = tokens;
    this.end = end;
  }

  /** A token of the local issuer: its answer, with `token` and `expiresAt`. */
  async token(claims) {
    const answer = await fetch(this.#tokens, { method: 'POST', body: JSON.stringify(claims) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  /** Puts events about an entity. */
  put(entityId, ...messages) {
    return this.putEvents('Entity Updated', ...messages.map((message) => ({ entityId, message })));
  }

  /** Puts events in one call of EventBridge's PutEvents; 10 at the most. */
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
    if (FailedEntryCount !== 0) throw new Error(`${FailedEntryCount} events were not taken`);
  }

  /** Starts a client, which is closed after the test. */
  connect(test, options = {}, url = this.webSocket) {
    const client = connect(url, { webSocket: WebSocket, backoffBase: 50, ...options });
    test.after(() => client.close({ within: 0 }));
    return client;
  }

  /** Starts a proxy before the WebSocket, which ends after the test. */
  async proxy(test) {
    const proxy = new Proxy(new URL(this.webSocket));
    await proxy.listen();
    test.after(() => proxy.end());
    return proxy;
  }
}

class Proxy {
  #target;
  #server = net.createServer((socket) => this.#accept(socket));
  #sockets = new Set();
  #refusal;

  constructor(target) {
    this.#target = target;
  }

  async listen(port = 0) {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
    this.webSocket = `ws://127.0.0.1:${this.port}${this.#target.pathname}`;
  }

  /** Breaks every connection. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets every connection there is fall silent, without an end. */
  silence() {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Answers every request from now on with this status, until `undefined`. */
  refuseWith(status) {
    this.#refusal = status;
  }

  /** Breaks every connection and takes no more, until `listen` with the same port. */
  async end() {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(socket) {
    this.#keep(socket);
    if (this.#refusal) {
      const answer = `HTTP/1.1 ${this.#refusal} No\r\nContent-Length: 0\r\n\r\n`;
      return void socket.once('data', () => socket.end(answer));
    }
    const upstream = net.connect(this.#target.port, this.#target.hostname);
    this.#keep(upstream);
    socket.pipe(upstream).pipe(socket);
    socket.once('close', () => upstream.destroy());
    upstream.once('close', () => socket.destroy());
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

/** Collects what a handler is called with, and waits for it. */
export function collector() {
  const values = [];
  let check = () => {};
  const collect = (value) => {
    values.push(value);
    check();
  };
  collect.values = values;
  /** Resolves once `condition` holds of the values. */
  collect.until = (condition) =>
    new Promise((resolve) => {
      check = () => condition(values) && resolve(values);
      check();
    });
  collect.count = (count) => collect.until(({ length }) => length >= count);
  return collect;
}

/** A class of WebSockets that counts those of it that opened. */
export function countedWebSocket() {
  return class Counted extends WebSocket {
    static opened = 0;

    constructor(...args) {
      super(...args);
      this.addEventListener('open', () => (Counted.opened += 1));
    }
  };
}
