/**
 * The logs of audiences, read from the history table.
 *
 * @module logs
 */

import { call } from './calls.js';

/**
 * The head of a log. `kept` is in seconds, and 0 for a log of the last message. Times are epoch milliseconds.
 *
 * @typedef {object} Log
 * @property {string} name `entity#order-1`, `user#alice` or `everyone`.
 * @property {string} epoch
 * @property {number} top the last offset that was taken.
 * @property {number} kept
 * @property {number} madeAt the time of its first message.
 * @property {number} at the time of its last message.
 * @property {number} expiresAt the time at which the head may be removed.
 * @property {string | null} frame the last message, in a log of the last message.
 */

/**
 * A row of a log. `frame` is `null` for an offset whose message never came.
 *
 * @typedef {{ offset: number, at: number, expiresAt: number, frame: string | null }} LogRow
 */

/** The most pages of a scan, of at most 1 MB each. */
const SCAN_PAGES = 5;

/** The rows of a log that are read: the newest. */
export const ROWS = 100;

/**
 * Reads the heads of all logs. `isCut` is true if the table has more rows than were read.
 *
 * @param {string} table
 * @returns {Promise<{ logs: Log[], isCut: boolean }>}
 */
export async function readLogs(table) {
  /** @type {Log[]} */
  const logs = [];
  let from;
  for (let page = 0; page < SCAN_PAGES; page += 1) {
    const { Items, LastEvaluatedKey } = await call('DynamoDB_20120810.Scan', {
      TableName: table,
      FilterExpression: 'sk = :head',
      ExpressionAttributeValues: { ':head': { S: 'H' } },
      ExclusiveStartKey: from,
    });
    logs.push(...Items.map(logOf));
    from = LastEvaluatedKey;
    if (!from) break;
  }
  return { logs: logs.sort((one, other) => other.at - one.at), isCut: from !== undefined };
}

/**
 * Reads the newest rows of a log, the newest first.
 *
 * @param {string} table
 * @param {Log} log
 * @returns {Promise<LogRow[]>}
 */
export async function readRows(table, log) {
  if (log.kept === 0) {
    const { top: offset, at, expiresAt, frame } = log;
    return [{ offset, at, expiresAt, frame }];
  }
  const { Items } = await call('DynamoDB_20120810.Query', {
    TableName: table,
    KeyConditionExpression: 'pk = :log',
    ExpressionAttributeValues: { ':log': { S: `R#${log.name}#${log.epoch}` } },
    ScanIndexForward: false,
    Limit: ROWS,
  });
  return Items.map(rowOf);
}

/** @param {any} item @returns {Log} */
export function logOf(item) {
  return {
    name: item.pk.S.slice('H#'.length),
    epoch: item.epoch?.S ?? '',
    top: Number(item.top?.N),
    kept: Number(item.kept?.N),
    madeAt: Number(item.madeAt?.N),
    at: Number(item.at?.N),
    expiresAt: Number(item.expiresAt?.N) * 1000,
    frame: item.frame?.S ?? null,
  };
}

/** @param {any} item @returns {LogRow} */
export function rowOf(item) {
  return {
    offset: Number(item.sk.S),
    at: Number(item.at?.N),
    expiresAt: Number(item.expiresAt?.N) * 1000,
    frame: item.frame?.S ?? null,
  };
}
