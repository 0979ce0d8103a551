/**
 * A WebSocket that reports its frames, in both directions.
 *
 * @module watched-socket
 */

/**
 * @typedef {object} Watcher
 * @property {(text: string) => void} sent
 * @property {(text: string) => void} received
 * @property {(socket: WebSocket) => void} opened
 */

/** Returns a class for the option `webSocket` of the client. @param {Watcher} watcher */
export function watchedWebSocket(watcher) {
  return class extends WebSocket {
    /** @param {string} url @param {string[]} protocols */
    constructor(url, protocols) {
      super(url, protocols);
      this.addEventListener('open', () => watcher.opened(this));
      this.addEventListener('message', ({ data }) => watcher.received(String(data)));
    }

    /** @override @param {string} text */
    send(text) {
      watcher.sent(text);
      super.send(text);
    }
  };
}
