/**
 * The pages that share an outbox. Each holds a lock as long as it is there, and the browser frees the lock of one that
 * ends or crashes.
 *
 * @module pages
 */

export class Pages {
  /** The id of this page. */
  own = crypto.randomUUID();
  #prefix;
  /** The pages whose end is awaited. @type {Set<string>} */
  #watched = new Set();
  #end = new AbortController();

  /** @param {string} prefix the first part of the names of all locks. */
  constructor(prefix) {
    this.#prefix = `${prefix} page `;
  }

  /** Resolves once the other pages can see this one. @returns {Promise<void>} */
  enter() {
    return new Promise((resolve, reject) => {
      const left = new Promise((leave) => this.#end.signal.addEventListener('abort', leave));
      navigator.locks.request(this.#prefix + this.own, () => {
        resolve();
        return left;
      }).catch(reject);
    });
  }

  leave() {
    this.#end.abort();
  }

  /** Returns the ids of the pages that are there. */
  async present() {
    const { held = [] } = await navigator.locks.query();
    const own = held.filter(({ name, mode }) => name?.startsWith(this.#prefix) && mode === 'exclusive');
    return new Set(own.map(({ name = '' }) => name.slice(this.#prefix.length)));
  }

  /** Calls `ended` once a page has ended. @param {string} page @param {() => void} ended */
  watch(page, ended) {
    if (this.#watched.has(page)) return;
    this.#watched.add(page);
    const freed = navigator.locks.request(this.#prefix + page, { mode: 'shared', signal: this.#end.signal }, () => {});
    freed.then(ended, () => {});
  }
}
