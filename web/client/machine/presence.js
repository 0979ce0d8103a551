/**
 * Presence: the users at an entity, as snapshots and changes of the server tell them.
 *
 * A change has the next version and names who joined and who left. One that arrives too early is held, and the client
 * asks for a snapshot if those before it do not arrive soon.
 *
 * @module presence
 */

import { isRetryable } from '../error.js';
import { BackOff } from './back-off.js';
import { objectOf } from './frame.js';
import { sendRequest } from './requests.js';
import { recheck } from './subscribing.js';
import { compare } from './syncing.js';

/** @import { Failure, Member, Presence } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */
/** @import { Link } from './link.js' */
/** @import { Frame } from './signals.js' */

/** The most members that any stack lists. */
const MEMBERS_LIMIT = 200;

/**
 * A change of a set, or a snapshot, whose users all joined. Without `joined` it tells the count alone.
 *
 * @typedef {{ version: number, count: number, joined?: Member[], left: string[] }} Told
 */

/** The presence of an entity, from the first subscriber that asks for it to the last. */
export class PresenceOfEntity {
  subscribers = 1;
  /** The set. `null` if there is none, `undefined` if it is unknown. @type {Presence | null | undefined} */
  set;
  /** The set that the application was told. @type {Presence | null | undefined} */
  told;
  /** The version of the set. `undefined` until the server tells it on the present connection. @type {number | undefined} */
  version;
  /** The changes that are ahead of the set, by their versions. @type {Map<number, Told>} */
  held = new Map();
  /** True if an acknowledgement may have had no room for the members. */
  lacksMembers = false;
  backOff = new BackOff();
  /** The reason for which the server refused to tell it. @type {Failure | undefined} */
  error;

  /** True if the server is to be asked. */
  get isBehind() {
    return this.held.size > 0 || this.lacksMembers;
  }

  /** @param {number} version @param {Presence} set */
  moveTo(version, set) {
    this.version = version;
    this.set = set;
    this.lacksMembers = false;
    for (const held of this.held.keys()) if (held <= version) this.held.delete(held);
  }

  /** Applies the held changes that come next. One that tells the count alone needs none of those before it. */
  catchUp() {
    const inOrder = Array.from(this.held.values()).sort((one, other) => one.version - other.version);
    for (const { version, count, joined, left } of inOrder) {
      const members = this.set?.members;
      if (!joined) this.moveTo(version, { count, members: null });
      else if (members && version === Number(this.version) + 1) {
        const stayed = Array.from(members.values()).filter(({ userId }) => !left.includes(userId));
        this.moveTo(version, { count, members: mapOf([...stayed, ...joined]) });
      }
    }
  }

  /** Forgets the version: the next snapshot replaces the set. */
  forgetVersion() {
    this.version = undefined;
    this.lacksMembers = false;
    this.held.clear();
  }
}

/** Adds a subscriber that asks for presence. @param {Machine} machine @param {string} entity */
export function joinPresence(machine, entity) {
  const presence = machine.presences.get(entity);
  if (!presence) return void machine.presences.set(entity, new PresenceOfEntity());
  presence.subscribers += 1;
  if (presence.told !== undefined) perform(machine, entity, presence);
}

/** Removes a subscriber that asked for presence. @param {Machine} machine @param {string} entity */
export function leavePresence(machine, entity) {
  const presence = machine.presences.get(entity);
  if (presence && --presence.subscribers === 0) endPresence(machine, entity);
}

/** Forgets the presence of an entity. @param {Machine} machine @param {string} entity */
export function endPresence(machine, entity) {
  machine.presences.delete(entity);
  machine.timers.cancel(timerOf(entity));
}

/** Returns true if a subscription on a link is to ask for presence. @param {Machine} machine @param {Link} link @param {string} entity */
export function asksForPresence({ presences }, { isPolling }, entity) {
  const presence = presences.get(entity);
  return presence !== undefined && !presence.error && !isPolling;
}

/**
 * Notes that a link that polls acknowledged an entity. Its presence is unknown then, unless a WebSocket tells it.
 *
 * @param {Machine} machine
 * @param {string} entity
 */
export function polled(machine, entity) {
  const isTold = machine.linksInUse.some(({ entities }) => entities.get(entity)?.presence);
  if (!isTold) snapshotArrived(machine, entity, undefined);
}

/**
 * Takes a snapshot, unless a newer version is known.
 *
 * @param {Machine} machine
 * @param {string} entity
 * @param {unknown} answer absent if the entity has no presence.
 * @param {boolean} [isAcknowledgement] true if it is part of an acknowledgement.
 */
export function snapshotArrived(machine, entity, answer, isAcknowledgement = false) {
  const presence = machine.presences.get(entity);
  if (!presence || presence.error) return;
  const snapshot = pollsAlone(machine) ? undefined : snapshotOf(answer);
  const { version = -1 } = presence;
  presence.backOff.reset();
  if (!snapshot) {
    presence.forgetVersion();
    presence.set = null;
  } else if (snapshot.version >= version) {
    const { members, count } = snapshot.set;
    presence.moveTo(snapshot.version, snapshot.set);
    presence.lacksMembers = isAcknowledgement && !members && count <= MEMBERS_LIMIT;
  }
  proceed(machine, entity, presence);
}

/** Applies a change, or holds it. @param {Machine} machine @param {Frame} frame */
export function presenceArrived(machine, frame) {
  const presence = machine.presences.get(frame.entityId);
  const told = pollsAlone(machine) ? undefined : read(frame, 'joined');
  if (!presence || presence.error || !told || told.version <= Number(presence.version)) return;
  presence.held.set(told.version, told);
  proceed(machine, frame.entityId, presence);
}

/** @param {Machine} machine @param {string} entity @param {Failure} error */
export function presenceFailed(machine, entity, error) {
  const presence = machine.presences.get(entity);
  if (!isRetryable(error)) refusePresence(machine, entity, error);
  else if (presence?.isBehind) {
    askAfter(machine, entity, presence.backOff.next(machine.rules, machine.random()));
  }
}

/** Goes on without presence, since the server refuses it. @param {Machine} machine @param {string} entity @param {Failure} error */
export function refusePresence(machine, entity, error) {
  const presence = machine.presences.get(entity);
  if (!presence) return;
  presence.error = error;
  presence.forgetVersion();
  presence.set = null;
  proceed(machine, entity, presence);
  recheck(machine, entity);
}

/** Returns true if a `subscribe` may succeed without presence. @param {Failure} error */
export function mayRefusePresence(error) {
  return error.kind === 'server' && (error.code === 'forbidden' || error.code === 'bad_request');
}

/**
 * Plans anew what a link that ended was asked for. Without another, every set is stale, and unknown if the client polls.
 *
 * @param {Machine} machine
 */
export function presenceLinkEnded(machine) {
  const isConnected = linkOf(machine) !== undefined;
  for (const [entity, presence] of machine.presences) {
    if (!isConnected) presence.forgetVersion();
    watch(machine, entity, presence);
    if (pollsAlone(machine)) snapshotArrived(machine, entity, undefined);
  }
}

/** @param {Machine} machine @param {string} entity @param {PresenceOfEntity} presence */
function proceed(machine, entity, presence) {
  const { held } = presence;
  presence.catchUp();
  if (held.size > machine.rules.heldLimit) held.delete(Math.min(...held.keys()));
  if (!isSame(presence.told, presence.set)) perform(machine, entity, presence);
  watch(machine, entity, presence);
}

/** Tells the subscribers of an entity its set. @param {Machine} machine @param {string} entity @param {PresenceOfEntity} presence */
function perform(machine, entity, presence) {
  const { set = null, error } = presence;
  presence.told = set;
  machine.perform({ kind: 'presence', entity, presence: set, ...(error && { error }) });
}

/**
 * Asks for a snapshot after a random delay, so that the subscribers of one entity do not ask together. Ends the wait if
 * nothing is missing.
 *
 * @param {Machine} machine
 * @param {string} entity
 * @param {PresenceOfEntity} presence
 */
function watch(machine, entity, presence) {
  const timer = timerOf(entity);
  if (!presence.isBehind) return machine.timers.cancel(timer);
  if (machine.timers.has(timer) || isAsked(machine, entity)) return;
  askAfter(machine, entity, Math.round(machine.rules.presenceSpread * machine.random()));
}

/** @param {Machine} machine @param {string} entity @param {number} delay */
function askAfter(machine, entity, delay) {
  machine.timers.set(timerOf(entity), machine.now + delay, () => ask(machine, entity));
}

/** Asks for a snapshot, unless an answer is on its way. @param {Machine} machine @param {string} entity */
function ask(machine, entity) {
  const link = linkOf(machine);
  if (!link || isAsked(machine, entity)) return;
  sendRequest(machine, link, { action: 'presence', entity }, JSON.stringify({ action: 'presence', entityId: entity }));
}

/** @param {Machine} machine @param {string} entity */
function isAsked({ links }, entity) {
  const requests = links.flatMap(({ inFlight }) => Array.from(inFlight.values()));
  return requests.some(
    (request) =>
      (request.action === 'presence' && request.entity === entity) ||
      (request.action === 'subscribe' && request.entities.includes(entity)),
  );
}

/** Returns the link whose server tells presence. `undefined` without a WebSocket. @param {Machine} machine */
function linkOf({ linksInUse }) {
  return linksInUse.find(({ isPolling }) => !isPolling);
}

/** Returns true if the client polls without a WebSocket beside it. One that lingers tells no later change. @param {Machine} machine */
function pollsAlone(machine) {
  return machine.linksInUse.length > 0 && linkOf(machine) === undefined;
}

/** @param {string} entity */
function timerOf(entity) {
  return `presence ${entity}`;
}

/**
 * Reads a change, or a snapshot with its `members`. `undefined` if it has no version or no count.
 *
 * @param {Frame} frame
 * @param {'joined' | 'members'} list the field with the users that are there.
 * @returns {Told | undefined}
 */
function read(frame, list) {
  const { version, count, [list]: joined, left } = frame;
  if (!isCount(version) || !isCount(count)) return undefined;
  const isKnown = Array.isArray(joined) && (list === 'members' || Array.isArray(left));
  const leavers = isKnown ? membersOf(left).map(({ userId }) => userId) : [];
  return { version, count, joined: isKnown ? membersOf(joined) : undefined, left: leavers };
}

/** Reads a snapshot. `undefined` if it has no version or no count. @param {unknown} answer */
export function snapshotOf(answer) {
  const told = read(objectOf(answer) ?? {}, 'members');
  if (!told) return undefined;
  const { version, count, joined } = told;
  return { version, set: { count, members: joined ? mapOf(joined) : null } };
}

/** @param {unknown} field @returns {field is number} */
function isCount(field) {
  return Number.isSafeInteger(field) && Number(field) >= 0;
}

/** Returns the users of a list. @param {unknown} list @returns {Member[]} */
function membersOf(list) {
  const members = Array.isArray(list) ? list.map((member) => objectOf(member) ?? {}) : [];
  return members.flatMap(({ userId, connections, info }) => {
    if (typeof userId !== 'string') return [];
    return [{ userId, connections: isCount(connections) ? connections : 1, ...(info !== undefined && { info }) }];
  });
}

/** Returns users by their ids, in the order of these. The last of an id counts. @param {Member[]} members */
function mapOf(members) {
  const sorted = Array.from(members).sort((one, other) => compare(one.userId, other.userId));
  return new Map(sorted.map((member) => [member.userId, member]));
}

/** @param {Presence | null | undefined} one @param {Presence | null | undefined} other */
export function isSame(one, other) {
  return textOf(one) === textOf(other);
}

/** @param {Presence | null | undefined} presence */
function textOf(presence) {
  return JSON.stringify(presence && [presence.count, presence.members && Array.from(presence.members.values())]);
}

/**
 * Returns what differs between a set and its successor. Members that are unknown neither joined nor left.
 *
 * @param {Presence | null | undefined} previous
 * @param {Presence | null} presence
 */
export function changeBetween(previous, presence) {
  const { count, members } = presence ?? { count: null, members: null };
  const before = previous?.members ?? new Map();
  const isNew = (/** @type {Member} */ member) => JSON.stringify(member) !== JSON.stringify(before.get(member.userId));
  return {
    joined: Array.from(members?.values() ?? []).filter(isNew),
    left: Array.from(members ? before.values() : []).filter(({ userId }) => !members?.has(userId)),
    count,
    members,
  };
}
