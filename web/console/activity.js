/**
 * The feed of what happens, from `/console/activity`, for as long as the page is there.
 *
 * Every connection to it begins with the records that herald-local still has: it may be another herald-local than
 * before, whose records count from one again. So whoever listens forgets everything when it opens, and nothing is there
 * twice. That is also why `EventSource` does not get to reconnect by itself, with the number of the last record.
 *
 * @module activity
 */

/** @import { ActivityRecord } from './records.js' */

/**
 * @typedef {object} Listener
 * @property {() => void} opened the feed begins, from its start.
 * @property {(record: ActivityRecord) => void} happened
 * @property {(count: number) => void} missed this page was too slow for so many records.
 * @property {() => void} lost herald-local does not answer; it is tried again.
 */

/** Between two attempts, in milliseconds. One machine: nobody is spared by waiting longer. */
const RETRY_AFTER = 1000;

/** @param {Listener} listener */
export function follow(listener) {
  const source = new EventSource('/console/activity');
  source.addEventListener('open', () => listener.opened());
  source.addEventListener('message', ({ data }) => listener.happened(JSON.parse(data)));
  source.addEventListener('missed', ({ data }) => listener.missed(JSON.parse(data).count));
  source.addEventListener('error', () => {
    source.close();
    listener.lost();
    setTimeout(() => follow(listener), RETRY_AFTER);
  });
}
