/**
 * The row of an entity with members: a summary that opens to its users with their connections, and to its frames.
 *
 * @module presence-row
 */

import { badge, element, KeyedList, setText } from './dom.js';
import { count, timeOfDay, timeToSecond } from './format.js';
import { nameNode } from './presence-nodes.js';
import { infoOf, isPresent, LISTED, namesOf, presentCount, statesOf, usersOf } from './presence.js';
import { postNodes } from './step-node.js';
import { deliveryOutcome } from './trace-summary.js';

/** @import { Row } from './dom.js' */
/** @import { PresenceFrame } from './presence-frames.js' */
/** @import { Member, MemberSet, User } from './presence.js' */
/** @import { Outcome } from './trace-summary.js' */

/**
 * A set of members as it is shown. `members` is `null` if it is longer than a list of members may be. `open` has the
 * connections that are open.
 *
 * @typedef {MemberSet & { members: Member[] | null, open: Set<string>, frames: PresenceFrame[] }} Presence
 */

/** @returns {Row<Presence>} */
export function presenceRow() {
  const line = lineRow();
  const facts = element('dl', { class: 'facts' });
  const note = element('p', { class: 'note' });
  const users = element('ul', { class: 'members' });
  const frames = element('ol', { class: 'frames' });
  const noFrames = element('p', { class: 'note' }, 'None was posted: a frame goes to clients that ask for presence.');
  const details = element(
    'details',
    {},
    line.node,
    facts,
    note,
    users,
    element('h4', {}, 'Frames'),
    noFrames,
    frames,
  );
  /** @type {Set<string>} */
  let open = new Set();
  /** @type {KeyedList<User>} */
  const userRows = new KeyedList(users, ({ userId }) => userId ?? '', (user) => userRow(user, () => open));
  /** @type {KeyedList<PresenceFrame>} */
  const frameRows = new KeyedList(frames, ({ version }) => String(version), frameRow);
  return {
    node: element('li', {}, details),
    update(presence) {
      open = presence.open;
      line.update(presence);
      if (facts.textContent !== factTexts(presence).flat().join('')) facts.replaceChildren(...factNodes(presence));
      setText(note, noteOf(presence));
      userRows.render(usersOf(presence.members ?? []));
      frameRows.render(presence.frames);
      noFrames.hidden = presence.frames.length > 0;
    },
  };
}

/** @returns {Row<Presence>} */
function lineRow() {
  const time = element('time', { class: 'mono soft' });
  const name = element('span', { class: 'kind' });
  const names = element('span', { class: 'audience' });
  const outcome = element('span', { class: 'outcome' });
  const version = element('span', { class: 'lasted mono soft' });
  return {
    node: element('summary', {}, time, name, names, outcome, version),
    update({ entity, version: number, count: announced, flushAt, members, frames }) {
      const now = Date.now();
      const present = members ? presentCount(members, now) : announced;
      setText(time, frames.length > 0 ? timeOfDay(frames[0].at) : '');
      setText(name, entity);
      setText(names, members ? namesOf(members, now) : '');
      setText(version, `v${number}`);
      /** @type {Outcome} */
      const here = present === 0 ? { tone: 'quiet', text: 'empty' } : { tone: 'ok', text: `${present.toLocaleString('en')} here` };
      setBadges(outcome, flushAt === null ? [here] : [{ tone: 'busy', text: 'frame due' }, here]);
    },
  };
}

/** @param {Presence} presence @returns {[string, string][]} */
function factTexts({ version, count: announced, flushAt, watchAt }) {
  return [
    ['Version', String(version)],
    ['Count in the last frame', version === 0 ? 'no frame yet' : announced.toLocaleString('en')],
    ['Next frame', flushAt === null ? 'none is due' : timeToSecond(flushAt)],
    ['Next expiry check', watchAt === null ? 'none is due' : timeToSecond(watchAt)],
  ];
}

/** @param {Presence} presence */
function factNodes(presence) {
  return factTexts(presence).flatMap(([name, value]) => {
    return [element('dt', {}, name), element('dd', { class: 'mono' }, value)];
  });
}

/** @param {Presence} presence */
function noteOf({ members }) {
  if (members === null) return `More than ${LISTED} members: clients get the count alone, and the members are not read.`;
  return members.length === 0 ? 'No members.' : '';
}

/** @param {User} user @param {() => Set<string>} open @returns {Row<User>} */
function userRow({ userId }, open) {
  const connections = element('span', { class: 'soft' });
  const info = element('code');
  const list = element('ul', { class: 'connections' });
  /** @type {KeyedList<Member>} */
  const rows = new KeyedList(list, ({ connectionId }) => connectionId, (member) => connectionRow(member, open));
  return {
    node: element('li', {}, element('div', { class: 'member' }, nameNode(userId), connections, info), list),
    update(user) {
      const now = Date.now();
      const present = user.members.filter((member) => isPresent(member, now));
      setText(connections, count(present.length, 'connection'));
      setText(info, infoOf(present.length > 0 ? present : user.members) ?? '');
      rows.render(user.members);
    },
  };
}

/** @param {Member} member @param {() => Set<string>} open @returns {Row<Member>} */
function connectionRow({ connectionId }, open) {
  const id = encodeURIComponent(connectionId);
  const link = element('a', { class: 'mono' }, connectionId);
  const expiry = element('span', { class: 'soft' });
  const states = element('span');
  return {
    node: element('li', { class: 'member small' }, link, expiry, states),
    update(member) {
      // A closed connection has events and no card.
      link.setAttribute('href', open().has(connectionId) ? `#connections/${id}` : `#events/connection/${id}`);
      setText(expiry, `expires ${timeToSecond(member.endsAt)}`);
      setBadges(states, statesOf(member, open(), Date.now()));
    },
  };
}

/** @param {PresenceFrame} frame @returns {Row<PresenceFrame>} */
function frameRow({ version, count: present, at }) {
  const outcome = element('span', { class: 'clipped' });
  const summary = element(
    'summary',
    {},
    element('span', { class: 'mono' }, `v${version}`),
    element('time', { class: 'mono soft wide' }, timeOfDay(at)),
    outcome,
  );
  const posts = element('div', {});
  const details = element('details', {}, summary, posts);
  /** @type {PresenceFrame | undefined} */
  let frame;
  let shown = 0;
  const showPosts = () => {
    if (!frame || !details.open || shown === frame.posts.length) return;
    shown = frame.posts.length;
    posts.replaceChildren(...postNodes(frame.posts));
  };
  details.addEventListener('toggle', showPosts);
  return {
    node: element('li', {}, details),
    update(newest) {
      frame = newest;
      setText(outcome, `${count(present, 'member')}, ${deliveryOutcome(newest).text}`);
      showPosts();
    },
  };
}

/** Shows outcomes as badges, if they differ from those that are shown. @param {Element} node @param {Outcome[]} outcomes */
function setBadges(node, outcomes) {
  const badges = outcomes.map(({ tone, text }) => badge(tone, text));
  if (node.textContent !== badges.map(({ textContent }) => textContent).join('')) node.replaceChildren(...badges);
}
