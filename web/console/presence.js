/**
 * The members of entities, read from the connection table.
 *
 * @module presence
 */

import { call } from './calls.js';

/** @import { Outcome } from './trace-summary.js' */

/**
 * The set of an entity's members. Times are epoch milliseconds, and `null` if nothing is scheduled.
 *
 * @typedef {object} MemberSet
 * @property {string} entity
 * @property {number} version the version of the last frame. 0 before the first.
 * @property {number} count the count in the last frame.
 * @property {number | null} flushAt the time at which a frame of changes is due.
 * @property {number | null} watchAt the time at which expired members are looked for.
 */

/**
 * A connection that is a member. `userId` is `null` if it is anonymous. `info` is JSON. `isAnnounced` is true if a frame
 * has told of its user, and `hasLeft` until a frame has told that it left.
 *
 * @typedef {{ userId: string | null, connectionId: string, info: string | null, isAnnounced: boolean, hasLeft: boolean,
 *   endsAt: number }} Member
 */

/** A user with the user's connections, or all anonymous connections. @typedef {{ userId: string | null, members: Member[] }} User */

/** The most members of a list that clients get: Herald's limit for the policy's `members`. */
export const LISTED = 200;

/** The most pages of a scan or of a query, of at most 1 MB each. */
const PAGES = 5;

/** The sort key of a set, among those of its members. */
const SET = '!';

/** The beginning of partition keys. */
const PRESENCE = 'P#';

/**
 * Reads the sets of all entities. `isCut` is true if the table has more rows than were read.
 *
 * @param {string} table
 * @returns {Promise<{ sets: MemberSet[], isCut: boolean }>}
 */
export async function readSets(table) {
  const { items, isCut } = await read('DynamoDB_20120810.Scan', {
    TableName: table,
    FilterExpression: 'sk = :set AND begins_with(pk, :presence)',
    ExpressionAttributeValues: { ':set': { S: SET }, ':presence': { S: PRESENCE } },
  });
  return { sets: items.map(setOf), isCut };
}

/**
 * Reads the members of an entity, in the order of their users.
 *
 * @param {string} table
 * @param {string} entity
 */
export async function readMembers(table, entity) {
  const { items } = await read('DynamoDB_20120810.Query', {
    TableName: table,
    KeyConditionExpression: 'pk = :entity',
    ExpressionAttributeValues: { ':entity': { S: PRESENCE + entity } },
  });
  return items.filter(({ sk }) => sk.S !== SET).map(memberOf);
}

/** @param {any} item @returns {MemberSet} */
export function setOf(item) {
  return {
    entity: item.pk.S.slice(PRESENCE.length),
    version: Number(item.version?.N ?? 0),
    count: Number(item.count?.N ?? 0),
    flushAt: timeOf(item.flushAt),
    watchAt: timeOf(item.watchAt),
  };
}

/** @param {any} item @returns {Member} */
export function memberOf(item) {
  const key = item.sk.S;
  // A user's id may contain a `#`, and a connection's does not.
  const end = key.lastIndexOf('#');
  return {
    userId: end === 0 ? null : key.slice(0, end),
    connectionId: key.slice(end + 1),
    info: item.info?.S ?? null,
    isAnnounced: item.announced?.BOOL === true,
    hasLeft: item.left?.BOOL === true,
    endsAt: timeOf(item.endsAt) ?? 0,
  };
}

/** Returns true if a member is present at a time. @param {Member} member @param {number} now */
export function isPresent({ hasLeft, endsAt }, now) {
  return !hasLeft && endsAt > now;
}

/**
 * Returns the states of a member that differ from what clients see.
 *
 * @param {Member} member
 * @param {Set<string>} open the connections that are open.
 * @param {number} now
 * @returns {Outcome[]}
 */
export function statesOf(member, open, now) {
  if (member.hasLeft) return [{ tone: 'busy', text: 'left, not announced' }];
  if (!isPresent(member, now)) return [{ tone: 'warn', text: 'expired' }];
  /** @type {Outcome[]} */
  const states = member.isAnnounced ? [] : [{ tone: 'busy', text: 'joined, not announced' }];
  return open.has(member.connectionId) ? states : [...states, { tone: 'warn', text: 'not connected' }];
}

/** Returns the number of users and of anonymous connections that are present. @param {Member[]} members @param {number} now */
export function presentCount(members, now) {
  const present = members.filter((member) => isPresent(member, now));
  return new Set(present.map(({ userId, connectionId }) => userId ?? `#${connectionId}`)).size;
}

/** Returns the members by user, the anonymous last. @param {Member[]} members @returns {User[]} */
export function usersOf(members) {
  /** @type {Map<string | null, User>} */
  const users = new Map();
  for (const member of members) {
    const user = users.get(member.userId);
    if (user) user.members.push(member);
    else users.set(member.userId, { userId: member.userId, members: [member] });
  }
  return Array.from(users.values()).sort((one, other) => Number(one.userId === null) - Number(other.userId === null));
}

/** Returns the info of a user: that of the member that was heard of last. @param {Member[]} members */
export function infoOf(members) {
  return members.reduce((last, member) => (member.endsAt > last.endsAt ? member : last)).info;
}

/** Returns the users that are present in one line. @param {Member[]} members @param {number} now */
export function namesOf(members, now) {
  const present = members.filter((member) => isPresent(member, now));
  const names = usersOf(present).map(({ userId, members: { length } }) => {
    if (userId === null) return `${length} anonymous`;
    return length === 1 ? userId : `${userId} ×${length}`;
  });
  return names.join(', ');
}

/**
 * Reads all pages of a scan or of a query.
 *
 * @param {string} target
 * @param {object} request
 * @returns {Promise<{ items: any[], isCut: boolean }>}
 */
async function read(target, request) {
  const items = [];
  let from;
  for (let page = 0; page < PAGES; page += 1) {
    const { Items, LastEvaluatedKey } = await call(target, { ...request, ExclusiveStartKey: from });
    items.push(...Items);
    from = LastEvaluatedKey;
    if (!from) break;
  }
  return { items, isCut: from !== undefined };
}

/** @param {any} seconds an attribute with epoch seconds. */
function timeOf(seconds) {
  return seconds ? Number(seconds.N) * 1000 : null;
}
