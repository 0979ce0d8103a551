/**
 * The feed of activity records from `/console/activity`.
 *
 * Every connection to it begins with the records that herald-local still has. It may be another herald-local than
 * before, whose records count from one again, so the listener forgets everything when the feed opens, and no record is
 * there twice. For the same reason `EventSource` must not reconnect by itself, with the number of the last record.
 *
 * @module activity
 */

/** @import { ActivityRecord } from './records.js' */

/**
 * @typedef {object} Listener
 * @property {() => void} opened is called when the feed begins anew.
 * @property {(record: ActivityRecord) => void} recorded
 * @property {(count: number) => void} lagged is called with the number of records that this page was too slow for.
 * @property {() => void} lost is called when herald-local does not respond; a retry follows.
 */

/** The delay before a retry, in milliseconds. It does not grow, because the server is on this machine. */
const RETRY_AFTER = 1000;

/** Follows the feed for as long as the page is open. @param {Listener} listener */
export function follow(listener) {
  const source = new EventSource('/console/activity');
  source.addEventListener('open', () => listener.opened());
  source.addEventListener('message', ({ data }) => listener.recorded(JSON.parse(data)));
  source.addEventListener('missed', ({ data }) => listener.lagged(JSON.parse(data).count));
  source.addEventListener('error', () => {
    source.close();
    listener.lost();
    setTimeout(() => follow(listener), RETRY_AFTER);
  });
}
