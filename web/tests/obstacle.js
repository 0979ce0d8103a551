// A network that admits no WebSocket, in front of a server.

import { EventEmitter, once } from 'node:events';
import net from 'node:net';

/**
 * The proxy. Its mode is one of these:
 *
 * - `pass`: it passes everything.
 * - `swallow`: it drops a request with `Upgrade`, and every connection.
 * - `strip`: it answers an upgrade as an ordinary request, with 400.
 * - `kill`: it kills a connection 200 ms after the upgrade.
 * - a number: it answers every request with this status.
 */
export class Obstacle {
  #target;
  #mode;
  #sockets = new Set();
  #answers = 0;
  #events = new EventEmitter();
  #server = net.createServer((socket) => this.#accept(socket));

  constructor(target, mode) {
    this.#target = target;
    this.#mode = mode;
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.webSocket = `ws://127.0.0.1:${this.#server.address().port}${this.#target.pathname}`;
  }

  /** Changes the mode. A mode that admits no WebSocket breaks every connection. */
  change(mode) {
    this.#mode = mode;
    if (mode !== 'pass') this.#breakAll();
  }

  /** Resolves once it has answered this many requests with a status of its own. */
  async answered(count) {
    while (this.#answers < count) await once(this.#events, 'answer');
  }

  async end() {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#breakAll();
    await closed;
  }

  #breakAll() {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket) {
    this.#keep(socket);
    if (this.#mode === 'swallow') return void socket.once('data', () => socket.destroy());
    const status = this.#mode === 'strip' ? 400 : this.#mode;
    if (typeof status === 'number') {
      const answer = `HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      return void socket.once('data', () => {
        socket.end(answer);
        this.#answers += 1;
        this.#events.emit('answer');
      });
    }
    const upstream = net.connect(this.#target.port, this.#target.hostname);
    this.#keep(upstream);
    socket.pipe(upstream).pipe(socket);
    socket.once('close', () => upstream.destroy());
    upstream.once('close', () => socket.destroy());
    if (this.#mode === 'kill') upstream.once('data', () => setTimeout(() => socket.destroy(), 200));
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
