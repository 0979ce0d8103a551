/**
 * One WebSocket, and the reason for a failed handshake.
 *
 * @module socket
 */

/** @import { WebSocketLike } from '../../herald-client.js' */

/**
 * The status in the message of a failed handshake: the words of `ws`, Bun, Deno, and of React Native on iOS and Android.
 */
const STATUS = new RegExp(
  '(?:^Unexpected server response: |Expected 101 status code: |Invalid status code: ' +
    "|^[Rr]eceived bad response code from server:? |^Expected HTTP 101 response but was ')" +
    '(\\d{3})\\b',
);

/** The time within which a server must show that it can be reached. */
const PROBE_TIMEOUT = 5000;

/** The code of a connection that ended without a close frame. */
const WITHOUT_CLOSE_FRAME = 1006;

/**
 * The events of a socket. `ended` may come twice.
 *
 * @typedef {object} Events
 * @property {() => void} opened
 * @property {(text: string) => void} received
 * @property {(reason: string, wasOpen: boolean, closeFrame: boolean) => void} ended
 */

/** @param {WebSocketLike} socket @param {Events} events */
export function listen(socket, { opened, received, ended }) {
  let isOpen = false;
  socket.addEventListener('open', () => {
    isOpen = true;
    opened();
  });
  socket.addEventListener('message', ({ data }) => {
    if (typeof data === 'string') received(data);
  });
  socket.addEventListener('error', ({ message }) => {
    // A `close` should follow, but the WebSocket of Node.js 22 sends none after a failed handshake.
    if (!isOpen) ended(message || 'the handshake failed', false, false);
  });
  socket.addEventListener('close', ({ code, reason }) => {
    ended(`the connection was closed with code ${code}${reason && `: ${reason}`}`, isOpen, code !== WITHOUT_CLOSE_FRAME);
  });
}

/**
 * Tells a refused handshake from a server that was not reached. A browser hides the status. There, a server that
 * answers over HTTP counts as having refused.
 *
 * @param {URL} url
 * @param {string} reason the message of the error.
 * @returns {Promise<{ kind: 'refused', status: number | null } | { kind: 'failed' }>}
 */
export async function handshakeFailure(url, reason) {
  const status = Number(STATUS.exec(reason)?.[1]);
  if (status) return { kind: 'refused', status };
  return (await isReachable(url)) ? { kind: 'refused', status: null } : { kind: 'failed' };
}

/**
 * Returns true if the server of a WebSocket answers over HTTP. The page cannot see the answer itself.
 *
 * @param {URL} url
 */
async function isReachable({ protocol, host, pathname }) {
  const scheme = protocol === 'wss:' ? 'https:' : 'http:';
  try {
    const answer = await fetch(`${scheme}//${host}${pathname}`, {
      mode: 'no-cors',
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(PROBE_TIMEOUT),
    });
    await answer.body?.cancel();
    return true;
  } catch {
    return false;
  }
}
