/**
 * The clients of the page, each with its own user and connection.
 *
 * @module clients-view
 */

import { mintToken } from './calls.js';
import { ClientCard } from './client-card.js';
import { byId, setText } from './dom.js';

/** @import { Stack } from './calls.js' */
/** @import { Options } from './herald-client.js' */

export class ClientsView {
  /** @type {Stack | undefined} */
  #stack;
  #form = byId('connect', HTMLFormElement);
  #user = byId('connect-user', HTMLInputElement);
  #permissions = byId('connect-permissions', HTMLTextAreaElement);
  #info = byId('connect-info', HTMLInputElement);
  #expires = byId('connect-expires', HTMLInputElement);
  #pasted = byId('connect-pasted-token', HTMLTextAreaElement);
  #result = byId('connect-result', HTMLElement);
  #clients = byId('clients', HTMLElement);

  constructor() {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#connect();
    });
  }

  /** @param {Stack} stack */
  show(stack) {
    this.#stack = stack;
    byId('connect-token', HTMLElement).hidden = stack.tokens === undefined;
    byId('connect-pasted', HTMLElement).hidden = !wantsForeignToken(stack);
    setText(byId('connect-about', HTMLElement), aboutUsers(stack));
  }

  #connect() {
    const user = this.#user.value.trim() || 'anonymous';
    const stack = this.#stack;
    if (!stack) return setText(this.#result, 'herald-local has not responded yet.');
    try {
      // The host of this page: its content security policy allows no other.
      const address = `ws://${location.host}${new URL(stack.webSocket).pathname}`;
      this.#clients.append(new ClientCard(user, address, this.#options(stack, user)).node);
      this.#result.textContent = '';
      this.#user.value = user === 'alice' ? 'bob' : this.#user.value;
    } catch (error) {
      this.#result.textContent = `Not connected: ${/** @type {Error} */ (error).message}`;
    }
  }

  /** @param {Stack} stack @param {string} userId @returns {Options} */
  #options(stack, userId) {
    if (wantsForeignToken(stack)) {
      const token = this.#pasted.value.trim();
      return { token: () => token };
    }
    const { tokens } = stack;
    if (tokens === undefined) return {};
    const [permissions, info] = [this.#permissions, this.#info].map(jsonOf);
    const expiresIn = this.#expires.valueAsNumber;
    const request = { userId, permissions, info, expiresIn: Number.isNaN(expiresIn) ? undefined : expiresIn };
    return { token: () => mintToken(tokens, request) };
  }
}

/** Returns true if the stack accepts the tokens of another issuer only. @param {Stack} stack */
function wantsForeignToken({ authentication, tokens }) {
  return tokens === undefined && (authentication === 'jwks' || authentication === 'secret');
}

/** Returns the JSON in a field; `undefined` if it is empty. @param {{ value: string }} field @returns {unknown} */
function jsonOf({ value }) {
  return value.trim() === '' ? undefined : JSON.parse(value);
}

/** @param {Stack} stack */
function aboutUsers(stack) {
  if (wantsForeignToken(stack)) return 'The name is for this page only; the token names the user.';
  if (stack.tokens) return 'The local issuer signs a token for this user.';
  return 'The stack is open: every client is anonymous, and the name is for this page only.';
}
