/**
 * Tokens: their end, and the form in which they can travel.
 *
 * @module token
 */

/** @import { TokenAnswer } from '../herald-client.js' */

/** The subprotocol of Herald, which a token is offered beside. */
export const SUBPROTOCOL = 'herald.v1';

export const UNUSABLE_TOKEN =
  'no WebSocket subprotocol can carry the token: it must be a non-empty string of ASCII letters, digits ' +
  "and !#$%&'*+.^_`|~-, such as a JWT";

/**
 * Reads the answer of the token callback.
 *
 * @param {TokenAnswer} answer
 * @returns {{ token: string | null, expiresIn: number | undefined }} `expiresIn` is in milliseconds. `undefined` if the
 *   end is unknown, or past: then this clock is wrong, and the server will say when the token has ended.
 */
export function readToken(answer) {
  const { token = null, expiresAt } = typeof answer === 'object' ? (answer ?? {}) : { token: answer };
  const end = typeof expiresAt === 'number' ? expiresAt : endOf(token);
  const left = end === undefined ? 0 : end * 1000 - Date.now();
  return { token, expiresIn: left > 0 ? left : undefined };
}

/**
 * Returns true if a token can be offered as a subprotocol: a token of RFC 9110, section 5.6.2.
 *
 * @param {unknown} token
 */
export function isSubprotocol(token) {
  return typeof token === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(token) && token !== SUBPROTOCOL;
}

/** Returns the `exp` of a JWT, in seconds since 1970. `undefined` if it has none. @param {string | null} token */
function endOf(token) {
  try {
    const claims = (token ?? '').split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const { exp } = JSON.parse(atob(claims));
    return typeof exp === 'number' ? exp : undefined;
  } catch {
    return undefined;
  }
}
