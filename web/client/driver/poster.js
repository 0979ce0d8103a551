/**
 * The HTTP requests of links that poll.
 *
 * @module poster
 */

/** @import { Effect } from '../machine/signals.js' */

/** An answer, without a status if there was none. @typedef {{ status: number | null, text?: string, cause?: unknown }} Answer */

export class Poster {
  #url;
  #timeout;
  /** The requests in flight, by their link. @type {Map<number, Set<AbortController>>} */
  #inFlight = new Map();

  /** @param {URL} url the address of the function `poll`. @param {number} timeout */
  constructor(url, timeout) {
    this.#url = url;
    this.#timeout = timeout;
  }

  /** @param {Extract<Effect, { kind: 'post' }>} request @returns {Promise<Answer>} */
  async post({ socket, path, token, text }) {
    const controller = new AbortController();
    const inFlight = this.#inFlight.get(socket) ?? new Set();
    this.#inFlight.set(socket, inFlight.add(controller));
    const timeout = setTimeout(() => controller.abort(), this.#timeout);
    try {
      const answer = await fetch(new URL(path, this.#url), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...(token !== null && { Authorization: `Bearer ${token}` }) },
        body: text,
        cache: 'no-store',
        credentials: 'omit',
        signal: controller.signal,
      });
      return { status: answer.status, text: await answer.text() };
    } catch (cause) {
      return { status: null, cause };
    } finally {
      clearTimeout(timeout);
      inFlight.delete(controller);
    }
  }

  /** Ends the requests of a link. @param {number} socket */
  abort(socket) {
    for (const controller of this.#inFlight.get(socket) ?? []) controller.abort();
    this.#inFlight.delete(socket);
  }
}
