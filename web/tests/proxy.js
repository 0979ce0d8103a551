// A proxy in front of a server, which can break connections.

import { once } from 'node:events';
import net from 'node:net';

export class Proxy {
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

  /** Makes every connection silent without closing it. */
  silence() {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Answers every request with this status from now on. `undefined` ends that. */
  refuseWith(status) {
    this.#refusal = status;
  }

  /** Breaks every connection and accepts no more, until `listen` with the same port. */
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
