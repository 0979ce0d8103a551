/**
 * The part of a frame that concerns presence: who joined and left, or all members.
 *
 * @module presence-frame
 */

import { count } from './format.js';

/** A user in a frame. @typedef {{ userId: string, connections?: number, info?: unknown }} PresentUser */

/**
 * The presence of an entity in a frame. `members` is there in a snapshot, `joined` and `left` in a change, and none of them
 * if there are too many members.
 *
 * @typedef {{ entityId: string, version: number, count: number, members?: PresentUser[], joined?: PresentUser[],
 *   left?: PresentUser[] }} FramePresence
 */

/**
 * Returns the presence of each entity in a frame of presence or in an acknowledgement.
 *
 * @param {any} frame
 * @returns {FramePresence[]}
 */
export function presencesIn(frame) {
  if (frame?.type === 'presence') return [frame].filter(isPresence);
  if (frame?.type !== 'ack') return [];
  const { entityId, presence, entities } = frame;
  const several = Object.entries(entities ?? {}).map(([id, result]) => ({ entityId: id, ...result?.presence }));
  return [{ entityId, ...presence }, ...several].filter(isPresence);
}

/** Returns a presence in one line, its changes first because the line may be cut. @param {FramePresence} presence */
export function presenceText({ count: present, joined = [], left = [] }) {
  const joins = joined.map(({ userId }) => `+${userId}`);
  const leaves = left.map(({ userId }) => `−${userId}`);
  const changes = [...joins, ...leaves].join(' ');
  return [changes, `${present} present`].filter(Boolean).join(', ');
}

/** Returns a presence as a sentence, without the users. @param {FramePresence} presence */
export function presenceSentence({ entityId, version, count: present, members, joined, left }) {
  const now = `${entityId} at version ${version}: ${present} present`;
  if (members) return `${now}, ${count(members.length, 'user')} listed.`;
  if (joined || left) return `${now}, ${joined?.length ?? 0} joined, ${left?.length ?? 0} left.`;
  return `${now}. There are too many members for a list, or the list did not fit.`;
}

/** @param {FramePresence} presence */
function isPresence({ version, count: present }) {
  return typeof version === 'number' && typeof present === 'number';
}
