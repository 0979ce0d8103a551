/**
 * The nodes of users, and of the presence in a frame.
 *
 * @module presence-nodes
 */

import { badge, element } from './dom.js';
import { count } from './format.js';
import { presenceSentence } from './presence-frame.js';

/** @import { FramePresence, PresentUser } from './presence-frame.js' */
/** @import { Tone } from './trace-summary.js' */

/**
 * Returns the sentence and the users of a presence in a frame.
 *
 * @param {FramePresence} presence
 */
export function presenceNodes(presence) {
  const { members = [], joined = [], left = [] } = presence;
  const users = [
    ...joined.map((user) => userNode(user, 'ok', 'joined')),
    ...left.map((user) => userNode(user, 'quiet', 'left')),
    ...members.map((user) => userNode(user)),
  ];
  const sentence = element('p', { class: 'soft small' }, presenceSentence(presence));
  return users.length === 0 ? [sentence] : [sentence, element('ul', { class: 'members' }, ...users)];
}

/** @param {string | null} userId */
export function nameNode(userId) {
  return userId === null ? element('em', {}, 'anonymous') : element('strong', {}, userId);
}

/** @param {PresentUser} user @param {Tone} [tone] @param {string} [change] */
function userNode({ userId, connections, info }, tone = 'quiet', change) {
  return element(
    'li',
    { class: 'member' },
    change ? badge(tone, change) : null,
    nameNode(userId),
    connections === undefined ? null : element('span', { class: 'soft' }, count(connections, 'connection')),
    info === undefined ? null : element('code', {}, JSON.stringify(info)),
  );
}
