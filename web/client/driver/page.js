/**
 * The events of the page that are hints to the machine.
 *
 * @module page
 */

/** @import { Hint } from '../machine/signals.js' */

/**
 * Calls `handle` at every hint of the page, if there is a page.
 *
 * @param {(hint: Hint) => void} handle
 * @returns {() => void} removes the listeners.
 */
export function listenToPage(handle) {
  const { window, document } = /** @type {{ window?: Window, document?: Document }} */ (globalThis);
  /** @type {[EventTarget | undefined, string, () => void][]} */
  const listeners = [
    [window, 'online', () => handle('networkUp')],
    [window, 'offline', () => handle('networkDown')],
    [window, 'pageshow', () => handle('foreground')],
    [document, 'resume', () => handle('foreground')],
    [document, 'visibilitychange', () => document?.visibilityState === 'visible' && handle('foreground')],
  ];
  for (const [target, event, listener] of listeners) target?.addEventListener?.(event, listener);
  return () => {
    for (const [target, event, listener] of listeners) target?.removeEventListener?.(event, listener);
  };
}
